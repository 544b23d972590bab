"""Going on with a run: its command line, what may be given beside it, and that its subjects are the same."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from brainseg.checkpoint import read_checkpoint
from brainseg.config import FREE, ConfigError, record
from brainseg.config.arguments import PATHS, quoted
from brainseg.config.errors import CheckpointError, DataError
from brainseg.data.splits import Split
from brainseg.files.atomic import writing
from brainseg.files.plain import read_yaml
from brainseg.runs.config import LAST, SPLIT, read_split
from brainseg.runs.overrides import OVERRIDES, read_overrides, refuse_unsafe
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


def resumed_arguments(arguments: Sequence[str]) -> list[str]:
    """The command line of a run that goes on in its own folder; any other command line as it is.

    `resume=RUN`, a run's folder or a checkpoint in it, stands for all that the run was begun with. What is
    given beside goes over that.

    Raises:
        ConfigError: Several runs are asked for.
        CheckpointError: The run has no checkpoint.
    """
    given = {_key(one): one for one in arguments}
    resume = _value(given["resume"]) if "resume" in given else None
    if not isinstance(resume, str):
        return list(arguments)
    if {"-m", "--multirun"} & set(arguments):
        raise ConfigError(f"resume={resume} goes on with one run; leave out -m")
    run, checkpoint = _run_and_checkpoint(Path(resume))
    if run is None:
        return list(arguments)
    recorded = {_key(one): one for one in read_overrides(run / OVERRIDES)}
    _refuse_other_model(resume, recorded, given)
    before = [one for key, one in recorded.items() if key not in given]
    refuse_unsafe(run / OVERRIDES, before)
    began_in = _began_in(run)
    before = [_whether_there_or_not(_from_where_it_began(one, began_in)) for one in before]
    options = [one for one in arguments if _key(one) == one]  # and what belongs to them: --cfg job
    beside = [one for key, one in given.items() if key not in ("resume", one)]
    # Hydra itself would write over the folder's record before the new values are accepted.
    own = {"resume": checkpoint, "hydra.run.dir": run, "hydra.output_subdir": None, "hydra.mode": "RUN"}
    own_overrides = [f"{key}={'null' if value is None else quoted(str(value))}" for key, value in own.items()]
    return [*options, *before, *beside, *own_overrides]


def keep_command_line(cfg: DictConfig) -> None:
    """Keep what a resumed run is made of from here on in its folder, once it was accepted."""
    if cfg.resume is None or not HydraConfig.initialized():
        return
    folder = Path(HydraConfig.get().runtime.output_dir) / OVERRIDES.parent
    if not folder.is_dir():
        return
    overrides = [one for one in HydraConfig.get().overrides.task if _key(one) != "resume"]
    with writing(folder / OVERRIDES.name) as temporary:
        temporary.write_text(yaml.safe_dump(overrides), encoding="utf-8")
    with writing(folder / "config.yaml") as temporary:
        temporary.write_text(OmegaConf.to_yaml(cfg), encoding="utf-8")


def _run_and_checkpoint(path: Path) -> tuple[Path | None, Path]:
    """A run's folder, None where the checkpoint lies in none, and the checkpoint."""
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


def _began_in(run: Path) -> str:
    """The folder in which the run's command was given; this one, where that is not known."""
    try:
        return str(read_yaml(run / ".hydra" / "hydra.yaml")["hydra"]["runtime"]["cwd"])
    except (OSError, DataError, KeyError, TypeError):
        return os.getcwd()


def _from_where_it_began(override: str, folder: str) -> str:
    """A relative path as it was meant, where the run goes on from another folder."""
    key = _key(override)
    if key not in PATHS or os.path.realpath(folder) == os.getcwd():
        return override
    value = _value(override)
    return f"{key}={quoted(os.path.join(folder, value))}" if isinstance(value, str) else override


def _whether_there_or_not(override: str) -> str:
    """`+key=value` as `++key=value`: a key that the run had to add may stand in conf/ by now."""
    return f"+{override}" if re.match(r"\+[^+]", override) else override


def _refuse_other_model(resume: str, recorded: Mapping[str, str], given: Mapping[str, str]) -> None:
    theirs = _value(recorded["model"]) if "model" in recorded else "classifier"  # as conf/train.yaml has it
    ours = _value(given["model"]) if "model" in given else theirs
    if theirs != ours:
        raise ConfigError(f"resume={resume} is a run of model={theirs}, not {ours}")


def _key(argument: str) -> str:
    """What an argument sets; the argument itself where it is no key=value."""
    try:
        key: str = OverridesParser.create().parse_override(argument).key_or_group
    except HydraException:
        return argument
    return key


def _value(argument: str) -> Any:
    return OverridesParser.create().parse_override(argument).value()


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
