"""What each segment is, in words and codes of DICOM's terminology.

The codes are SNOMED CT's, from DICOM's context groups 7150 (categories) and 7151 (types), but for two. Those
groups have the code C113842 of the NCI Thesaurus for enhancing tissue. They have none for the cavity that
surgery leaves (their "body cavity" is a normal one), so it is SNOMED CT's operative site, of group 6201, and
the segment's label says the rest. Source: DICOM PS3.16.
"""

from dataclasses import dataclass

Code = tuple[str, str, str]  # value, scheme, meaning

_STRUCTURE: Code = ("91723000", "SCT", "Anatomical Structure")
_ABNORMAL: Code = ("49755003", "SCT", "Morphologically Abnormal Structure")
BRAIN: Code = ("12738006", "SCT", "Brain")


@dataclass(frozen=True)
class Segment:
    """A segment's category and type, and the part of the body that it lies in."""

    category: Code
    kind: Code
    region: Code | None = None


SEGMENTS: dict[str, Segment] = {
    "brain": Segment(_STRUCTURE, BRAIN),
    "whole_tumor": Segment(_ABNORMAL, ("108369006", "SCT", "Neoplasm"), BRAIN),
    "tumor_core": Segment(_ABNORMAL, ("4147007", "SCT", "Mass"), BRAIN),
    "enhancing_tumor": Segment(_ABNORMAL, ("C113842", "NCIt", "Enhancing Lesion"), BRAIN),
    "resection_cavity": Segment(_ABNORMAL, ("43526002", "SCT", "Operative Site"), BRAIN),
}
