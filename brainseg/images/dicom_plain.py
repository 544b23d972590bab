"""What GDCM reads slice by slice: the files as they are, or their frames written out one by one.

Frames of enhanced files are written out, as GDCM reports one place and one scale for all, and so are files
that are gzipped or have no preamble. Nothing of a patient is written but the pixels.
"""

# mypy: allow-untyped-calls
# (pydicom is partly untyped)

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

from brainseg.config.errors import ImageError
from brainseg.images.dicom_file import is_plain, load
from brainseg.images.dicom_pixels import pictures_of, quietly
from brainseg.images.dicom_planes import ImagePlane

_COPIED = (
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    "PixelRepresentation",
)


def plain_files(planes: list[ImagePlane], folder: Path) -> list[Path]:
    """A file of one slice for each plane, in their order.

    Args:
        planes: Of files whose pixels were checked.
        folder: An empty one, for what has to be written.

    Raises:
        ImageError: A frame is missing.
    """
    files = [plane.path for plane in planes]
    wanted: dict[Path, list[int]] = defaultdict(list)
    for k, plane in enumerate(planes):
        if plane.frame is not None or not is_plain(plane.path):
            wanted[plane.path].append(k)
    for path, places in wanted.items():
        with quietly():
            dataset = load(path)
            for k in places:
                files[k] = folder / f"{k:05d}.dcm"
                _single(dataset, planes[k]).save_as(files[k], enforce_file_format=True)
    return files


def _single(dataset: Any, plane: ImagePlane) -> Any:
    """One frame as a dataset of its own."""
    import pydicom
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        MRImageStorage,
        generate_uid,
    )

    syntax = dataset.file_meta.TransferSyntaxUID
    one = pydicom.Dataset()
    for name in _COPIED:
        setattr(one, name, dataset.get(name))
    one.Rows, one.Columns = plane.n_rows, plane.n_columns
    one.SOPClassUID, one.SOPInstanceUID, one.SeriesInstanceUID = (
        MRImageStorage,
        generate_uid(),
        generate_uid(),
    )
    one.Modality = "MR"
    one.ImagePositionPatient = [_text(v) for v in plane.position_mm]
    one.ImageOrientationPatient = [_text(v) for v in (*plane.along_row, *plane.along_column)]
    one.PixelSpacing = [_text(v) for v in plane.spacing_mm]
    one.RescaleSlope, one.RescaleIntercept = _text(plane.slope), _text(plane.intercept)
    one.PixelData = _pixels(dataset, plane)
    one["PixelData"].VR = "OW" if one.BitsAllocated > 8 else "OB"
    one.file_meta = pydicom.dataset.FileMetaDataset()
    is_deflated = syntax == DeflatedExplicitVRLittleEndian
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if is_deflated else syntax
    if syntax.is_compressed and not is_deflated:
        one["PixelData"].VR = "OB"
        one["PixelData"].is_undefined_length = True
    return one


def _pixels(dataset: Any, plane: ImagePlane) -> bytes:
    from pydicom.encaps import encapsulate
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    frame = plane.frame or 0
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        pictures = pictures_of(dataset, plane.n_frames)
        if frame >= len(pictures):
            raise ImageError(
                f"{plane.path}: has {len(pictures)} pictures, and its header describes {plane.n_frames}; "
                "fetch it again"
            )
        return encapsulate([pictures[frame]])
    size = math.ceil(plane.n_rows * plane.n_columns * dataset.BitsAllocated / 8)
    pixels = bytes(dataset.PixelData[frame * size : (frame + 1) * size])
    return pixels + b"\0" * (len(pixels) % 2)


def _text(number: float) -> str:
    """A number as DICOM's decimal text, which has 16 signs."""
    return next(text for digits in range(16, 0, -1) if len(text := f"{float(number):.{digits}g}") <= 16)
