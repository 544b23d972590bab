"""Values of conf/ for code that no command line configures."""

from omegaconf import OmegaConf

from brainseg.config.check import as_section
from brainseg.config.folder import conf_dir
from brainseg.config.prediction import WindowConfig
from brainseg.config.record import plain


def default_window() -> WindowConfig:
    """The sliding window of conf/predict.yaml."""
    return as_section(WindowConfig, plain(OmegaConf.load(conf_dir() / "predict.yaml").window))
