"""The segmenters that answer together: where their checkpoints are, and which of them are not there.

A fold that failed leaves an ensemble that looks whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from brainseg.checkpoint import load_model
from brainseg.config import UserError
from brainseg.nets import folded
from brainseg.runs.config import BEST, CONFIG, read_run_config, run_folders
from brainseg.runs.models import checkpoints_of
from brainseg.trained import Ensemble, Model, SegmenterModel

_MOST_FOLDS = 1000


def load_ensemble(given: Any, device: torch.device) -> Ensemble:
    """The segmenters in a checkpoint, a run's or sweep's folder, or a list of these."""
    members: dict[str, SegmenterModel] = {}
    for path in checkpoints_of(given):
        model = load_model(path, device, task="segmenter")
        assert isinstance(model, SegmenterModel)
        model.net = folded(model.net)
        members[str(path)] = model
    return Ensemble(members)


def missing_members(given: Any, members: Mapping[Path, Model]) -> list[str]:
    """A sentence for each run that should answer with the others and does not, or not as they do.

    Only a folder of several runs says how many there should be; a run or a file was chosen as it is.

    Args:
        given: A checkpoint, a folder, or a list of these, as segmenter=... names them.
        members: The models that were found there, by their file.
    """
    if not isinstance(given, str | Path):
        return list(dict.fromkeys(said for one in given for said in missing_members(one, members)))
    folder = Path(given)
    if not folder.is_dir() or (folder / CONFIG).is_file() or (folder / BEST).is_file():  # or one run
        return []
    own = {file: model for file, model in members.items() if file.is_relative_to(folder)}
    failed = runs_without(folder, "segmenter", BEST)
    there = f"the other {len(own)} of {folder}" if len(own) > 1 else f"the other one of {folder}"
    said = [f"{run} has no {BEST}, so it does not answer with {there}" for run in failed]
    said += list(missing_folds(folder, [model.provenance for model in own.values()], failed.values()))
    if any(model.fitted for model in own.values()):
        unfinished = [file for file, model in own.items() if not model.fitted]
        said += [
            f"{file} was not fitted to its validation scans: did its training end?" for file in unfinished
        ]
    return said


def runs_without(folder: Path, task: str, checkpoint: Path) -> dict[Path, dict[str, Any]]:
    """The runs of a task at or below a folder that have no such checkpoint, with their configs.

    One whose config cannot be read counts too, as its task is not known.
    """
    found: dict[Path, dict[str, Any]] = {}
    for run in run_folders(folder):
        if (run / checkpoint).is_file():
            continue
        try:
            config = read_run_config(run / CONFIG)
        except UserError:
            config = {"task": task}
        if config.get("task") == task:
            found[run] = config
    return found


def missing_folds(
    folder: Path, records: Sequence[Mapping[str, Any]], failed: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """A sentence where folds of a cross-validation have no run at all.

    Args:
        folder: That the runs lie in; nothing is missing where it is a run itself.
        records: What the checkpoints that are there know of their runs.
        failed: The configs of the runs that have none, which are named already.
    """
    if (folder / CONFIG).is_file():
        return
    known = [record.get("data", {}) for record in records]
    named = [config["data"].get("fold") for config in failed if isinstance(config.get("data"), dict)]
    for folds in sorted({data["folds"] for data in known if type(data.get("folds")) is int}):
        there = {data.get("fold") for data in known if data.get("folds") == folds}
        missing = [fold for fold in range(min(folds, _MOST_FOLDS)) if fold not in {*there, *named}]
        if missing:
            numbers = ", ".join(map(str, missing[:10]))
            yield f"{folder} has no model of fold {numbers} of {folds}, which is missing beside the others"
