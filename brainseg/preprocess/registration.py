"""The rigid motion that lays the head of one sequence on that of another, found by SimpleITK.

Six degrees of freedom, mutual information (Mattes et al., "PET-CT image registration in the chest using
free-form deformations", IEEE TMI 2003), from coarse to fine on copies of 2 mm. One thread and a fixed seed:
the same scans give the same bits on one machine.
"""

# mypy: allow-untyped-calls
# (nibabel is partly untyped)

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from brainseg.config import VolumePreprocess
from brainseg.config.choices import ANY, Crop, Intensity
from brainseg.images.volume import Grid, Volume
from brainseg.preprocess.volumes import Prepared, head_of, prepare_volume

SPACING_MM = 2.0  # of the copies that are compared
BRIGHTEST = 99.9  # percentile that counts as the brightest: one hot voxel would leave the rest one grey
SHRINK, SMOOTH_MM = (4, 2, 1), (4.0, 2.0, 1.0)  # of the copies, at each of three levels
SAMPLED = (1.0, 0.5, 0.1)  # share of the voxels that are looked at there
BINS = 32
SEED = 1
MOST_STEPS = 200
FIRST_STEP_MM, LAST_STEP_MM = 2.0, 0.005

# A patient does not move more than this between two scans: a larger motion is a wrong one.
FARTHEST_MM = 60.0
MOST_DEGREES = 30.0
LEAST_INFORMATION = 0.1  # nats

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK's world is left-posterior-superior positive

Matrix = NDArray[np.float64]
Three = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Registration:
    """How a sequence was moved onto the reference, or why it stays where its header places it.

    Attributes:
        matrix: (4, 4), from the world of the sequence's header to the reference's, mm.
        translation_mm: Motion of the middle of the reference's head along R, A and S.
        rotation_degrees: About R, A and S through that middle, one after the other.
        largest_mm: How far the part of the head that moved most has moved.
        information: Mutual information in nats, by the headers and once moved.
        refused: Why the motion was not applied; None where it was. The sequence then stays where its header
            places it, and the numbers above describe the motion that was found.
    """

    matrix: Matrix
    translation_mm: Three
    rotation_degrees: Three
    largest_mm: float
    information: tuple[float, float]
    refused: str | None = None

    def moved(self, grid: Grid) -> Grid:
        """Where voxels on this grid lie in the reference's world; not the file's grid any more."""
        return grid if self.refused else Grid(grid.shape, self.matrix @ grid.affine)


def register_rigidly(moving: Volume, reference: Volume) -> Registration:
    """The rigid motion that lays the head of one sequence over that of another.

    It starts where the headers put them, or with the middles of all that is bright on each other, whichever
    fits better.

    Args:
        moving: (1, X, Y, Z) in any orientation.
        reference: (1, X, Y, Z), which stays where it is.
    """
    fixed, free = _copy(reference, Crop.head), _copy(moving, Crop.none)
    head_mm = apply_affine(fixed.grid.affine, np.argwhere(head_of(fixed.image)))
    middle = (head_mm.min(axis=0) + head_mm.max(axis=0)) / 2
    pair = _Pair(fixed, free, middle)
    still = _measured(np.eye(4), head_mm, middle, (0.0, 0.0))
    try:
        with pair.one_thread():
            by_headers = pair.information(pair.still)
            found = pair.registered()
            after = pair.information(found)
    except RuntimeError as error:  # of ITK, where nothing of one image lies in the other
        return replace(
            still, refused=f"SimpleITK stopped with {str(error).strip().splitlines()[-1].strip()!r}"
        )
    motion = _measured(_matrix(found), head_mm, middle, (by_headers, after))
    if after < by_headers and motion.largest_mm < SPACING_MM:  # the header's place is the best there is
        return replace(still, information=(by_headers, by_headers))
    return replace(motion, refused=_why_refused(motion))


