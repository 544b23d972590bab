"""The command line of a run that goes on: what the run was begun with, and what is given now.

It loads no torch, so that a folder that is no run's is named at once.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from brainseg.config import ConfigError
from brainseg.config.arguments import PATHS, quoted
from brainseg.config.errors import DataError
from brainseg.files.atomic import writing
from brainseg.files.plain import read_yaml
from brainseg.runs.models import run_and_checkpoint
from brainseg.runs.overrides import OVERRIDES, read_overrides, refuse_unsafe


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
    run, checkpoint = run_and_checkpoint(Path(resume))
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
