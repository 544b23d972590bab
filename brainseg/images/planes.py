"""The three planes of a head, and the one way to cut a picture out of a volume."""

from typing import Any

from numpy.typing import NDArray

# The axis of (X, Y, Z), in RAS, that the index of a slice counts along.
PLANES: dict[str, int] = {"sagittal": 0, "coronal": 1, "axial": 2}


def seen_axes(plane: str) -> tuple[int, int]:
    """The axes of (X, Y, Z) that run across and up a plane's picture."""
    across, up = (axis for axis in range(3) if axis != PLANES[plane])
    return across, up


def cut(volume: NDArray[Any], plane: str, index: int) -> NDArray[Any]:
    """One slice of a volume in radiological display, rows from top to bottom.

    Axial and coronal: the patient's right is on the left of the picture. Sagittal: the face looks left.

    Args:
        volume: (X, Y, Z), in RAS: along R, A and S.
        plane: One of `PLANES`.
        index: Along the axis that is not seen.

    Returns:
        (Y, X) for axial, (Z, X) for coronal, (Z, Y) for sagittal, both axes reversed: the first row is the
        most anterior (axial) or superior one, the first column the most right or anterior (sagittal) one.
    """
    across_up: NDArray[Any] = volume.take(index, axis=PLANES[plane])
    return across_up.T[::-1, ::-1]
