"""Runs of train.py opened again: their config, a checkpoint, and the scans that each is judged by."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainseg.checkpoint import load_model
from brainseg.config import UserError
from brainseg.config.schema import Blend, Flips, WindowConfig
from brainseg.data import PhantomData
from brainseg.data.volumes import Case, VolumeData
from brainseg.device import best_device

# As conf/predict.yaml has it.
WINDOW = WindowConfig(overlap=0.5, blend=Blend.gaussian, batch_size=2, flips=Flips.none)


@dataclass(frozen=True)
class VolumeRun:
    """A run of a model of volumes, with its scans."""

    folder: Path
    config: DictConfig
    model: Any  # of the task
    data: VolumeData
    part: str  # test, or val where there is no test part
    cases: list[Case]

    @property
    def name(self) -> str:
        return str(self.config.name)


def runs_below(folder: Path, task: str) -> list[Path]:
    """The folders of a task's runs at or below one.

    Raises:
        UserError: There is none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give runs of model={task}, or a sweep of them")
    found = sorted(path.parent.parent for path in folder.glob("**/.hydra/config.yaml"))
    runs = [path for path in found if config_of(path).get("task") == task]
    if not runs:
        raise UserError(f"{folder}: no run of model={task} there, or its .hydra folder is gone")
    return runs


def config_of(folder: Path) -> DictConfig:
    path = folder / ".hydra" / "config.yaml"
    try:
        config = OmegaConf.load(path)
    except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path}: cannot be read ({type(error).__name__})") from error
    if not isinstance(config, DictConfig):
        raise UserError(f"{path}: is no config of a run")
    return config


def open_run(folder: Path, task: str, checkpoint: str, device: str, advice: str) -> VolumeRun:
    """A run with its checkpoint and the scans of the part that it was kept from.

    Args:
        folder: As train.py left it.
        task: The model's.
        checkpoint: "best" or "last".
        device: As predict.py has it.
        advice: What to do where the run's data keeps no scans.

    Raises:
        UserError: Something of it is gone, or the scans have changed since.
    """
    config = config_of(folder)
    model = load_model(folder / "checkpoints" / f"{checkpoint}.ckpt", best_device(device), task=task)
    config[task] = model.config  # the run's own, with what has come since then filled in
    data = instantiate(config.data, _convert_="object")
    if isinstance(data, PhantomData):
        data.write()
        data = data.inner
    if not isinstance(data, VolumeData):
        raise UserError(f"{folder}: learnt from {type(data).__name__}, which keeps no scans; {advice}")
    data.setup("fit")
    part = "test" if data.split.test else "val"
    _refuse_other_split(folder, data, part)
    ids = set(getattr(data.split, part))
    return VolumeRun(folder, config, model, data, part, [case for case in data.cases() if case.id in ids])


def named_apart(runs: Sequence[VolumeRun]) -> list[str]:
    """The runs' names; those that several runs share get the folder's name behind them."""
    names = [run.name for run in runs]
    return [
        name if names.count(name) == 1 else f"{name} ({run.folder.name})"
        for run, name in zip(runs, names, strict=True)
    ]


def _refuse_other_split(folder: Path, data: VolumeData, part: str) -> None:
    """Scans that have come or gone since the training move others to another part."""
    path = folder / "split.json"
    if not path.is_file():
        raise UserError(f"{path} is not there, so which scans the run has not seen is not known")
    if sorted(json.loads(path.read_text())[part]) != sorted(getattr(data.split, part)):
        raise UserError(f"{path} names other {part} scans than {data.root} has now; restore that folder")
