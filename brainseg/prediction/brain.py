"""The brain of a subject: what stripping finds, or what a scan without skull brings with it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from brainseg.images.nifti import write
from brainseg.images.volume import Volume, resample_to
from brainseg.prediction.scans import Scans
from brainseg.results.result import Result

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Brain:
    """The brain on the reference grid.

    Args:
        mask: (X, Y, Z).
        logit: (X, Y, Z), of each voxel; None where the scan came without skull. A network that learnt
            distances gives mm: a probability of 0.73 lies 1 mm inside the edge.
        own: The masks of sequences in which the brain was found anew, on their own grids.
    """

    mask: Mask
    logit: NDArray[np.float32] | None
    own: dict[str, Mask] = field(default_factory=dict)

    @property
    def came_stripped(self) -> bool:
        """Whether the scan had no skull, so that nothing was stripped."""
        return self.logit is None

    @property
    def probability(self) -> NDArray[np.float32]:
        assert self.logit is not None
        return np.asarray(special.expit(self.logit))

    def write(self, folder: Path, name: str, scans: Scans, *, probabilities: bool) -> None:
        """The mask on the reference grid; each sequence without skull, with its own grid and intensities."""
        mask = np.asfortranarray(self.mask)  # as the voxels of files lie in memory
        write(folder / f"{name}_brain_mask.nii.gz", mask, scans.grid)
        for sequence, volume in scans.images.items():
            inside = mask
            if scans.difference(sequence) or sequence in self.own:
                inside = np.asfortranarray(self._in_sequence(sequence, scans))
            if scans.difference(sequence):
                write(folder / f"{name}_{sequence}_brain_mask.nii.gz", inside, volume.grid)
            if not self.came_stripped:
                stripped = _in_own_dtype(_cut_out(volume.data[0], inside), volume)
                write(folder / f"{name}_{sequence}_stripped.nii.gz", stripped, volume.grid)
        if probabilities and not self.came_stripped:
            write(folder / f"{name}_brain_probability.nii.gz", self.probability, scans.grid)

    def added_to(self, result: Result, scans: Scans) -> Result:
        ml = round(float(self.mask.sum()) * scans.grid.voxel_ml, 1)
        return replace(result, volumes_ml={"brain": ml, **result.volumes_ml})

    def _in_sequence(self, sequence: str, scans: Scans) -> Mask:
        """The mask on the sequence's own grid."""
        if sequence in self.own:
            return self.own[sequence]
        reference = Volume(self.mask[None].astype(np.uint8), scans.grid)
        return np.asarray(resample_to(reference, scans.placed(sequence).grid, nearest=True).data[0] > 0)


def _cut_out(image: NDArray[np.float32], inside: Mask) -> NDArray[np.float32]:
    """The image (X, Y, Z) with 0 outside; it is finite, so a product does it, at an eighth of the time."""
    cut = image * inside
    cut += 0  # not -0
    return cut


def _in_own_dtype(array: NDArray[np.float32], volume: Volume) -> NDArray[Any]:
    """Voxels in the type of the file that they came from, where that holds them exactly."""
    dtype = np.dtype(np.float32) if volume.grid.header is None else volume.grid.header.get_data_dtype()
    converted = array.astype(dtype)
    return converted if np.array_equal(converted.astype(np.float32), array) else array
