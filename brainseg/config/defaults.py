"""Values of conf/ for code that no command line configures."""

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from brainseg.config.check import as_section
from brainseg.config.folder import conf_dir
from brainseg.config.prediction import ChooseConfig, VoteConfig, WindowConfig
from brainseg.config.record import plain

_OF_A_COMMAND = ("hydra", "defaults", "input", "output")  # keys of conf/predict.yaml


def default_window() -> WindowConfig:
    """The sliding window of conf/predict.yaml."""
    return as_section(WindowConfig, plain(_values().window))


def default_vote() -> VoteConfig:
    """The vote on the tumour type of conf/predict.yaml."""
    return as_section(VoteConfig, plain(_values().vote))


def default_choose() -> ChooseConfig:
    """How conf/choose.yaml chooses between scans that claim one sequence."""
    return as_section(ChooseConfig, plain(_values("choose").choose))


def choices_of(program: str) -> set[str]:
    """The folders of conf/ of which conf/PROGRAM.yaml chooses a file; any launcher may be chosen too."""
    listed: Any = OmegaConf.to_container(_values(program).defaults)
    named = [pair for one in listed if isinstance(one, dict) for pair in one.items()]
    return {key.removeprefix("override ") for key, file in named if isinstance(file, str)} | {
        "hydra/launcher"
    }


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an earlier prediction, with the values of conf/ for keys that are newer than it.

    Limits of gates that are no more are left out. Nothing in the settings is looked up: a ${...} in them
    stays the text that it is.
    """
    conf: Any = OmegaConf.merge(_values("choose"), _values())
    defaults = {str(name): plain(conf[name]) for name in conf if name not in _OF_A_COMMAND}
    defaults |= {group: plain(_values(f"{group}/default")) for group in ("pipeline", "gates")}
    filled = _filled(defaults, values)
    if isinstance(gates := filled.get("gates"), Mapping):  # those that are no more judge nothing
        filled["gates"] = {name: limits for name, limits in gates.items() if name in defaults["gates"]}
    return filled


def _filled(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: (defaults[name], values[name]) for name in defaults.keys() & values.keys()}
    inner = {
        name: _filled(default, value)
        for name, (default, value) in both.items()
        if isinstance(default, Mapping) and isinstance(value, Mapping)
    }
    return {**defaults, **values, **inner}


def _values(name: str = "predict") -> Any:
    return OmegaConf.load(conf_dir() / f"{name}.yaml")
