"""Pictures of validation scans with truth and guess, while the run goes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger

from brainseg.callbacks.warn_once import WarnOnce
from brainseg.reporting.grey import to_grey
from brainseg.reporting.previews import draw_previews
from brainseg.tasks.preview import Preview


class Panels(pl.Callback):
    """Writes what `module.previews(batch)` shows of the first validation batches to folder/epoch_012.png.

    The classes of the masks are named by `module.preview_classes`, background first. With a WandbLogger the
    pictures go to W&B too, with the masks as overlays to switch on and off.

    Args:
        folder: Where the pictures go.
        every_n_epochs: Epoch 0 is drawn, then each n-th.
        samples: How many scans or slices a picture shows.
    """

    def __init__(self, folder: str | Path, every_n_epochs: int, samples: int) -> None:
        self.folder = Path(folder)
        self.every_n_epochs = every_n_epochs
        self.samples = samples
        self._previews: list[Preview] = []
        self._failures = WarnOnce()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._previews = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        missing = self.samples - len(self._previews)
        if missing <= 0 or not self._is_due(trainer):
            return
        with self._failures.within("panels"), trainer.precision_plugin.val_step_context():
            module: Any = pl_module
            self._previews += module.previews(batch)[:missing]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._previews:
            return
        with self._failures.within("panels"):
            classes = _classes(pl_module, self._previews)
            draw_previews(self._previews, self.folder / f"epoch_{trainer.current_epoch:03d}.png", classes)
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    _log_to_wandb(logger, self._previews, classes, trainer.global_step)

    def _is_due(self, trainer: pl.Trainer) -> bool:
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        return trainer.is_global_zero and fitting and trainer.current_epoch % self.every_n_epochs == 0


def _classes(module: Any, previews: list[Preview]) -> tuple[str, ...]:
    has_masks = any(p.truth is not None or p.guess is not None for p in previews)
    return tuple(module.preview_classes) if has_masks else ()


def _log_to_wandb(logger: WandbLogger, previews: list[Preview], classes: tuple[str, ...], step: int) -> None:
    labels = dict(enumerate(classes))
    pictures = [np.uint8(255 * to_grey(preview.image)) for preview in previews]
    captions = [preview.caption for preview in previews]
    if classes:
        masks = [_wandb_masks(preview, labels) for preview in previews]
        logger.log_image("panels", pictures, step=step, caption=captions, masks=masks)
    else:
        logger.log_image("panels", pictures, step=step, caption=captions)


def _wandb_masks(preview: Preview, labels: dict[int, str]) -> dict[str, dict[str, Any]]:
    masks = {"truth": preview.truth, "guess": preview.guess}
    return {
        name: {"mask_data": np.ascontiguousarray(mask, dtype=np.uint8), "class_labels": labels}
        for name, mask in masks.items()
        if mask is not None
    }
