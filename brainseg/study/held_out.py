"""Runs of train.py opened again: their config, a checkpoint, and the scans that each is judged by.

A run may come from elsewhere: its config names our own data only, and nothing in it is instantiated.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg.checkpoint import load_model
from brainseg.config import UserError
from brainseg.config.choices import Blend, Flips
from brainseg.config.errors import CheckpointError
from brainseg.config.prediction import WindowConfig
from brainseg.data import PhantomData, data_of
from brainseg.data.volumes import Case, VolumeData
from brainseg.prediction.members import missing_folds
from brainseg.runs.config import CONFIG, SPLIT, read_run_config, read_split, require
from brainseg.system.device import best_device

# As conf/predict.yaml has it.
WINDOW = WindowConfig(overlap=0.5, blend=Blend.gaussian, batch_size=2, flips=Flips.none)


@dataclass(frozen=True)
class VolumeRun:
    """A run of a model of volumes, with its scans."""

    folder: Path
    config: Mapping[str, Any]
    model: Any  # of the task
    data: VolumeData
    part: str  # test, or val where there is no test part
    cases: list[Case]

    @property
    def name(self) -> str:
        return str(self.config["name"])


def runs_below(folder: Path, task: str) -> list[Path]:
    """The folders of a task's runs at or below one.

    Raises:
        UserError: There is none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give runs of model={task}, or a sweep of them")
    found = sorted(path.parent.parent for path in folder.glob(f"**/{CONFIG}"))
    runs = [path for path in found if read_run_config(path / CONFIG).get("task") == task]
    if not runs:
        raise UserError(f"{folder}: no run of model={task} there, or its .hydra folder is gone")
    return runs


def open_runs(
    folders: Sequence[Path], task: str, checkpoint: str, device: str, advice: str
) -> tuple[list[VolumeRun], list[str]]:
    """The runs in these folders, and a sentence for each whose checkpoint is not there or cannot be used.

    Args:
        folders: Runs, or sweeps of them.
        task: The models'.
        checkpoint: "best" or "last".
        device: As predict.py has it.
        advice: What to do where a run's data keeps no scans.

    Raises:
        UserError: A folder has no run, no run has its checkpoint, or something else of one is gone.
    """
    runs: list[VolumeRun] = []
    left_out: dict[Path, str] = {}
    for found in dict.fromkeys(found for folder in folders for found in runs_below(folder, task)):
        try:
            runs.append(open_run(found, task, checkpoint, device, advice))
        except CheckpointError as error:
            left_out[found] = str(error)
    if not runs:
        raise UserError("; ".join(dict.fromkeys(left_out.values())))
    said = [f"{run} is left out: {fault}" for run, fault in left_out.items()]
    return runs, [*said, *(one for folder in folders for one in _folds_missing(folder, runs, left_out))]


def _folds_missing(folder: Path, runs: Sequence[VolumeRun], left_out: Iterable[Path]) -> Iterator[str]:
    records = [run.model.provenance for run in runs if run.folder.is_relative_to(folder)]
    failed = [read_run_config(run / CONFIG) for run in left_out if run.is_relative_to(folder)]
    return missing_folds(folder, records, failed)


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
    path = folder / CONFIG
    config = read_run_config(path)
    require(config, path, {"name": str, "trainer.max_epochs": int, "data": dict})
    model = load_model(folder / "checkpoints" / f"{checkpoint}.ckpt", best_device(device), task=task)
    data = _data_of(path, config["data"], model.config)  # the run's own, with what has come since filled in
    split = _split_of(folder)
    if isinstance(data, PhantomData):
        _write_again(path, data, split)
        data = data.inner
    if not isinstance(data, VolumeData):
        raise UserError(f"{folder}: learnt from {type(data).__name__}, which keeps no scans; {advice}")
    data.setup("fit")
    part = "test" if data.split.test else "val"
    if split[part] != sorted(getattr(data.split, part)):
        raise UserError(
            f"{folder / SPLIT} names other {part} scans than {data.root} has now; restore that folder"
        )
    return VolumeRun(folder, config, model, data, part, [c for c in data.cases() if c.id in split[part]])


def distinct_names(runs: Sequence[VolumeRun]) -> list[str]:
    """The runs' names; those that several runs share get the folder's name behind them."""
    names = [run.name for run in runs]
    return [
        name if names.count(name) == 1 else f"{name} ({run.folder.name})"
        for run, name in zip(runs, names, strict=True)
    ]


def _data_of(path: Path, section: Mapping[str, Any], recipe: Any) -> Any:
    try:
        return data_of(section, recipe)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _split_of(folder: Path) -> dict[str, list[str]]:
    """The scans of each part, sorted. Scans that come or go after a training move others to another part."""
    path = folder / SPLIT
    if not path.is_file():
        raise UserError(f"{path} is not there, so which scans the run has not seen is not known")
    return {name: sorted(ids) for name, ids in read_split(path).items()}


def _write_again(path: Path, data: PhantomData, split: Mapping[str, Sequence[str]]) -> None:
    """The run's synthetic heads, where they are gone.

    Raises:
        UserError: The config asks for more than the run had: one from elsewhere could fill the disk.
    """
    asked, named = data.cohort["subjects"], sum(map(len, split.values()))
    if asked != named and not data.folder.is_dir():
        raise UserError(f"{path}: data.subjects is {asked}, but {SPLIT} names {named}; restore both")
    data.write()
