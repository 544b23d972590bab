"""A picture as a DICOM secondary capture, in the study of the scan that it shows."""

# mypy: allow-untyped-calls
# (highdicom is partly untyped)

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from brainseg.dicom.enhanced import references_to
from brainseg.dicom.source import Sources, silently, uid_of

SERIES_NUMBER = 9002


def write_capture(file: Path, picture: Path, sources: Sources, version: str) -> None:
    """Write a picture's pixels (rows, columns, RGB).

    Args:
        file: Where to.
        picture: A PNG.
        sources: The slices that it shows.
        version: Of brainseg.
    """
    from highdicom.sc import SCImage

    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    header = sources.headers[0]
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    series = uid_of([str(header.SeriesInstanceUID), "capture", version, digest])
    with silently():
        made = SCImage.from_ref_dataset(
            header,
            pixel_array=pixels,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "P"),
            series_instance_uid=series,
            series_number=SERIES_NUMBER,
            sop_instance_uid=uid_of([series, "1"]),
            instance_number=1,
            manufacturer="brainseg",
            manufacturer_model_name="brainseg",
            software_versions=version,
            series_description="brainseg, not for diagnosis",
        )
        made.PatientOrientation = []  # the picture shows several planes
        made.SourceImageSequence = references_to(sources.frames.values())
        made.BurnedInAnnotation = "YES"  # the subject's id stands above the planes
        made.save_as(file)
