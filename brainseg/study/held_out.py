"""Runs of train.py opened again: the config, a checkpoint, and the scans that were held out of training.

A run may come from elsewhere. So only our own data classes are made from its config, and nothing else in it
is instantiated.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg.checkpoint import load_model
from brainseg.config import UserError
from brainseg.config.errors import CheckpointError
from brainseg.data import PhantomData, data_of
from brainseg.data.splits import Split
from brainseg.data.volumes import Case, VolumeData
from brainseg.prediction.members import missing_folds
from brainseg.runs.config import CONFIG, SPLIT, read_run_config, read_split, require, run_folders
from brainseg.system.device import best_device


@dataclass(frozen=True)
class VolumeRun:
    """A run of a skull stripper or a segmenter, with the scans that score it."""

    folder: Path
    config: Mapping[str, Any]
    model: Any  # a SkullStripper or a Segmenter
    data: VolumeData
    part: str  # test, or val where there is no test part
    cases: list[Case]  # of that part

    @property
    def name(self) -> str:
        return str(self.config["name"])


def runs_below(folder: Path, task: str) -> list[Path]:
    """The folders of a task's runs, at or below a folder.

    Raises:
        UserError: There is none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give runs of model={task}, or a sweep of them")
    runs = [path for path in run_folders(folder) if read_run_config(path / CONFIG).get("task") == task]
    if not runs:
        raise UserError(f"{folder}: no run of model={task} with a .hydra folder in it; give such a run")
    return runs


def open_runs(
    folders: Sequence[Path], *, task: str, checkpoint: str, device: str, advice: str
) -> tuple[list[VolumeRun], list[str]]:
    """The runs in these folders, and a sentence for each run that has no usable checkpoint.

    Args:
        folders: Runs, or sweeps of them.
        task: What the models do, e.g. "segmenter".
        checkpoint: "best" or "last".
        device: As predict.py has it.
        advice: What the user can do if a run's data keeps no scans.

    Raises:
        UserError: A folder has no run, no run has its checkpoint, or a run lacks something else.
    """
    runs: list[VolumeRun] = []
    left_out: dict[Path, str] = {}
    for found in dict.fromkeys(found for folder in folders for found in runs_below(folder, task)):
        try:
            runs.append(open_run(found, task=task, checkpoint=checkpoint, device=device, advice=advice))
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


def open_run(folder: Path, *, task: str, checkpoint: str, device: str, advice: str) -> VolumeRun:
    """A run with its checkpoint and the scans that were held out of its training.

    Args:
        folder: As train.py left it.
        task: What the model does, e.g. "segmenter".
        checkpoint: "best" or "last".
        device: As predict.py has it.
        advice: What the user can do if the run's data keeps no scans.

    Raises:
        UserError: A file of the run is missing, or the scans have changed since.
    """
    path = folder / CONFIG
    config = read_run_config(path)
    require(config, path, {"name": str, "trainer.max_epochs": int, "data": dict})
    model = load_model(folder / "checkpoints" / f"{checkpoint}.ckpt", best_device(device), task=task)
    data = _data_of(path, config["data"], model.config)  # keys that are newer than the run get their defaults
    split = _split_of(folder)
    if isinstance(data, PhantomData):
        _write_again(path, data, split)
        data = data.inner
    if not isinstance(data, VolumeData):
        raise UserError(f"{folder}: was trained on {type(data).__name__}, which keeps no scans; {advice}")
    data.recorded = Split(**split)
    data.setup("fit")
    part = "test" if data.split.test else "val"
    if split[part] != sorted(getattr(data.split, part)):
        raise UserError(
            f"{folder / SPLIT} names other {part} scans than {data.root} has now; restore that folder"
        )
    return VolumeRun(folder, config, model, data, part, [c for c in data.cases() if c.id in split[part]])


def distinct_names(runs: Sequence[VolumeRun]) -> list[str]:
    """The runs' names. A name that several runs share is followed by the folder's name."""
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
    """The scans of each part, sorted, as the run has stored them.

    They are not split anew: a scan that came or went after training would move others to another part.
    """
    path = folder / SPLIT
    if not path.is_file():
        raise UserError(f"{path} is missing; it says which scans the run was not trained on, so restore it")
    return {name: sorted(ids) for name, ids in read_split(path).items()}


def _write_again(path: Path, data: PhantomData, split: Mapping[str, Sequence[str]]) -> None:
    """Write the run's synthetic heads if they are gone.

    Raises:
        UserError: The config asks for another number than the run had. Such a config could fill the disk.
    """
    asked, named = data.cohort["subjects"], sum(map(len, split.values()))
    if asked != named and not data.folder.is_dir():
        raise UserError(f"{path}: data.subjects is {asked}, but {SPLIT} names {named}; restore both")
    data.write()
