"""Which predicted label map belongs to which true one, in folders of any layout."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from brainseg.config.errors import DataError, UserError
from brainseg.evaluation.cases import are_files
from brainseg.files.plain import read_json
from brainseg.images import bids, nifti
from brainseg.images.file_names import read_name
from brainseg.images.layouts import Subject, survey
from brainseg.images.lgg_patients import survey_lgg

ENDINGS = (
    *("_tumor_labels", "_tumor_segmentation", "_segmentation", "_seg", "-seg", "_dseg"),
    *("_tumour", "_tumor", "_gtv", "-gtv"),
)  # of a label map's name, after the subject's
OURS = "brainseg"  # wrote derivatives that are no truths


def pairs_of(truth: Path, guess: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Name, true label map and the predicted label map that belongs to it.

    Raises:
        UserError: There is nothing to compare, or two files claim to be of one subject.
    """
    if are_files(truth, guess):
        yield subject_of(truth), truth, guess
        return
    truths = _truths(truth, guess)
    if not truths:
        raise DataError(
            f"{truth} has no label map (*_seg.nii.gz, labelsTr/, *_dseg.nii.gz, also in derivatives/) to "
            "compare with"
        )
    guesses = by_subject(_label_maps(guess))
    for name, path in truths.items():
        yield name, path, guesses.get(name)


def subject_of(path: Path) -> str:
    """A label map's name without the ending that says that it is one; in BIDS its subject and session."""
    name = nifti.stem(path)
    if name.startswith("sub-") and name.endswith(("_dseg", "_desc-brain_mask")):
        return "_".join(re.findall(r"(?:sub|ses)-[^_]+", name))
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def _truths(folder: Path, guess: Path) -> dict[str, Path]:
    if (patients := survey_lgg(folder)) is not None:
        return {one.id: one.folder for one in patients.subjects if any(f.role == "truth" for f in one.fates)}
    try:
        subjects = subjects_with_labels(folder)
    except DataError:  # the folder holds no scans but label maps alone
        return by_subject(_label_maps(folder))
    beside = {subject.id: subject.truth for subject in subjects if subject.truth is not None}
    return beside or by_subject(derived(folder, guess, role="truth"))


def subjects_with_labels(folder: Path) -> list[Subject]:
    """The subjects of a folder of truths; DICOM studies that cannot be used are none of them.

    Raises:
        DataError: There is no scan.
        ImageError: A subject cannot be used, or nobody knows which label map or mask is its own.
    """
    subjects = [one for one in survey(folder).subjects if one.layout != "dicom" or one.fault is None]
    for subject in subjects:
        subject.refuse_labels()
    return subjects


def derived(folder: Path, guess: Path, *, role: str) -> Iterator[Path]:
    """The label maps, or masks, in the derivatives of a BIDS data set; none of ours, and no guesses."""
    within = _is_below(guess, folder)
    for pipeline in sorted((folder / "derivatives").glob("*")):
        if not pipeline.is_dir() or _is_ours(pipeline):
            continue
        for path in sorted(pipeline.rglob("sub-*")):
            if nifti.is_nifti(path) and _role(path) == role and not (within and _is_below(path, guess)):
                yield path


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _role(path: Path) -> str:
    if path.name.startswith("sub-") and nifti.stem(path).endswith("_desc-brain_mask"):
        return "mask"
    return read_name(path).role


def _is_ours(pipeline: Path) -> bool:
    try:
        makers = read_json(pipeline / bids.DESCRIPTION).get("GeneratedBy", [])
    except (OSError, UserError):
        return False
    return OURS in [maker.get("Name") for maker in makers if isinstance(maker, dict)]


def by_subject(paths: Iterable[Path], what: str = "label map") -> dict[str, Path]:
    """The files by their subjects.

    Raises:
        UserError: Two are of one subject; the message says of what.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if (other := found.setdefault(subject_of(path), path)) != path:
            raise UserError(
                f"{other} and {path} both claim to be the {what} of {subject_of(path)}; move one away"
            )
    return found


def _label_maps(folder: Path) -> Iterator[Path]:
    """The files whose names may be those of label maps; of predict.py's files these are the label maps."""
    no_labels = ("_brain_mask", "_stripped", "_probability", "_probabilities", "_probseg")
    for path in sorted(folder.rglob("*")):
        name = nifti.stem(path)
        if nifti.is_nifti(path) and not name.startswith(".") and not name.endswith(no_labels):
            if bids.is_anatomical(path) and read_name(path).role != "truth":
                continue  # a scan or a mask of BIDS
            yield path
