"""Going on with a run: what may be given beside its checkpoint, and that its subjects are the same."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brainseg.checkpoint import read_checkpoint
from brainseg.config import FREE, ConfigError, record
from brainseg.config.errors import CheckpointError, DataError
from brainseg.data.splits import Split
from brainseg.runs.config import SPLIT, read_split
from brainseg.runs.position import Position, position_in


@dataclass(frozen=True)
class Resumed:
    """A run that goes on.

    Args:
        checkpoint: What it goes on from.
        run: The record of the run, as its checkpoint has it.
        position: Where it stood.
    """

    checkpoint: Path
    run: Mapping[str, Any]
    position: Position

    def recorded_split(self) -> Split | None:
        """The run's own split, where its folder still has it: rules for splits may change, a run's never."""
        try:
            split = Split(**read_split(self.checkpoint.parent.parent / SPLIT))
        except (OSError, DataError):
            return None
        return split if self.run.get("split") == split_hash(split) else None

    def refuse_other_subjects(self, split: Split) -> None:
        """Refuse a split that is not the run's: what was trained on could be validated on.

        Raises:
            DataError: Subjects have come, gone or changed places.
        """
        if self.run.get("split", split_hash(split)) == split_hash(split):
            return
        raise DataError(
            f"resume={self.checkpoint}: data.root holds other subjects than the run learnt from"
            f"{_changes(self.checkpoint, split)}; restore them, or begin a new run with "
            f"start_from={self.checkpoint}"
        )


def resumed_run(cfg: DictConfig) -> Resumed:
    """The run that `cfg.resume` is a checkpoint of.

    Raises:
        CheckpointError: It is no checkpoint, or not one to go on from.
        ConfigError: The config differs from the run's in something that may not change.
    """
    stored = read_checkpoint(cfg.resume)
    run = stored["brainseg"]["run"]
    _refuse_other_config(cfg, stored["brainseg"]["task"], run)
    try:
        position = position_in(stored["loops"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{cfg.resume} does not say where its training stood ({error})") from error
    return Resumed(Path(cfg.resume), run, position)


def split_hash(split: Split) -> str:
    """The sha256 of a split's subjects."""
    return hashlib.sha256(json.dumps(split.as_dict(), sort_keys=True).encode()).hexdigest()


def _refuse_other_config(cfg: DictConfig, task: str, run: Mapping[str, Any]) -> None:
    if task != cfg.task:
        raise ConfigError(f"resume={cfg.resume} is a run of model={task}, not {cfg.task}")
    new_run = f"or begin a new run with start_from={cfg.resume}"
    differing = list(_differing(run, record(cfg)))
    others = [one for one in differing if not _follows_from_epochs(one[0], task)]
    if others:
        key, theirs, ours = others[0]
        more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
        raise ConfigError(
            f"resume={cfg.resume}: its run has {key}={theirs}, not {ours}{more}; leave that out to go on, "
            f"{new_run}"
        )
    if differing and (len(differing) > 1 or "total_steps" in (run.get("scheduler") or {})):
        before, epochs = run[task]["epochs"], cfg[task].epochs
        raise ConfigError(
            f"resume={cfg.resume}: {task}.scheduler={cfg[task].scheduler} was laid out for {before} epochs "
            f"and cannot go on to {epochs}; leave {task}.epochs={epochs} out, {new_run}"
        )


def _follows_from_epochs(key: str, task: str) -> bool:
    return key in (f"{task}.epochs", "scheduler.T_max", "scheduler.total_iters")


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any], within: str = "") -> Iterator[Any]:
    """Each key, in both, whose value is another: (key, theirs, ours)."""
    for name in theirs:
        key = f"{within}{name}"
        if name not in ours or key in FREE:
            continue
        one, other = theirs[name], ours[name]
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differing(one, other, f"{key}.")
        elif one != other:
            yield key, one, other


def _changes(checkpoint: Path, split: Split) -> str:
    """What is other than in the run's split.json, where that can be read."""
    try:
        before = read_split(checkpoint.parent.parent / SPLIT)
    except (OSError, DataError):
        return ""
    known = {name for part in before.values() for name in part}
    now = {name for part in split.as_dict().values() for name in part}
    said = [
        f"{len(names)} {what} ({', '.join(sorted(names)[:3])})"
        for names, what in ((known - now, "gone"), (now - known, "new"))
        if names
    ]
    return f": {', '.join(said)}" if said else ""
