"""Runs of a tiny segmenter that are stopped, and what must be the same in the end."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import SIGTERMException

from brainseg.config import conf_dir, register_schemas
from brainseg.tasks import TaskModule

# Six training scans of which each gives two patches: six batches of two in an epoch.
RUN = [
    "model=segmenter",
    "data.val_share=0.25",
    "data.test_share=0",
    "data.workers=0",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "segmenter.net=unet",
    "segmenter.channels=[4,8]",
    "segmenter.preprocess.spacing_mm=[8,8,8]",
    "segmenter.patch=[16,16,16]",
    "segmenter.epochs=3",
    "segmenter.dropout=0.2",
]
PHANTOMS = ["data=phantom", "data.spacing_mm=8", "data.subjects=8"]


class Killed(Exception):
    """In the place of a SIGKILL: nothing of ours hears of it."""


@dataclass
class Runs:
    """Trainings below one folder that share their phantoms and prepared scans."""

    root: Path

    def config(self, folder: str, *overrides: str, real_files: bool = False) -> DictConfig:
        register_schemas()
        paths = [f"paths.run={self.root / folder}", f"paths.data={self.root / 'data'}"]
        data = [] if real_files else PHANTOMS
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return compose("train", [*RUN, *data, *paths, "test=false", *overrides])

    def train(self, folder: str, *overrides: str, real_files: bool = False) -> None:
        from brainseg.training import train

        train(self.config(folder, *overrides, real_files=real_files))

    def last(self, folder: str) -> Path:
        return self.root / folder / "checkpoints" / "last.ckpt"

    def end(self, folder: str) -> dict[str, Any]:
        """All that a run leaves: both checkpoints without what names its folder, and its table."""
        run = self.root / folder
        return {
            **{f"{name}.ckpt": _lasting(run / "checkpoints" / f"{name}.ckpt") for name in ("best", "last")},
            "metrics.csv": (run / "metrics.csv").read_text(),
        }


def _lasting(path: Path) -> dict[str, Any]:
    stored = torch.load(path, weights_only=True)
    best = next(v for k, v in stored["callbacks"].items() if k.startswith("ModelCheckpoint"))
    progress = next(v for k, v in stored["callbacks"].items() if k.startswith("Progress"))
    return {
        "weights": stored["state_dict"],
        "raw weights": stored.get("current_model_state"),
        "optimizer": stored["optimizer_states"],
        "schedule": stored["lr_schedulers"],
        "best": float(best["best_model_score"]),
        "progress": progress,
        "fitted": stored["brainseg"]["fitted"],
        "train_loss": stored["brainseg"]["train_loss"],
        "step": (stored["epoch"], stored["global_step"], stored["metrics_rows"]),
    }


def _differing(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two nested values differ by as much as a bit."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from _differing(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple) and len(one) == len(other):
        for n, pair in enumerate(zip(one, other, strict=True)):
            yield from _differing(*pair, f"{where}/{n}")
    elif not (torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other):
        yield where if isinstance(one, torch.Tensor) else f"{where}: {one!r} and {other!r}"


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
    return lambda one, other: list(_differing(one, other))
