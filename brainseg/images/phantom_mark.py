"""The mark that every file of a phantom carries, to tell it from scans of people."""

import numpy as np

from brainseg.images.volume import Grid

SYNTHETIC = b"synthetic head made by brainseg, no patient"  # in `descrip` of the NIfTI header


def is_synthetic(grid: Grid) -> bool:
    """Whether the file that a grid was read from has the mark; without it a scan counts as real."""
    return grid.header is not None and np.asarray(grid.header["descrip"]).item() == SYNTHETIC
