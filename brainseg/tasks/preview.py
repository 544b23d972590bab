"""What a model has to show for a scan: pictures with truth and guess. Draws nothing itself."""

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
