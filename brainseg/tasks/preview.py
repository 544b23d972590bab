"""What a model has to show for a scan: pictures with truth and guess. Draws nothing itself."""

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Plane = Literal["axial", "coronal", "sagittal"]
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
# The axis of (X, Y, Z) that a plane leaves out.
AXIS: dict[Plane, int] = {"sagittal": 0, "coronal": 1, "axial": 2}


@dataclass(frozen=True)
class Preview:
    """One 2D picture, rows from top to bottom, as `cut` makes it.

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


def cut(volume: NDArray[Any], plane: Plane, index: int) -> NDArray[Any]:
    """One plane of a volume in radiological display, rows from top to bottom.

    Axial and coronal: the patient's right is on the left of the picture; sagittal: the face looks left.

    Args:
        volume: (X, Y, Z), in RAS: along R, A and S.
        plane: Which one; its name says the two axes that are seen.
        index: Along the axis that is not seen.

    Returns:
        (Y, X) for axial, (Z, X) for coronal, (Z, Y) for sagittal, both axes reversed: the first row is the
        most anterior (axial) or superior one, the first column the most right or anterior (sagittal) one.
    """
    return volume.take(index, axis=AXIS[plane]).T[::-1, ::-1]
