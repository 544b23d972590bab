"""Subjects of DICOM files, each with what became of its files."""

from collections.abc import Iterable
from pathlib import Path

from brainseg.images.by_content import BY_CONTENT, Looker
from brainseg.images.dicom_groups import LeftOut
from brainseg.images.dicom_series import Fault, NoSeriesError, Study, find_studies
from brainseg.images.fates import Fate, FileFate
from brainseg.images.preference import Choice
from brainseg.images.source import Source
from brainseg.images.subject import Subject

_FATES = {"left out": Fate.left_out, "copy": Fate.copy, "unreadable": Fate.unreadable}


def dicom_subjects(
    paths: Iterable[Path],
    sequence: str | None,
    choice: Choice | None = None,
    looker: Looker | None = None,
    *,
    alone: bool = True,
) -> tuple[list[Subject], list[FileFate]]:
    """The subjects, those with a fault among them, and the files of studies of which nothing is used.

    Args:
        paths: As for `find_studies`, as are the others.
        sequence: What the only series is.
        choice: How to choose between series.
        looker: Who looks into series whose headers do not say what they are.
        alone: Whether it is an error if none can be used.

    Raises:
        NoSeriesError: No series can be used, and there is nothing else.
    """
    found = find_studies(paths, sequence, choice, looker, alone=alone)
    taken = {path for study in found.studies for one in study.series.values() for path in one.files}
    taken |= {path for fault in found.faults for path in fault.files}
    aside = _aside(found.left_out, taken)
    subjects = [_of_study(study, aside.pop(study.id, [])) for study in found.studies]
    subjects += [_of_fault(fault, aside.pop(fault.id, [])) for fault in found.faults]
    return subjects, [fate for fates in aside.values() for fate in fates]


def fates_of_none(error: NoSeriesError) -> list[FileFate]:
    """What became of each file where no series can be used."""
    return [fate for fates in _aside(error.left_out, set()).values() for fate in fates]


def _aside(left_out: Iterable[LeftOut], taken: set[Path]) -> dict[str, list[FileFate]]:
    """The fates of files that are not used, by the id of their study.

    A file of many slices may be left out in one part and used in another: it has one fate.
    """
    aside: dict[str, list[FileFate]] = {}
    for one in left_out:
        if files := tuple(path for path in one.files if path not in taken):
            fate = FileFate(files, _FATES[one.kind], one.reason, subject=one.study)
            aside.setdefault(one.study, []).append(fate)
            taken.update(files)
    return aside


def _of_study(study: Study, aside: list[FileFate]) -> Subject:
    images = {name: Source(series.folder, series=series) for name, series in study.series.items()}
    used = [
        FileFate(series.files, Fate.used, f"{series.label} by {_said_by(study, name)}", name)
        for name, series in study.series.items()
    ]
    fates = (*used, *aside)
    return Subject(
        study.id,
        study.folder,
        "dicom",
        images,
        warnings=study.warnings,
        fates=fates,
        patient=study.patient,
    )


def _said_by(study: Study, sequence: str) -> str:
    return BY_CONTENT if sequence in study.by_content else "its headers"


def _of_fault(fault: Fault, aside: list[FileFate]) -> Subject:
    why = f"its study has a fault: {fault.message}"
    fates = (*([FileFate(fault.files, Fate.left_out, why)] if fault.files else []), *aside)
    return Subject(
        fault.id, fault.folder, "dicom", {}, fault=fault.message, fates=fates, patient=fault.patient
    )
