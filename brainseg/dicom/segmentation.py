"""Masks as DICOM segmentations (SEG), on the very planes of the series that they were found in.

One file a segment, all in one series: a file then holds a frame for each slice, in the series' own order, and
is a volume to every reader. ITK stacks the frames of several segments in one file behind each other and then
knows no distance between slices.

Source: DICOM PS3.3, A.51 and C.8.20.
"""

# mypy: allow-untyped-calls
# (highdicom and pydicom are partly untyped)

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.dicom.enhanced import refer_to_frames
from brainseg.dicom.segments import SEGMENTS, Code
from brainseg.dicom.source import Sources, silently, uid_of
from brainseg.images.volume import Grid

SERIES_NUMBER = 9001  # far from those that scanners give
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

Mask = NDArray[np.bool_]


def write_segmentations(
    folder: Path, name: str, masks: Mapping[str, Mask], grid: Grid, sources: Sources, version: str
) -> dict[str, str]:
    """Write a SEG for each mask; the files' names by segment.

    Args:
        folder: Where they are written.
        name: What the files' names begin with.
        masks: (X, Y, Z) on the grid, each of `SEGMENTS`.
        grid: As `images.dicom.read` gives it: columns first, rows from the last up.
        sources: The slices of the series.
        version: Of brainseg.
    """
    first = str(sources.headers[0].SeriesInstanceUID)
    series = uid_of([first, "segmentations", version, *map(_sum, masks.values())])
    files = {}
    for number, (segment, mask) in enumerate(masks.items(), start=1):
        files[segment] = f"{name}_{segment}_seg.dcm"
        with silently():
            made = _segmentation(segment, number, mask, grid, sources, series, version)
            made.save_as(folder / files[segment])
    return files


def _segmentation(
    segment: str,
    number: int,
    mask: Mask,
    grid: Grid,
    sources: Sources,
    series: str,
    version: str,
) -> Any:
    from highdicom import AlgorithmIdentificationSequence, Volume
    from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription

    about = SEGMENTS[segment]
    described = SegmentDescription(
        segment_number=1,
        segment_label=segment,
        segmented_property_category=_concept(about.category),
        segmented_property_type=_concept(about.kind),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name="brainseg", family=_concept(("123110", "DCM", "Artificial Intelligence")), version=version
        ),
        anatomic_regions=None if about.region is None else [_concept(about.region)],
    )
    planes, affine = as_planes(mask, grid)
    headers = sources.headers
    made = Segmentation(
        source_images=headers,
        pixel_array=Volume(
            planes, affine, "PATIENT", frame_of_reference_uid=str(headers[0].FrameOfReferenceUID)
        ),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[described],
        series_instance_uid=series,
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of([series, segment]),
        instance_number=number,
        manufacturer="brainseg",
        manufacturer_model_name="brainseg",
        software_versions=version,
        device_serial_number="none",
        content_description=segment,
        series_description="brainseg, not for diagnosis",
        omit_empty_frames=False,
    )
    _order_as_series(made, planes, affine)
    refer_to_frames(made, sources.frames)
    return made


def as_planes(mask: Mask, grid: Grid) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The mask as (slices, rows, columns), and its affine (4, 4) to mm in DICOM's world."""
    planes = np.ascontiguousarray(mask[:, ::-1].transpose(2, 1, 0).astype(np.uint8))
    to_voxel = np.array([[0, 0, 1, 0], [0, -1, 0, grid.shape[1] - 1], [1, 0, 0, 0], [0, 0, 0, 1]])
    return planes, _LPS_FROM_RAS @ grid.affine @ to_voxel


def _order_as_series(made: Any, planes: NDArray[np.uint8], affine: NDArray[np.float64]) -> None:
    """Put the frames in the order of the slices, which highdicom sorts by the numbers of their positions."""
    from pydicom.pixels.utils import pack_bits

    frames = list(made.PerFrameFunctionalGroupsSequence)
    places = [
        np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=np.float64) @ affine[:3, 0]
        for frame in frames
    ]
    made.PerFrameFunctionalGroupsSequence = [frames[k] for k in np.argsort(places)]
    made.PixelData = pack_bits(planes)


def _concept(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    value, scheme, meaning = code
    return CodedConcept(value=value, scheme_designator=scheme, meaning=meaning)


def _sum(mask: Mask) -> str:
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
