"""The results of a subject as DICOM, where its reference sequence came as DICOM."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg.dicom.capture import write_capture
from brainseg.dicom.segmentation import write_segmentations
from brainseg.dicom.source import sources_of
from brainseg.images.layouts import Subject
from brainseg.prediction.segment import Segmentation
from brainseg.prediction.state import State
from brainseg.results import provenance

MONTAGE = "montage"


def write_dicom(
    folder: Path, subject: Subject, state: State, pictures: Mapping[str, Path]
) -> tuple[dict[str, str], State]:
    """Write the masks and the montage, and return the file names by content, with the state.

    What the headers do not allow to be written as DICOM is there as NIfTI all the same: a warning says why,
    and the subject does not fail.

    Raises:
        OSError: A file cannot be read or written.
    """
    reference = state.scans.reference
    series = subject.images[reference].series
    if series is None:
        return {}, state.with_warnings(
            f"no DICOM was written, as {reference} did not come as DICOM; give input= the DICOM files, or "
            "leave out dicom=true"
        )
    try:
        sources = sources_of(series, state.scans.grid.spacing_mm[2])
        version = provenance.code().version
        masks = _masks(state)
        files = write_segmentations(folder, subject.id, masks, state.scans.grid, sources, version)
        if MONTAGE in pictures:
            files[MONTAGE] = f"{subject.id}_{MONTAGE}.dcm"
            write_capture(folder / files[MONTAGE], pictures[MONTAGE], sources, version)
    except OSError:  # a full disk is no fault of the headers
        raise
    except Exception as error:  # pydicom and highdicom meet odd headers with many types
        for path in folder.glob("*.dcm"):  # of the folder that this prediction has made, a moment ago
            path.unlink()
        said = " ".join(str(error).split())
        return {}, state.with_warnings(
            f"no DICOM was written, as the headers of {series.label} do not allow it ({said}); use the NIfTI "
            "files"
        )
    return files, state


def _masks(state: State) -> dict[str, NDArray[np.bool_]]:
    """What was found, (X, Y, Z) on the reference grid."""
    tumor = state.outcome(Segmentation)
    masks = {} if state.brain is None else {"brain": state.brain}
    if tumor is not None:
        masks |= tumor.masks
    return masks
