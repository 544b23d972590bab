"""An array of voxels and where it lies in the world: the two things every image here consists of."""

# mypy: allow-untyped-calls
# (nibabel is partly untyped)

from dataclasses import dataclass
from itertools import product
from typing import Any, Optional

import nibabel as nib
import numpy as np
from nibabel import orientations
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.config.errors import GeometryError
from brainseg.images.size_limits import by, refuse_too_many

Spacing = tuple[float, float, float]
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels lie in the world.

    Attributes:
        shape: Voxels along the three axes as stored.
        affine: (4, 4), voxel index to world coordinates in mm, right-anterior-superior positive.
        header: The header that the grid was read from: q-form and s-form, their codes and the unit, written
            back as they are. None for a grid that we made. Both codes 0 means that the file does not say
            where the head lies: the affine is then nibabel's guess from the voxel size, left and right
            unknown.
    """

    shape: Shape
    affine: NDArray[np.float64]
    header: Optional[nib.Nifti1Header] = None

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def spacing_mm(self) -> Spacing:
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel; less than the product of its sides where the axes are not at right angles."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000

    @property
    def orientation(self) -> str:
        """The direction of each axis, e.g. "LPS"; for an oblique scan the nearest ones."""
        return "".join(str(code) for code in nib.aff2axcodes(self.affine))

    @property
    def placed(self) -> bool:
        """Whether the file says where the head lies (a form code above 0); True for a grid that we made."""
        return self.header is None or int(self.header["sform_code"]) + int(self.header["qform_code"]) > 0

    def difference(self, other: "Grid", tolerance_mm: float = 0.01) -> str | None:
        """One phrase: what differs from the other grid and how far; None if the same.

        Grids are the same when their shapes are equal and no corner lies further apart than the tolerance.
        """
        if self.shape != other.shape:
            return f"shape {by(self.shape)} against {by(other.shape)}"
        apart_mm = float(np.linalg.norm(self.corners_mm() - other.corners_mm(), axis=1).max())
        if apart_mm <= tolerance_mm:
            return None
        if self.orientation != other.orientation:
            return f"orientation {self.orientation} against {other.orientation}"
        if not np.allclose(self.spacing_mm, other.spacing_mm, atol=tolerance_mm / max(self.shape)):
            return f"voxel size {_mm(self.spacing_mm)} against {_mm(other.spacing_mm)}"
        kind = "shifted" if np.allclose(self.affine[:3, :3], other.affine[:3, :3], atol=1e-5) else "rotated"
        return f"{kind}: corners lie up to {apart_mm:.3g} mm apart"

    def corners_mm(self) -> NDArray[np.float64]:
        """(8, 3): the centres of the corner voxels in the world."""
        corners = np.array(list(product(*((0, n - 1) for n in self.shape))), dtype=np.float64)
        return np.asarray(nib.affines.apply_affine(self.affine, corners), dtype=np.float64)


@dataclass(frozen=True)
class Remark:
    """What a reader met in a file, and what it did, for a person to read.

    Attributes:
        sentence: Without the file's name, which who passes it on knows.
        doubts_header: Whether the header may be wrong about sizes or places, so that a person should look.
        assumes_size: Whether the file holds no voxel size, and its reader has assumed a usual one.
    """

    sentence: str
    doubts_header: bool = True
    assumes_size: bool = False


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels (C, X, Y, Z) on a grid; X, Y, Z are the axes as stored, along R, A, S only after `to_ras`.

    Attributes:
        remarks: What its reader met in the file; none for a volume that we made.
    """

    data: NDArray[Any]
    grid: Grid
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        if self.data.ndim != 4 or self.data.shape[1:] != self.grid.shape:
            raise GeometryError(
                f"an array {by(self.data.shape)} does not lie on a grid {by(self.grid.shape)}; "
                "a volume is (C, X, Y, Z)"
            )


def to_ras(volume: Volume) -> Volume:
    """The same voxels with the axes nearest to right, anterior, superior: flips and transposes only.

    The array is a view where numpy allows it; the grid has no header, as it is no longer the file's.
    """
    turns = orientations.io_orientation(volume.grid.affine)
    return Volume(_reoriented(volume.data, turns), ras_grid(volume.grid))


def ras_grid(grid: Grid) -> Grid:
    """The grid that `to_ras` gives a volume on this grid."""
    turns = orientations.io_orientation(grid.affine)
    shape = [0, 0, 0]
    for axis, (target, _) in enumerate(turns):
        shape[int(target)] = grid.shape[axis]
    return Grid((shape[0], shape[1], shape[2]), grid.affine @ orientations.inv_ornt_aff(turns, grid.shape))


def from_ras(data: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The array (C, X, Y, Z) of `to_ras` back in the axes of the stored grid."""
    wanted = orientations.io_orientation(grid.affine)
    ras = np.array([[0, 1], [1, 1], [2, 1]])
    return _reoriented(data, orientations.ornt_transform(ras, wanted))


def resample_to(volume: Volume, grid: Grid, *, nearest: bool) -> Volume:
    """The volume at the voxels of another grid, found by world coordinates; 0 outside its field of view.

    The field of view ends half a voxel beyond the outer voxel centres; in that rim the outer voxel's
    value holds.

    Args:
        volume: (C, X, Y, Z), any orientation.
        grid: Where values are wanted.
        nearest: Take the nearest voxel, as labels need; otherwise interpolate linearly, without
            smoothing first.

    Raises:
        ImageError: The other grid is larger than any of a head.
    """
    if volume.grid.difference(grid, tolerance_mm=1e-4) is None:
        return Volume(volume.data, grid)
    refuse_too_many(
        grid.shape,
        f"a scan of voxels of {_mm(volume.grid.spacing_mm)} would be resampled to",
        "resample it to larger voxels first",
    )
    matrix = np.linalg.inv(volume.grid.affine) @ grid.affine  # wanted voxel -> stored voxel
    # "constant" gives 0 at index -1e-15; the grid modes look half a voxel further, which also forgives
    # rounding.
    inside = _sample(np.ones(volume.grid.shape, np.uint8), matrix, grid.shape, 0, "grid-constant")
    mode = "grid-constant" if nearest else "nearest"
    channels = np.empty((len(volume.data), *grid.shape), dtype=volume.data.dtype)
    for channel, out in zip(volume.data, channels, strict=True):
        sampled = _sample(channel, matrix, grid.shape, 0 if nearest else 1, mode)
        np.multiply(sampled, inside, out=out, casting="unsafe")
    return Volume(channels, grid)


def _sample(image: NDArray[Any], matrix: NDArray[Any], shape: Shape, order: int, mode: str) -> NDArray[Any]:
    sampled = ndimage.affine_transform(
        image, matrix[:3, :3], matrix[:3, 3], output_shape=shape, order=order, mode=mode
    )
    return np.asarray(sampled)


def _reoriented(data: NDArray[Any], turns: NDArray[Any]) -> NDArray[Any]:
    """(C, X, Y, Z) with its last three axes turned; row i of turns: where axis i goes, and -1 if flipped."""
    flips = tuple(slice(None, None, -1 if flip < 0 else 1) for _, flip in turns)
    order = np.argsort(turns[:, 0])
    return data[(slice(None), *flips)].transpose(0, *(int(axis) + 1 for axis in order))


def _mm(spacing_mm: Spacing) -> str:
    return " x ".join(f"{s:.6g}" for s in spacing_mm) + " mm"
