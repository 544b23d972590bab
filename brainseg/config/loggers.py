"""What is known to fail of the loggers before anything is loaded: a missing package, a wrong value."""

from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig

from brainseg.config.errors import ConfigError

KEPT_MODELS: dict[Any, tuple[str, ...]] = {False: (), "best": ("best",), True: ("best", "last")}
_MEND = {
    "wandb": "pip install wandb",
    "tensorboard": 'pip install "brainseg[tensorboard]"',
    "mlflow": 'pip install "brainseg[mlflow]"',
}


def check_loggers(cfg: DictConfig) -> None:
    """Refuse a logger whose package is not installed, or whose `log_model` is no such choice.

    Raises:
        ConfigError: The message names the logger and the mend.
    """
    for name in cfg.logger or {}:
        settings = cfg.logger[name]
        if settings is None:
            continue
        if name in _MEND and find_spec(name) is None:
            raise ConfigError(f"logger={name}: the package {name} is not installed; {_MEND[name]}")
        kept = settings.get("log_model", False)
        if not isinstance(kept, bool | str) or kept not in KEPT_MODELS:
            raise ConfigError(f"logger.{name}.log_model takes true, best or false, got {kept}")
