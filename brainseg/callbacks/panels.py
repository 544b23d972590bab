"""Pictures and a table of validation cases, while the run goes on."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from brainseg.callbacks.chosen_cases import ChosenCases, named
from brainseg.callbacks.loggers import CaseTable, dashboards
from brainseg.callbacks.loggers.dashboard import MOST_CASES
from brainseg.callbacks.warn_once import WarnOnce
from brainseg.files.atomic import writing
from brainseg.reporting.previews import draw_previews
from brainseg.tasks.preview import ScoredCase


class Panels(pl.Callback):
    """Writes folder/epoch_012.png, the worst and the best cases, and folder/epoch_012.csv, all of them.

    A module tells of each case that it validates by `on_case`, where it has one. W&B, TensorBoard and MLflow
    get both as well; W&B has the masks as overlays to switch on and off.

    Args:
        folder: Where they go.
        every_n_epochs: Epoch 0 is shown, then each n-th.
        samples: How many scans or slices a picture shows: half of them the worst, half the best, evenly of
            the true classes.
    """

    def __init__(self, folder: str | Path, every_n_epochs: int, samples: int) -> None:
        self.folder = Path(folder)
        self.every_n_epochs = every_n_epochs
        self.samples = samples
        self._chosen = ChosenCases(samples)
        self._cases: list[ScoredCase] = []
        self._failures = WarnOnce()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._chosen, self._cases = ChosenCases(self.samples), []
        module: Any = pl_module
        module.on_case = self._take if self._is_due(trainer) else None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module: Any = pl_module
        module.on_case = None
        if not self._cases:
            return
        stem = self.folder / f"epoch_{trainer.current_epoch:03d}"
        names = _names(trainer)
        with self._failures.within("panels"):
            previews = [named(one, _name(names, one.case.index)) for one in self._chosen.shown()]
            has_masks = any(one.truth is not None for one in previews)
            classes = tuple(module.preview_classes) if has_masks else ()
            draw_previews(previews, stem.with_suffix(".png"), classes)
            for board in dashboards(trainer):
                board.show_previews(previews, classes, trainer.global_step)
        with self._failures.within("the table of cases"):
            table = case_table(self._cases, names)
            _write(table, stem.with_suffix(".csv"))
            for board in dashboards(trainer):
                board.show_cases(table, trainer.current_epoch, trainer.global_step)

    def _take(self, make: Callable[[], ScoredCase]) -> None:
        with self._failures.within("panels"):
            case = make()
            self._cases.append(case)
            self._chosen.offer(case)

    def _is_due(self, trainer: pl.Trainer) -> bool:
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        return trainer.is_global_zero and fitting and trainer.current_epoch % self.every_n_epochs == 0


def case_table(cases: list[ScoredCase], names: list[str]) -> CaseTable:
    """The cases with their names, the worst first; of very many the worst."""
    ordered = sorted(cases, key=lambda case: (case.score, case.index))[:MOST_CASES]
    rows = [(_name(names, case.index), *case.values.values()) for case in ordered]
    return CaseTable(("case", *ordered[0].values), rows)


def _names(trainer: pl.Trainer) -> list[str]:
    """What the cases of the validation part are called, in its order; none where the data names none."""
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    return list(data.split.val) if hasattr(data, "split") else []


def _name(names: list[str], index: int) -> str:
    return names[index] if index < len(names) else f"case {index}"


def _write(table: CaseTable, path: Path) -> None:
    with writing(path) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows([table.columns, *table.rows])
