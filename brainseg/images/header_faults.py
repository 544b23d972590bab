"""What in a NIfTI header contradicts itself, or leaves open where the head lies and how large it is.

A header gives the voxel size twice, in `pixdim` and by the columns of the s-form, and the place of the head
twice, by the q-form (a rotation, with `pixdim`) and by the s-form (any matrix). As in nibabel, the s-form is
used where its code is above 0, so volumes are only as right as it is. Source of the fields: nifti1.h.
"""

# mypy: allow-untyped-calls
# (nibabel is partly untyped)

from collections.abc import Iterator

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from brainseg.images.size_limits import by
from brainseg.images.volume import Grid, Remark

SIZE_TOLERANCE = 0.01  # of the voxel size; stored twice as float32, or once rounded to some digits
RIGHT_ANGLE = 0.005  # cosine of two axes: 0.3 degrees, about 1 mm over a head
SAME_PLACE_MM = 1.0
UNPLACED = (
    "the header does not say where the head lies ({}): its axes are taken to run from right to left, back to "
    "front and feet to head, so left and right may be exchanged; convert the scan again from DICOM"
)

Affine = NDArray[np.float64]


def faults_of(header: nib.Nifti1Header, shape: tuple[int, int, int], unit_mm: float) -> list[Remark]:
    """Each fault in a sentence; none for a header that is in order.

    Args:
        header: Whose affine is finite and does not lie in a plane.
        shape: Voxels along each axis.
        unit_mm: Length of the header's unit.
    """
    sform, qform = _form(header, "sform"), _form(header, "qform")
    if sform is None and qform is None:
        return [Remark(UNPLACED.format("an Analyze file, or qform_code and sform_code are 0"))]
    if sform is None:
        return []
    shape_faults = [*_of_size(header, sform, unit_mm), *_of_angles(sform)]
    if qform is None:
        return shape_faults
    return [*shape_faults, *_of_two_forms(sform, qform, shape, unit_mm, has_faults=bool(shape_faults))]


def _form(header: nib.Nifti1Header, name: str) -> Affine | None:
    """The matrix (4, 4) of a form, where its code is above 0; None for a q-form that is no rotation."""
    if int(header[f"{name}_code"]) <= 0:
        return None
    try:
        matrix = np.asarray(getattr(header, f"get_{name}")(), dtype=np.float64)
    except Exception:  # nibabel refuses a quaternion that is none with several types
        return None
    return matrix if np.isfinite(matrix).all() else None


def _of_size(header: nib.Nifti1Header, sform: Affine, unit_mm: float) -> Iterator[Remark]:
    told = np.asarray(header["pixdim"][1:4], dtype=np.float64)  # positive: reading has mended others
    used = np.linalg.norm(sform[:3, :3], axis=0)
    if np.abs(used / told - 1).max() > SIZE_TOLERANCE:
        sizes = by((told * unit_mm).tolist()), by((used * unit_mm).tolist())
        yield Remark(
            f"the header gives two voxel sizes, {sizes[0]} mm (pixdim) and {sizes[1]} mm (s-form, which is "
            f"used); if pixdim is right, volumes come out {np.prod(used / told):.3g} times as large as they "
            "are; correct the one that is wrong"
        )


def _of_angles(sform: Affine) -> Iterator[Remark]:
    axes = sform[:3, :3] / np.linalg.norm(sform[:3, :3], axis=0)
    cosine = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if cosine > RIGHT_ANGLE:
        degrees = np.degrees(np.arccos(min(cosine, 1.0)))
        yield Remark(
            f"the s-form of the header is sheared: two of its axes meet at {degrees:.3g} degrees and not at "
            "90, which no later step allows for, so sizes and shapes may be wrong; resample the scan to a "
            "grid with right angles"
        )


def _of_two_forms(
    sform: Affine,
    qform: Affine,
    shape: tuple[int, int, int],
    unit_mm: float,
    *,
    has_faults: bool,
) -> Iterator[Remark]:
    """Where the forms disagree; nibabel gives files code 2 unasked, so codes do not say that it is meant."""
    one, other = Grid(shape, sform), Grid(shape, qform)
    apart_mm = float(np.linalg.norm(one.corners_mm() - other.corners_mm(), axis=1).max()) * unit_mm
    if apart_mm <= SAME_PLACE_MM:
        return
    if one.orientation != other.orientation:
        yield Remark(
            f"the header gives two orientations, {one.orientation} (s-form, which is used) and "
            f"{other.orientation} (q-form), so left and right or up and down may be exchanged; correct the "
            "one that is wrong"
        )
    elif not has_faults:  # else the q-form, which can be neither scaled nor sheared, must differ
        yield Remark(
            f"the header places the head twice, by the s-form (which is used) and by the q-form, up to "
            f"{apart_mm:.3g} mm apart; check that the sequences lie on each other, and correct the form that "
            "is wrong"
        )
