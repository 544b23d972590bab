"""What `train.py` and `predict.py` run: compose the config, check it, go; the user's errors in one line."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from brainseg.config import UserError, check, check_predict, conf_dir, explain, register_schemas
from brainseg.config.errors import USAGE_ERROR
from brainseg.terminal import say


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def _train(cfg: DictConfig) -> float:
    with _ending_in_one_line():
        check(cfg)
        from brainseg.training import train  # loads torch, so only once the config is known to be good

        return train(cfg)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="predict")
def _predict(cfg: DictConfig) -> None:
    with _ending_in_one_line():
        options = check_predict(cfg)
        from brainseg.pipeline import run

        if code := run(options):
            sys.exit(code)


@contextmanager
def _ending_in_one_line() -> Iterator[None]:
    """End a single run with the message of a UserError; a sweep goes on with its next job."""
    try:
        yield
    except (UserError, InstantiationException) as error:
        mendable = _mendable(error)
        if mendable is not None and HydraConfig.get().mode == RunMode.RUN:
            sys.exit(_said(str(mendable)))
        raise


def train_main() -> None:
    """`python train.py [key=value ...]`."""
    _one_line_errors(_train)


def predict_main() -> None:
    """`python predict.py input=PATH [key=value ...]`: exit code 0 if all passed, 3 to review, 4 failed."""
    _one_line_errors(_predict)


def _one_line_errors(main: Callable[[], Any]) -> None:
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing and exiting
    register_schemas()
    try:
        main()
    except (UserError, InstantiationException) as error:
        if (mendable := _mendable(error)) is None:
            raise
        sys.exit(_said(str(mendable)))
    except (HydraException, OmegaConfBaseException) as error:
        sys.exit(_said(explain(error)))


def _mendable(error: Exception) -> UserError | None:
    """The user's error itself, or the one that Hydra wrapped while it built an object."""
    for candidate in (error, error.__cause__):
        if isinstance(candidate, UserError):
            return candidate
    return None


def _said(message: str) -> int:
    say(f"error: {message}", error=True)
    return USAGE_ERROR
