"""The models that a command line names, and whether they are there: checkpoints, runs, sweeps, weights."""

from pathlib import Path
from typing import Any

from brainseg.config.errors import CheckpointError
from brainseg.runs.config import BEST, LAST
from brainseg.runs.overrides import OVERRIDES


def refuse_no_checkpoint(path: str | Path) -> None:
    """Refuse a path that is no file.

    Raises:
        CheckpointError: There is no such file, or it is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give the checkpoint in it, such as {path / BEST}")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint; training writes {BEST} in its folder")


def checkpoints_of(given: Any) -> list[Path]:
    """The files that segmenter=... names: a checkpoint, a run's or sweep's folder, or a list of these.

    Raises:
        CheckpointError: A folder has no best checkpoint in it.
    """
    if not isinstance(given, str | Path):
        return list(dict.fromkeys(path for one in given for path in checkpoints_of(one)))
    path = Path(given)
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(f"**/{BEST}"))
    if not found:
        raise CheckpointError(f"{path} holds no run with {BEST}; give a run, a sweep or a file")
    return found


def run_and_checkpoint(path: Path) -> tuple[Path | None, Path]:
    """A run's folder, None where the checkpoint lies in none, and the checkpoint, for resume=.

    Raises:
        CheckpointError: A folder is that of no run, or holds no checkpoint.
    """
    checkpoint = path / LAST if path.is_dir() else path
    run = checkpoint.parent.parent
    if path.is_dir() and not (run / OVERRIDES).is_file():
        raise CheckpointError(
            f"{path} is no run's folder: it has no {OVERRIDES}; give the run or a checkpoint"
        )
    if path.is_dir() and not checkpoint.is_file():
        raise CheckpointError(
            f"{checkpoint}: no such checkpoint; the run was stopped before its first one, so begin it anew"
        )
    return (run if (run / OVERRIDES).is_file() else None), checkpoint
