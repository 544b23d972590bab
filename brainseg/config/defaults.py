"""Values of conf/ for code that no command line configures."""

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


def _values(name: str = "predict") -> Any:
    return OmegaConf.load(conf_dir() / f"{name}.yaml")
