"""Images in memory, written to files: so the code that reads and checks all others reads them too."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from brainseg.config.errors import ImageError, UserError

AnyPath = str | os.PathLike[str]
InMemory = SpatialImage | NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]


def is_path(image: object) -> bool:
    return isinstance(image, str | os.PathLike)


@contextmanager
def called(names: Mapping[str, str]) -> Iterator[None]:
    """Errors within say `names[text]` for each text: a temporary file means nothing to the caller."""
    try:
        yield
    except UserError as error:
        said = told = str(error)
        for text, name in names.items():
            said = said.replace(text, name)
        if said == told:
            raise
        raise type(error)(said) from None


def stored(image: InMemory, path: Path, *, spacing_mm: tuple[float, float, float] | None = None) -> Path:
    """The file of an image: what is in memory is written to `path`, which ends with .nii.

    Args:
        image: A nibabel image; an array (X, Y, Z) with its affine (4, 4) in mm, RAS positive; or an array
            alone, which needs `spacing_mm`.
        path: Where it is written.
        spacing_mm: Voxel size along X, Y and Z.

    Raises:
        ImageError: It is none of these, or no volume of numbers.
    """
    if isinstance(image, np.ndarray):
        if spacing_mm is None:
            raise ImageError(
                f"{path}: an array {image.shape} has no voxel size; give (array, affine), a nibabel image or "
                "a path, or spacing_mm=(x, y, z) where the function takes it"
            )
        image = (image, _affine_of(spacing_mm))
    if isinstance(image, tuple | list) and len(image) == 2:
        image = nib.Nifti1Image(_voxels(image[0], path), _affine(image[1], path))
    if not isinstance(image, SpatialImage):
        raise ImageError(
            f"{path}: an image of type {type(image).__name__} cannot be used; give a path, a nibabel image "
            "or (array, affine)"
        )
    if image.ndim != 3 and image.shape[3:] != (1,) * (image.ndim - 3):
        raise ImageError(f"{path}: the image has shape {image.shape}; give one volume (X, Y, Z)")
    nib.save(image, path)
    return path


def _affine_of(spacing_mm: Any) -> NDArray[np.float64]:
    sides = np.atleast_1d(spacing_mm)
    if sides.shape != (3,) or not (np.isfinite(sides) & (sides > 0)).all():
        raise ImageError(f"spacing_mm={spacing_mm} must be three positive numbers (x, y, z)")
    return np.diag([*sides, 1.0])


def _affine(given: Any, path: Path) -> NDArray[np.float64]:
    try:
        affine = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        affine = np.empty(0)
    if affine.shape != (4, 4):
        raise ImageError(f"{path}: the affine has shape {np.shape(given)}; give a matrix (4, 4)")
    if not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
        raise ImageError(f"{path}: the affine cannot be inverted; give the affine of the scan")
    return affine


def _voxels(given: Any, path: Path) -> NDArray[Any]:
    """Voxels of a type that NIfTI has: bool becomes uint8, 64-bit whole numbers int32 or float64."""
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise ImageError(
            f"{path}: voxels of type {array.dtype} cannot be used; give whole or decimal numbers"
        )
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return array.astype(np.uint8)
    if kind in "iu":
        small = array.astype(np.int32)
        return array if size < 8 else small if np.array_equal(small, array) else array.astype(np.float64)
    return array if size in (4, 8) else array.astype(np.float32 if size == 2 else np.float64)
