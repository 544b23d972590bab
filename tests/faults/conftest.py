"""Runs of a tiny segmenter that are stopped, and what must be the same in the end."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException

from brainseg.config import PredictConfig, check_predict, conf_dir, register_schemas
from brainseg.phantom import write_cohort
from brainseg.tasks import TaskModule

from . import kills

NOTHING_BUT_OTSU = ("skullstripper=otsu", "segmenter=null", "montage=false", "page=false", "gates=none")


class Killed(Exception):
    """In the place of a SIGKILL: nothing of ours hears of it."""


@dataclass
class Runs:
    """Trainings below one folder that share their phantoms and prepared scans."""

    root: Path

    def config(self, folder: str, *overrides: str, real_files: bool = False) -> DictConfig:
        register_schemas()
        paths = [f"paths.run={self.root / folder}", f"paths.data={self.root / 'data'}"]
        data = () if real_files else kills.PHANTOMS
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return compose("train", [*kills.RUN, *data, *paths, "test=false", *overrides])

    def train(self, folder: str, *overrides: str, real_files: bool = False) -> None:
        from brainseg.training.train import train

        train(self.config(folder, *overrides, real_files=real_files))

    def last(self, folder: str) -> Path:
        return self.root / folder / "checkpoints" / "last.ckpt"

    def end(self, folder: str) -> dict[str, Any]:
        return kills.ending(self.root / folder)


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def straight(runs) -> Callable[..., dict[str, Any]]:
    """What a run with some settings leaves that is never stopped; each is trained once."""
    done: dict[tuple[str, ...], dict[str, Any]] = {}

    def _straight(*settings: str) -> dict[str, Any]:
        if settings not in done:
            folder = f"straight_{len(done)}"
            runs.train(folder, *settings)
            done[settings] = runs.end(folder)
        return done[settings]

    return _straight


@pytest.fixture
def stop_at(monkeypatch) -> Callable[..., None]:
    """Let the next run be stopped at a batch of an epoch, or at the first scan of its validation."""

    def _stop_at(how: str, epoch: int, batch: int | None) -> None:
        hook = "on_validation_batch_start" if batch is None else "on_train_batch_start"
        before = getattr(TaskModule, hook)

        def stopping(module: Any, data: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
            more = (dataloader_idx,) if batch is None else ()
            if not stopping.done and (module.current_epoch, batch_idx) == (epoch, batch or 0):
                stopping.done = True
                if how == "kill":
                    raise Killed
                os.kill(os.getpid(), signal.SIGTERM)
            return before(module, data, batch_idx, *more)

        stopping.done = False
        monkeypatch.setattr(TaskModule, hook, stopping)

    return _stop_at


@pytest.fixture
def stopped() -> tuple[type[BaseException], ...]:
    """What comes out of a run that was stopped."""
    return Killed, SIGTERMException


@pytest.fixture
def differing() -> Callable[[Any, Any], list[str]]:
    return lambda one, other: list(kills.differing(one, other))


@pytest.fixture(scope="session")
def coarse_heads(tmp_path_factory) -> Path:
    """A healthy head and one with a glioma at 5 mm, four sequences each; only to be read."""
    folder = tmp_path_factory.mktemp("heads") / "bids"
    write_cohort(folder, layout="bids", subjects=2, seed=77, spacing_mm=5.0, types=["glioma", "notumor"])
    return folder


@pytest.fixture
def predict_options(tmp_path) -> Callable[..., PredictConfig]:
    """The options of `predict input=SOURCE output=tmp_path/out` with Otsu alone, and overrides."""

    def _options(source: Path, *overrides: str) -> PredictConfig:
        register_schemas()
        given = {override.split("=")[0] for override in overrides}
        fixed = [f"input={source}", f"output={tmp_path / 'out'}", "device=cpu", *NOTHING_BUT_OTSU]
        kept = [one for one in fixed if one.split("=")[0] not in given]
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return check_predict(compose("predict", [*kept, *overrides]))

    return _options
