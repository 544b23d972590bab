"""Public data sets whose files are known by name: one table, a row for each set.

A row's pattern is matched with the end of a file's path, without .nii.gz. Its groups say whose the file is,
`id`, with the `patient` in it where a patient has several visits, or `patient` and `visit`; and which of the
row's words it has, `word`. A file that matches, but whose
word is not among them, is left out. What no row knows is read by the general rules of `file_names`.

Names as in the publications: Bakas 2017 and the BraTS pages of 2018 to 2025 (GLI, MET, MEN, PED, SSA, GoAT,
MEN-RT); UCSF-PDGM (Calabrese 2022); UCSF-BMSR (Rudie 2024); UPENN-GBM (Bakas 2022); LUMIERE (Suter 2022);
MU-Glioma-Post (Gerdes 2024); RHUH-GBM (Cepeda 2023); EGD (van der Voort 2021); Yale-Brain-Mets-Longitudinal
(Chadha 2025); BraTS-Toolkit (Kofler 2020); UCSD-PTGBM as its files at
TCIA are called. MSD Task01 has channels in one file, which `layouts` reads by its dataset.json.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TRUTH, MASK = "truth", "brain mask"
_PLAIN = {"t1": "t1", "t1ce": "t1ce", "t2": "t2", "flair": "flair"}
_SHORT = {"t1n": "t1", "t1c": "t1ce", "t2w": "t2", "t2f": "flair"}


@dataclass(frozen=True)
class PublicSet:
    """A data set and the names of its files.

    Attributes:
        name: For people.
        pattern: As the module says; case does not matter.
        words: In lower case, each a sequence, "truth" or "brain mask".
        second: Words that stand back where one of `words` is there for the same: skull left on, automatic
            outlines, corrected copies.
        layout: What `labels.detect` takes: which numbers the truth has.
        tumor_type: Of all its subjects, where they share one.
        spread: Whether the files of a subject lie in several folders.
        made: Why all files that match are left out: results of programs that lie beside the scans.
    """

    name: str
    pattern: str
    words: Mapping[str, str] = field(default_factory=dict)
    second: Mapping[str, str] = field(default_factory=dict)
    layout: str = "loose"
    tumor_type: str | None = None
    spread: bool = False
    made: str = ""


@dataclass(frozen=True)
class KnownName:
    """What the table says of a file.

    Attributes:
        subject: The patient, with the visit where there are several.
        patient: Whose all visits are.
        what: A sequence, "truth" or "brain mask"; empty where the file is left out.
        stands_back: Whether another file goes before it.
        word: As it is written.
    """

    of: PublicSet
    subject: str
    patient: str
    what: str
    stands_back: bool
    word: str


def _brats(name: str, code: str, tumor_type: str | None) -> PublicSet:
    """BraTS from 2023 on: BraTS-GLI-00001-000-t1n.nii.gz."""
    return PublicSet(
        f"BraTS {name}",
        rf"(?P<id>(?P<patient>BraTS-{code}-\d+)-\d+)-(?P<word>[^/]+)",
        {**_SHORT, "seg": TRUTH},
        layout="brats-2023",
        tumor_type=tumor_type,
    )


SETS = (
    PublicSet(
        "BraTS 2017 to 2021",
        r"(?P<id>brats(?:17|18|19|20|2021)_[^/]+?)_(?P<word>t1ce|t1|t2|flair|seg)",
        {**_PLAIN, "seg": TRUTH},
        layout="brats-2018",
        tumor_type="glioma",
    ),
    PublicSet(
        "BraTS MEN-RT",
        r"(?P<id>(?P<patient>BraTS-MEN-RT-\d+)-\d+)_(?P<word>[^/]+)",
        {"t1c": "t1ce", "gtv": TRUTH},
        tumor_type="meningioma",
    ),
    _brats("GLI", "GLI", "glioma"),
    _brats("MEN", "MEN", "meningioma"),
    _brats("MET", "MET", None),
    _brats("PED", "PED", "glioma"),
    _brats("SSA (Africa)", "SSA", "glioma"),
    _brats("GoAT", "GoAT", None),
    PublicSet(
        "UCSF-PDGM",
        r"(?P<id>(?P<patient>UCSF-PDGM-\d+)(?:_FU\d+d)?)_(?P<word>[^/]+)",
        {**_PLAIN, "t1c": "t1ce", "t1gad": "t1ce", "t2flair": "flair"}
        | {"tumor_segmentation": TRUTH, "brain_segmentation": MASK},
        {"t1_bias": "t1", "t1c_bias": "t1ce", "t1gad_bias": "t1ce", "t2_bias": "t2", "flair_bias": "flair"},
        layout="brats-2018",
        tumor_type="glioma",
    ),
    PublicSet(
        "UCSF-BMSR",
        r"(?P<id>(?P<patient>\d{6})[A-Z]?)_(?P<word>T1pre|T1post|T2Synth|subtraction|BraTS-seg)",
        {"t1pre": "t1", "t1post": "t1ce", "brats-seg": TRUTH},
        {"t2synth": "t2"},
        layout="brats-2023",
    ),
    PublicSet(
        "UCSD-PTGBM",
        r"(?P<id>(?P<patient>UCSD-PTGBM-\d+)_\d+)_(?P<word>[^/]+)",
        {"t1pre": "t1", "t1": "t1", "t1post": "t1ce", "t2": "t2", "flair": "flair"}
        | {"brats_tumor_seg": TRUTH},
        tumor_type="glioma",
    ),
    PublicSet(
        "UPENN-GBM",
        r"(?P<id>(?P<patient>UPENN-GBM-\d+)_\d+)_(?P<word>[^/]+)",
        {"t1": "t1", "t1gd": "t1ce", "t2": "t2", "flair": "flair", "segm": TRUTH},
        {f"{word}_unstripped": what for word, what in (("t1", "t1"), ("t1gd", "t1ce"), ("t2", "t2"))}
        | {"flair_unstripped": "flair", "automated_approx_segm": TRUTH},
        layout="brats-2018",
        tumor_type="glioma",
        spread=True,
    ),
    PublicSet(
        "LUMIERE",
        r"(?P<patient>Patient-\d+)/(?P<visit>week-[\d-]+)/(?P<word>(?:Deep|HD)[^/]*-segmentation/.+)",
        made="is a result of DeepBraTumIA or HD-GLIO-AUTO beside the scans of LUMIERE",
    ),
    PublicSet(
        "LUMIERE",
        r"(?P<patient>Patient-\d+)/(?P<visit>week-[\d-]+)/(?P<word>T1|CT1|T2|FLAIR)",
        {"t1": "t1", "ct1": "t1ce", "t2": "t2", "flair": "flair"},
        tumor_type="glioma",
    ),
    PublicSet(
        "MU-Glioma-Post",
        r"(?P<id>(?P<patient>PatientID_\d+)_Timepoint_\d+)_(?P<word>[^/]+)",
        {f"brain_{word}": what for word, what in _SHORT.items()} | {"tumormask": TRUTH},
        layout="brats-2023",
        tumor_type="glioma",
    ),
    PublicSet(
        "RHUH-GBM",
        r"(?P<id>(?P<patient>RHUH-\d+)_\d+)_(?P<word>[^/]+)",
        {**_PLAIN, "segmentations": TRUTH},
        tumor_type="glioma",
    ),
    PublicSet(
        "EGD",
        r"(?P<id>(?:MR_)?EGD-\d+)/(?:[^/]+/){0,2}(?P<word>T1GD|T1|T2|FLAIR|MASK)",
        {"t1": "t1", "t1gd": "t1ce", "t2": "t2", "flair": "flair", "mask": TRUTH},
        tumor_type="glioma",
        spread=True,
    ),
    PublicSet(
        "Yale-Brain-Mets-Longitudinal",
        r"(?P<patient>YG_[A-Z0-9]+)_(?P<visit>\d{4}-\d\d-\d\d)(?:_[\d-]+)?_(?P<word>PRE|POST|T2|FLAIR)",
        {"pre": "t1", "post": "t1ce", "t2": "t2", "flair": "flair"},
    ),
    PublicSet(
        "BraTS-Toolkit",
        r"(?P<id>[^/]+)_hdbet_brats_(?P<word>t1c|t1|t2|fla)",
        {"t1": "t1", "t1c": "t1ce", "t2": "t2", "fla": "flair"},
    ),
)
_PATTERNS = tuple((one, re.compile(rf"(?:^|/){one.pattern}$", re.IGNORECASE)) for one in SETS)


def known_name(path: Path, name: str) -> KnownName | None:
    """What the table says of a NIfTI file; None where no row matches.

    Args:
        path: The file.
        name: Its name without .nii.gz.
    """
    text = path.with_name(name or "_").absolute().as_posix()
    for one, pattern in _PATTERNS:
        if found := pattern.search(text):
            return _known(one, found.groupdict())
    return None


def _known(one: PublicSet, groups: Mapping[str, str]) -> KnownName:
    subject = groups.get("id") or f"{groups['patient']}_{groups['visit']}"
    word = groups["word"]
    first = one.words.get(word.lower(), "")
    patient = groups.get("patient") or subject
    return KnownName(one, subject, patient, first or one.second.get(word.lower(), ""), not first, word)
