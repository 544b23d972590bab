"""Whether the files of one study are those of one patient.

What is made anonymous badly, or sent by hand, has one PatientID and one StudyInstanceUID for several
patients, whose sequences must not be taken for those of one.
"""

import re
from collections.abc import Iterable

from brainseg.images.dicom_naming import Header

TAGS = ("PatientName", "PatientBirthDate")


def are_several(headers: Iterable[Header]) -> bool:
    """Whether names differ in more than an omission, and no date of birth says that they are one person's."""
    people = {(_words(header), str(header.get("PatientBirthDate", ""))) for header in headers}
    named = [one for one in people if one[0]]
    return any(
        not (one <= other or other <= one) and (born != was_born or not born)
        for one, born in named
        for other, was_born in named
    )


def _words(header: Header) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]+", str(header.get("PatientName", "")).casefold()))
