"""A module that trains in a blink: one weight, and a validation metric that is told in advance."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from brainseg.callbacks import Best, Last
from brainseg.tasks.preview import Preview, ScoredCase


@dataclass
class TinyConfig:
    monitor: str = "val/dice/mean"
    monitor_mode: str = "max"
    classes: list[str] = field(default_factory=lambda: ["glioma", "notumor"])


class Tiny(pl.LightningModule):
    preview_classes = ("background", "necrotic_core", "edema")

    def __init__(self, scores=(0.2, 0.6, 0.4), cases=(0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4)):
        super().__init__()
        self.on_case = None
        self.cases = cases  # the score of each validation case
        self.config = TinyConfig()
        self.scores = scores
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, _):
        loss = ((self.weight - batch[0]) ** 2).mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        for index in range(2 * batch_idx, 2 * batch_idx + len(batch[0])):
            if self.on_case is not None:
                self.on_case(lambda index=index: self.show(index, self.cases[index]))
        self.log("val/loss", ((self.weight - batch[0]) ** 2).mean())
        self.log("val/dice/mean", self.scores[self.current_epoch % len(self.scores)])

    def test_step(self, batch, batch_idx):
        self.log("test/loss", batch[0].mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def show(self, index, score):
        """A case of 16 x 16 pixels, more of them for each further case."""
        mask = np.zeros((16 + index, 16), dtype=int)
        mask[4:9, 4:9] = 2
        image = np.random.default_rng(index).random(mask.shape)
        preview = Preview(image, f"Dice {score:.2f}", truth=mask, guess=np.roll(mask, index + 1))
        return ScoredCase(index, "", score, {"dice/mean": score}, lambda: preview)


@pytest.fixture
def tiny():
    return Tiny()


@pytest.fixture
def batches():
    """Four batches of two."""
    return DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=2)


@pytest.fixture
def make_trainer(tmp_path):
    def make(*callbacks, epochs=3, logger=None, minutes=None, **settings):
        folder = tmp_path / "checkpoints"
        best = Best(folder, "best", monitor="val/dice/mean", mode="max")
        settings.setdefault(
            "enable_progress_bar", any(isinstance(c, pl.callbacks.ProgressBar) for c in callbacks)
        )
        return pl.Trainer(
            default_root_dir=tmp_path,
            max_epochs=epochs,
            accelerator="cpu",
            logger=logger or CSVLogger(tmp_path, "", ""),
            callbacks=[Last(folder, minutes), *callbacks, best],
            enable_model_summary=False,
            log_every_n_steps=1,
            **settings,
        )

    return make
