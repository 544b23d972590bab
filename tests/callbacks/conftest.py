"""A module that trains in a blink: one weight, and a validation metric that is told in advance."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from brainseg.callbacks import Best, Last
from brainseg.tasks.preview import Preview


@dataclass
class TinyConfig:
    monitor: str = "val/dice/mean"
    monitor_mode: str = "max"
    classes: list[str] = field(default_factory=lambda: ["glioma", "notumor"])


class Tiny(pl.LightningModule):
    preview_classes = ("background", "necrotic_core", "edema")

    def __init__(self, scores=(0.2, 0.6, 0.4)):
        super().__init__()
        self.config = TinyConfig()
        self.scores = scores
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, _):
        loss = ((self.weight - batch[0]) ** 2).mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        self.log("val/loss", ((self.weight - batch[0]) ** 2).mean())
        self.log("val/dice/mean", self.scores[self.current_epoch % len(self.scores)])

    def test_step(self, batch, batch_idx):
        self.log("test/loss", batch[0].mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def previews(self, batch):
        mask = np.zeros((16, 16), dtype=int)
        mask[4:9, 4:9] = 2
        return [
            Preview(
                np.random.default_rng(i).random((16, 16)), f"case {i}", truth=mask, guess=np.roll(mask, i + 1)
            )
            for i in range(len(batch[0]))
        ]


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
