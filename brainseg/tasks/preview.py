"""What a model has to show for a scan: pictures with truth and guess. Draws nothing itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Preview:
    """One 2D picture, rows from top to bottom, as `images.planes.cut` makes it.

    Args:
        image: (H, W), any range.
        caption: One line above the picture.
        truth: (H, W) class of each pixel, 0 background; None where the task has no masks.
        guess: The same, of the model.
        correct: Whether a guess without masks is right; None where there is nothing to be right about.
    """

    image: NDArray[Any]
    caption: str
    truth: NDArray[Any] | None = None
    guess: NDArray[Any] | None = None
    correct: bool | None = None


@dataclass(frozen=True)
class ScoredCase:
    """A scan or slice of a validation.

    Args:
        index: Its place in the part, from 0.
        group: What a choice of cases is to be even over, such as its true class; "" where there is nothing.
        score: From 0 to 1, more is better.
        values: Its row of a table, by column; each case of a part has the same columns.
        preview: Makes its picture, which only few cases need.
    """

    index: int
    group: str
    score: float
    values: Mapping[str, float | str]
    preview: Callable[[], Preview]
