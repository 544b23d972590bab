"""Images in memory, written to files: so the code that reads and checks all others reads them too."""

import os
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from brainseg.config.errors import ImageError

Path_ = str | os.PathLike[str]
InMemory = SpatialImage | NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]


def is_path(image: object) -> bool:
    return isinstance(image, str | os.PathLike)


def stored(image: InMemory, path: Path, *, spacing_mm: tuple[float, float, float] | None = None) -> Path:
    """The file of an image: what is in memory is written to `path`, which ends with .nii.

    Args:
        image: A nibabel image; an array (X, Y, Z) with its affine (4, 4) in mm, RAS positive; or an array
            alone, which needs `spacing_mm`.
        path: Where it is written.
        spacing_mm: Voxel size along X, Y and Z.

    Raises:
        ImageError: It is none of these.
    """
    if isinstance(image, np.ndarray):
        if spacing_mm is None:
            raise ImageError(
                f"an array {image.shape} has no voxel size; give (array, affine), a nibabel image or a path, "
                "or spacing_mm=(x, y, z) where the function takes it"
            )
        image = (image, np.diag([*spacing_mm, 1.0]))
    if isinstance(image, tuple) and len(image) == 2:
        array, affine = np.asarray(image[0]), np.asarray(image[1], dtype=np.float64)
        if affine.shape != (4, 4):
            raise ImageError(f"the affine has shape {affine.shape}; it must be (4, 4)")
        image = nib.Nifti1Image(array.astype(_stored_type(array)), affine)
    if not isinstance(image, SpatialImage):
        raise ImageError(
            f"an image of type {type(image).__name__} cannot be used; give a path, a nibabel image, or "
            "(array, affine)"
        )
    nib.save(image, path)
    return path


def _stored_type(array: NDArray[Any]) -> Any:
    """A type that NIfTI has: truth values become bytes, whole numbers of 64 bits 32."""
    if array.dtype == bool:
        return np.uint8
    return np.int32 if array.dtype in (np.int64, np.uint64) else array.dtype
