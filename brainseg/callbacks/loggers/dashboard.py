"""What W&B, TensorBoard and MLflow have in common for the rest of brainseg."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray

from brainseg.config.loggers import KEPT_MODELS
from brainseg.reporting.grey import to_grey
from brainseg.tasks.preview import Preview

Number = int | float
MOST_CASES = 10_000  # rows of a table; of more cases the worst are shown


@dataclass(frozen=True)
class CaseTable:
    """A row for each case of a validation, the worst first; every row has the same columns."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Scored:
    """What a classifier's best checkpoint scored on the part that it is judged by.

    Args:
        part: "test" or "val".
        scores: As scores.json has them.
        truth: (N,) class indices.
        probabilities: (N, K), calibrated.
        classes: Names of the K classes.
        confusion: The confusion matrix as a picture.
    """

    part: str
    scores: Mapping[str, Any]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    classes: Sequence[str]
    confusion: Path

    def flat(self) -> dict[str, Number]:
        """Every number of scores.json: scores/accuracy, scores/accuracy/low, scores/classes/glioma/f1."""
        return dict(_flat("scores", self.scores))


@dataclass(frozen=True)
class KeptModel:
    """A checkpoint that becomes an artifact.

    Args:
        name: "best" or "last".
        path: The checkpoint.
        about: Its sha256, the hashes of the data and of the split, the monitored score.
    """

    name: str
    path: Path
    about: Mapping[str, Any]


class Dashboard:
    """Beside a Lightning logger's own duties. What a service cannot show, it leaves out.

    Args of the methods: `step` counts optimizer steps, as Lightning's loggers do.
    """

    log_model: Any = False  # a key of KEPT_MODELS

    @property
    def kept_models(self) -> tuple[str, ...]:
        """Which checkpoints become artifacts."""
        return KEPT_MODELS[self.log_model]

    def begin(self, identity: "Identity", group: str | None) -> None:
        """Before anything is logged: the run that this one goes on with, and the group that it is in."""

    def watch_best(self, monitor: str, mode: str) -> None:
        """Show the best value of the monitored metric, not its last; mode is min or max."""

    def summarise(self, values: Mapping[str, Number]) -> None:
        """What stands for the whole run in a table of runs; a later value replaces an earlier one."""

    def show_previews(self, previews: Sequence[Preview], classes: Sequence[str], step: int) -> None:
        """Pictures of one size, with masks where there are classes."""

    def show_cases(self, table: CaseTable, epoch: int, step: int) -> None:
        """The table of all cases of a validation."""

    def show_scores(self, scored: Scored) -> None:
        """All of scores.json, and charts of it."""

    def keep(self, model: KeptModel) -> None:
        """Keep a checkpoint as an artifact, with what it was made of."""

    def close(self, *, failed: bool) -> None:
        """End the run."""


@dataclass(frozen=True)
class Identity:
    """By which id a service knows this run, kept in the run's folder so that it goes on under the same one.

    Args:
        run: The id that the service gave, or None for a new run.
        file: Where ids are kept; None where the run has no folder.
    """

    run: str | None
    file: Path | None


def dashboards(trainer: pl.Trainer) -> Iterator[Dashboard]:
    """Those of a trainer's loggers that show more than curves; none in other processes than the first."""
    for logger in trainer.loggers if trainer.is_global_zero else ():
        if isinstance(logger, Dashboard):
            yield logger


def pictures_of(previews: Sequence[Preview]) -> list[NDArray[np.uint8]]:
    """Each image in grey, 0 to 255, in the middle of a black one so large that all fit in it."""
    shape = common_shape(previews)
    return [centred((255 * to_grey(preview.image)).astype(np.uint8), shape) for preview in previews]


def common_shape(previews: Sequence[Preview]) -> tuple[int, int]:
    """Height and width that every image fits in."""
    heights, widths = zip(*(preview.image.shape for preview in previews), strict=True)
    return max(heights), max(widths)


def centred(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """An image (h, w) in the middle of zeros (H, W)."""
    before = [(new - old) // 2 for new, old in zip(shape, image.shape, strict=True)]
    after = [new - old - b for new, old, b in zip(shape, image.shape, before, strict=True)]
    return np.pad(image, list(zip(before, after, strict=True)))


def _flat(name: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Number]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{name}/{key}", value)
        elif isinstance(value, int | float):
            yield (name if key == "value" else f"{name}/{key}"), value