class _Pair:
    """Two images as SimpleITK takes them, and its registration of them."""

    def __init__(self, fixed: Prepared, moving: Prepared, middle: NDArray[np.float64]) -> None:
        import SimpleITK as sitk  # only who registers needs it

        self.sitk = sitk
        self.fixed, self.moving = self._image(fixed), self._image(moving)
        self.still = sitk.Euler3DTransform()
        self.still.SetCenter((_LPS[:3, :3] @ middle).tolist())

    def _image(self, prepared: Prepared) -> Any:
        image = self.sitk.GetImageFromArray(np.ascontiguousarray(prepared.image[0].transpose(2, 1, 0)))
        affine, spacing_mm = _LPS @ prepared.grid.affine, np.array(prepared.grid.spacing_mm)
        image.SetSpacing(spacing_mm.tolist())
        image.SetOrigin(affine[:3, 3].tolist())
        image.SetDirection((affine[:3, :3] / spacing_mm).ravel().tolist())
        return image

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """One thread for all of SimpleITK, since the order of a sum decides its last bits.

        A registration's own number of threads does not reach its metric.
        """
        process = self.sitk.ProcessObject
        threads = process.GetGlobalDefaultNumberOfThreads()
        process.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            process.SetGlobalDefaultNumberOfThreads(threads)

    def _method(self) -> Any:
        method = self.sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(BINS)
        method.SetInterpolator(self.sitk.sitkLinear)
        return method

    def information(self, motion: Any) -> float:
        """Mutual information over all voxels of the reference's head, in nats."""
        method = self._method()
        method.SetMetricSamplingStrategy(method.NONE)
        method.SetInitialTransform(self.sitk.Euler3DTransform(motion), True)
        return -float(method.MetricEvaluate(self.fixed, self.moving))

    def registered(self) -> Any:
        method = self._method()
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentagePerLevel(SAMPLED, SEED)
        method.SetShrinkFactorsPerLevel(SHRINK)
        method.SetSmoothingSigmasPerLevel(SMOOTH_MM)
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetOptimizerAsRegularStepGradientDescent(FIRST_STEP_MM, LAST_STEP_MM, MOST_STEPS)
        method.SetOptimizerScalesFromPhysicalShift()
        motion = self.sitk.Euler3DTransform(self._start())
        method.SetInitialTransform(motion, True)
        method.Execute(self.fixed, self.moving)
        return motion

    def _start(self) -> Any:
        by_middles = self.sitk.Euler3DTransform(self.still)
        apart = self._middle(self.moving) - self._middle(self.fixed)
        by_middles.SetTranslation(apart.tolist())
        return max((self.still, by_middles), key=self.information)

    def _middle(self, image: Any) -> NDArray[np.float64]:
        """The middle of all bright voxels, in ITK's world."""
        bright = self.sitk.GetArrayViewFromImage(image)
        voxel = np.array(np.nonzero(bright > bright.mean())).mean(axis=1)[::-1]  # Z Y X -> X Y Z
        return np.array(image.TransformContinuousIndexToPhysicalPoint(voxel.tolist()))


def _copy(volume: Volume, crop: Crop) -> Prepared:
    """A scan in RAS at SPACING_MM, from 0 up."""
    wanted = VolumePreprocess([ANY], [SPACING_MM] * 3, Intensity.minmax, crop)
    prepared = prepare_volume(volume, wanted)
    return replace(prepared, image=prepared.image.clip(max=np.percentile(prepared.image, BRIGHTEST)))


def _matrix(motion: Any) -> Matrix:
    """The sequence's world to the reference's, in RAS; ITK's motion goes the other way, in LPS."""
    turn, middle = np.array(motion.GetMatrix()).reshape(3, 3), np.array(motion.GetCenter())
    back = np.eye(4)
    back[:3, :3] = turn
    back[:3, 3] = middle + motion.GetTranslation() - turn @ middle
    return np.asarray(np.linalg.inv(_LPS @ back @ _LPS))


def _measured(
    matrix: Matrix,
    head_mm: NDArray[np.float64],
    middle: NDArray[np.float64],
    information: tuple[float, float],
) -> Registration:
    """The numbers of a motion, at the places where the head lies in the end."""
    came_from = apply_affine(np.linalg.inv(matrix), np.vstack([middle, head_mm]))
    ways_mm = np.vstack([middle, head_mm]) - came_from
    r, a, s = ways_mm[0].tolist()
    about_r, about_a, about_s = Rotation.from_matrix(matrix[:3, :3]).as_euler("xyz", degrees=True).tolist()
    largest_mm = float(np.linalg.norm(ways_mm, axis=1).max())
    return Registration(matrix, (r, a, s), (about_r, about_a, about_s), largest_mm, information)


def _why_refused(found: Registration) -> str | None:
    before, after = found.information
    degrees = float(np.degrees(Rotation.from_matrix(found.matrix[:3, :3]).magnitude()))
    if not after >= LEAST_INFORMATION:
        return f"the mutual information is {after:.2f} nats (limit: at least {LEAST_INFORMATION:g})"
    if after < before:
        return f"the mutual information is {after:.2f} nats, less than {before:.2f} nats without registration"
    if found.largest_mm > FARTHEST_MM or degrees > MOST_DEGREES:
        return (
            f"the head would move by {found.largest_mm:.0f} mm (limit: at most {FARTHEST_MM:g}) and turn by "
            f"{degrees:.0f} degrees (limit: at most {MOST_DEGREES:g})"
        )
    return None
