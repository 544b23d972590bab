"""DICOM and NIfTI below one input: which study and which scans are of one patient, and whose a label map is.

Each is a subject of its own, unless a study and the NIfTI scans of one subject are of one patient's folder,
as dcm2niix writes them: then the NIfTI scans are taken. They are of one folder where their folders are equal,
or one lies in the other, or where the subject is called as the study. Folders that say what is in them
(dicom, nifti, raw, T1) count for nothing, so that p1/dicom and p1/nifti are of p1, and so are dicom/p1 and
nifti/p1. Where several claim to belong together nothing is guessed, and all are read.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from brainseg.images.fates import Fate, FileFate
from brainseg.images.file_names import ALIASES, NamedFile
from brainseg.images.subject import Subject, identity_of, with_labels
from brainseg.system.pseudonyms import name_of

log = logging.getLogger("brainseg")

_KINDS = {
    *("dicom", "dicoms", "dcm", "dcms", "nifti", "niftis", "nii", "niigz", "raw", "source", "sourcedata"),
    *("converted", "dcm2niix", "mr", "mri", "images", "image", "scans", "scan", "anat", "series", "study"),
    *("label", "labels", "seg", "segs", "segmentation", "segmentations", "mask", "masks", "truth", "tumor"),
    *("rawdata", "original", "originals", "export"),
}
_Key = tuple[str, ...]  # folders and name that say whose something is, from the start on


def joined(
    scans: Sequence[Subject], studies: Sequence[Subject], labels: Iterable[list[NamedFile]], root: Path
) -> tuple[list[Subject], list[list[NamedFile]]]:
    """The subjects of NIfTI scans and of DICOM studies together, and the label maps that are nobody's.

    Args:
        scans: The subjects of NIfTI files.
        studies: Those of DICOM files.
        labels: The label maps and masks with which no NIfTI scan goes, those of one subject together.
        root: The folder that was searched.
    """
    of_scans = {one.id: _key(one.folder, root, _own(one)) for one in scans}
    of_studies = {one.id: _key(one.folder, root) for one in studies}
    twins = {one.id: _only(one.id, of_studies, of_scans) for one in studies}
    whole = []
    for scan in scans:
        same = [one for one in studies if twins[one.id] == scan.id]
        whole.append(_with_source(scan, same[0]) if len(same) == 1 else scan)
    taken = {twin for twin in twins.values() if twin and list(twins.values()).count(twin) == 1}
    left = {one.id: one for one in studies if twins[one.id] not in taken}
    nobodys = []
    for files in labels:
        name = identity_of(files[0])
        keys = {name: _key(files[0].path.parent, root, "" if name == files[0].path.parent.name else name)}
        owner = _only(name, keys, {one: of_studies[one] for one in left})
        if owner is None:
            nobodys.append(files)
        else:
            left[owner] = with_labels(left[owner], files)
    return [*whole, *left.values()], nobodys


def _with_source(scan: Subject, study: Subject) -> Subject:
    """A subject with the files of the study that its scans were made from, which are left out."""
    why = f"is DICOM of {scan.id}, whose NIfTI scans are read; move these away to have the DICOM read"
    fates = [
        FileFate(one.paths, Fate.left_out, why if one.fate is Fate.used or study.fault else one.why)
        if one.fate is not Fate.unreadable
        else one
        for one in study.fates
    ]
    log.info(
        "%s: its DICOM files in %s are left out, as its NIfTI scans are read", name_of(scan.id), study.folder
    )
    remarks = list(scan.warnings)
    if missing := [name for name in study.images if name not in scan.images]:
        remarks.append(
            f"its DICOM files in {study.folder} hold {', '.join(missing)} too, which no NIfTI file does and "
            "which was not read; convert it as well, or move the NIfTI files away"
        )
    return replace(scan, fates=(*scan.fates, *fates), warnings=tuple(remarks))


def _only(name: str, own: dict[str, _Key], others: dict[str, _Key]) -> str | None:
    """The one of the others that is of the same patient; None where there is none, or several."""
    called = [one for one in others if one.casefold().removeprefix("sub-") == name.casefold()]
    if len(called) == 1:
        return called[0]
    mine = own[name]
    equal = [one for one, key in others.items() if key == mine and mine]
    nested = [one for one, key in others.items() if _is_within(mine, key) or _is_within(key, mine)]
    found = equal or nested
    if not found and not mine and len(own) == len(others) == 1:
        found = list(others)
    if not found and len(own) == len(others) == 1 and not next(iter(others.values())):
        found = list(others)
    return found[0] if len(found) == 1 else None


def _is_within(one: _Key, other: _Key) -> bool:
    return bool(other) and one[: len(other)] == other


def _key(folder: Path, root: Path, name: str = "") -> _Key:
    """The folders below the start that say whose a file is, and the name that its own name has."""
    here, start = Path(folder).absolute(), root.absolute()
    parts = here.relative_to(start).parts if here.is_relative_to(start) else ()
    said = [part.casefold() for part in parts if not _says_what(part)]
    if name and not _says_what(name) and name.casefold() not in said:
        said.append(name.casefold())
    return tuple(said)


def _own(subject: Subject) -> str:
    return "" if subject.from_folder or subject.layout == "bids" else subject.id


def _says_what(name: str) -> bool:
    """Whether a name says what a folder holds (nifti, T1, 5_t1_mprage_sag), so that it names nobody."""
    words = re.findall(r"[^\W_]+", name.casefold())
    return name.casefold() in _KINDS or any(word in ALIASES for word in words)
