"""TensorBoard: curves, pictures, and each run's settings beside its best scores in the tab HPARAMS."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from brainseg.callbacks.loggers.dashboard import CaseTable, Dashboard, Number, Scored, pictures_of
from brainseg.tasks.preview import Preview

SHOWN_CASES = 20  # the worst; TensorBoard has no tables to sort


class TensorBoard(Dashboard, TensorBoardLogger):
    """Lightning's TensorBoardLogger with what `Dashboard` adds; a resumed run adds to the files there.

    Args:
        folder: Where the event files go.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__(str(folder), name="", version="", default_hp_metric=False)
        self._settings: Any = {}
        self._summary: dict[str, Number] = {}

    @rank_zero_only
    def log_hyperparams(self, params: Any, metrics: Any = None, step: int | None = None) -> None:
        self._settings = params  # written with the best scores at the end, as they can be written only once

    def summarise(self, values: Mapping[str, Number]) -> None:
        self._summary |= values

    def show_previews(self, previews: Sequence[Preview], classes: Sequence[str], step: int) -> None:
        rows = [np.stack([picture] * 3, axis=-1) for picture in pictures_of(previews)]
        self.experiment.add_images("panels", np.stack(rows), step, dataformats="NHWC")
        captions = "\n".join(f"{n}. {preview.caption}" for n, preview in enumerate(previews, start=1))
        self.experiment.add_text("panels", captions, step)

    def show_cases(self, table: CaseTable, epoch: int, step: int) -> None:
        lines = [table.columns, ["---"] * len(table.columns), *table.rows[:SHOWN_CASES]]
        text = "\n".join("| " + " | ".join(map(_short, line)) + " |" for line in lines)
        self.experiment.add_text("cases", text, step)

    def show_scores(self, scored: Scored) -> None:
        self.summarise(scored.flat())
        picture = np.asarray(Image.open(scored.confusion).convert("RGB"))
        self.experiment.add_image(f"{scored.part}/confusion", picture, dataformats="HWC")
        for k, name in enumerate(scored.classes):
            self.experiment.add_pr_curve(
                f"{scored.part}/precision_recall/{name}", scored.truth == k, scored.probabilities[:, k]
            )

    def close(self, *, failed: bool) -> None:
        super().log_hyperparams(self._settings, metrics=self._summary)
        self.experiment.close()


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
