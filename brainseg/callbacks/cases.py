"""cases.csv: what each validation case scored in the best epoch, and each test case in the end."""

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from brainseg.callbacks.best import Best
from brainseg.files.atomic import writing
from brainseg.metrics.cases import score_intervals
from brainseg.runs.cases import CASES, ScoredCase, write_cases
from brainseg.tasks import Classifier, TaskModule, VolumeClassifier


class CaseScores(pl.Callback):
    """Writes cases.csv, and scores.json of the part that is scored after training.

    The rows of the validation part are those of the best checkpoint. scores.json of a classifier, which has
    more in it, is written by `SliceScores`.

    Args:
        folder: Where the files go.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not isinstance(pl_module, TaskModule) or trainer.sanity_checking:
            return
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module, "val", scored=True)
        elif trainer.state.fn == "fit" and _will_be_best(trainer):
            self._write(trainer, pl_module, "val", scored=False)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if isinstance(pl_module, TaskModule):
            self._write(trainer, pl_module, "test", scored=True)

    def _write(self, trainer: pl.Trainer, module: TaskModule, part: str, *, scored: bool) -> None:
        found = module.case_scores()
        if not trainer.is_global_zero or not found:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        names, subjects = names_and_subjects(data, part)
        n = len(found)  # fewer than the part has, where trainer.limit_*_batches says so
        rows = zip(names[:n], subjects[:n], found, strict=True)
        write_cases(self.folder / CASES, [ScoredCase(part, *row) for row in rows])
        if scored and not isinstance(module, Classifier | VolumeClassifier):
            scores = {"part": part, "n": n, **score_intervals(found)}
            with writing(self.folder / "scores.json") as temporary:
                temporary.write_text(json.dumps(scores, indent=1) + "\n")


def names_and_subjects(data: Any, part: str) -> tuple[list[str], list[str]]:
    """The cases of a part in their order, and whom each shows; a scan is its subject's only one."""
    names = data.split.as_dict()[part]
    slices = getattr(data, "parts", None)
    return names, names if slices is None else slices[part].subjects


def _will_be_best(trainer: pl.Trainer) -> bool:
    """Whether the epoch's checkpoint is about to be kept as the best; always where none is kept."""
    best = next((one for one in trainer.checkpoint_callbacks if isinstance(one, Best)), None)
    if best is None:
        return True
    current = trainer.callback_metrics.get(str(best.monitor))
    return best.check_monitor_top_k(trainer, current)
