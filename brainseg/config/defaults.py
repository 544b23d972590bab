"""Values of conf/ for code that no command line configures."""

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from brainseg.config.check import as_section
from brainseg.config.folder import conf_dir
from brainseg.config.prediction import ChooseConfig, WindowConfig
from brainseg.config.record import plain


def default_window() -> WindowConfig:
    """The sliding window of conf/predict.yaml."""
    return as_section(WindowConfig, plain(_values().window))


def default_choose() -> ChooseConfig:
    """How conf/choose.yaml chooses between scans that claim one sequence."""
    return as_section(ChooseConfig, plain(_values("choose").choose))


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an earlier prediction, with the values of conf/ for keys that are newer than it."""
    conf: Any = OmegaConf.merge(_values("choose"), _values())
    for name in ("hydra", "defaults", "input", "output"):
        del conf[name]
    for group in ("pipeline", "gates"):
        conf[group] = _values(f"{group}/default")
    merged: dict[str, Any] = plain(OmegaConf.merge(conf, dict(values)))
    return merged


def _values(name: str = "predict") -> Any:
    return OmegaConf.load(conf_dir() / f"{name}.yaml")
