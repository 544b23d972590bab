"""Finding a subject's files by their names, in the layouts that data sets come in.

Every file below the start is accounted for: `survey` gives the subjects, and the fate of each file. Which
sequence a file holds is read from its name, from dcm2niix's sidecar and from its folder, never from the order
of files: `file_names` has the steps.

| layout     | files of a subject                                                                     |
| ---------- | -------------------------------------------------------------------------------------- |
| brats-2018 | `X_flair.nii[.gz]`, `_t1`, `_t1ce`, `_t2`, truth `_seg`; BraTS up to 2021               |
| brats-2023 | `X-t1n.nii.gz`, `-t1c`, `-t2w`, `-t2f`, truth `-seg`                                     |
| nfbs       | `X_T1w.nii.gz`, `X_T1w_brainmask`; the stripped `X_T1w_brain` is left out                |
| msd        | `imagesTr/X.nii.gz` with channels named in `dataset.json`, truth `labelsTr/X.nii.gz`     |
| bids       | `sub-X/[ses-Y/]anat/*_T1w.nii.gz`, `*_T2w`, `*_FLAIR`, truth `*_dseg`                    |
| loose      | any other files named by sequence, `_seg`, `_brainmask`; public sets: `public_sets`      |
| dicom      | DICOM files of any name, sorted and named by their headers: `dicom_series`               |

All that prediction writes (`X_brain_mask.nii.gz`, ...) is left out, and so are hidden files and macOS's
`._X`. DICOM studies and NIfTI scans are subjects of their own, unless they are of one patient's folder: then
NIfTI is read (`mixed`). A folder named by a sequence (p1/T1/scan.nii.gz, or T1/p1.nii.gz) names the files in
it that do not name one themselves.

In BIDS each session is a subject of its own. The start may be a data set, a subject's folder, a session's,
its anat/, or a file.

| in BIDS                     | becomes                                                                      |
| --------------------------- | ---------------------------------------------------------------------------- |
| `ce-...` of a T1w           | t1ce                                                                         |
| several `run-...`           | the highest, mostly a repeat of one that failed; `warnings` says so          |
| several `acq-`, `rec-`, ... | `choose.words` decides; else refused: a person must say which is wanted      |
| `part-phase`, `-real`, ...  | left out: no magnitude                                                       |
| `space-...`                 | left out where the same is there without: a copy on another grid             |
| `desc-...`                  | as without: fMRIPrep's `desc-preproc_T1w`, our own `desc-brain_T1w`          |
| dseg with `desc-`, `seg-`   | left out, but `desc-tumor`: parts of the brain and not of a tumour           |
| derivatives/, sourcedata/   | left out unless the start is there; code/ and other derivatives, too         |
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from brainseg.config import SEQUENCES
from brainseg.config.errors import GeometryError, ImageError, UserError
from brainseg.files.there import refuse_nothing_at
from brainseg.images import nifti, nifti_pair
from brainseg.images.by_content import Looker, named_by_content, with_contradictions
from brainseg.images.dicom_file import is_dicom
from brainseg.images.dicom_header import read_headers
from brainseg.images.dicom_series import NoSeriesError
from brainseg.images.dicom_subjects import dicom_subjects, fates_of_none
from brainseg.images.fates import Fate, FileFate
from brainseg.images.file_names import ALIASES, BY_WORDS, NamedFile, read_name
from brainseg.images.found import NoScanError, Survey
from brainseg.images.ids import with_patients
from brainseg.images.mixed import joined
from brainseg.images.msd import is_msd, subjects_of_task
from brainseg.images.owners import attributed
from brainseg.images.preference import Choice
from brainseg.images.scan_files import fates_of
from brainseg.images.sidecar import sidecar_path
from brainseg.images.source import read
from brainseg.images.subject import Subject, identity_of, subject_of
from brainseg.images.volume import Volume
from brainseg.images.walk import Found, natural, walked

log = logging.getLogger("brainseg")

_NO_SCANS = (".json", ".csv", ".tsv", ".txt", ".md", ".png", ".jpg", ".jpeg", ".html", ".pdf", ".xlsx")


def survey(
    path: str | Path,
    sequence: str | None = None,
    choice: Choice | None = None,
    looker: Looker | None = None,
) -> Survey:
    """The subjects at a path, and what became of every file there. A subject with a fault stops no other.

    Args:
        path: Searched to any depth, if a folder. A single file is a subject with that sequence only.
        sequence: The sequence of files, or of DICOM series, whose names do not say it. A single file or
            series is taken as this in any case.
        choice: How to choose between scans that claim one sequence.
        looker: Who looks into scans of which nothing else says what they are, and whether the others are
            what they were taken for; None: nobody.

    Raises:
        DataError: Nothing there, or no file that names a sequence, a NoScanError.
        ImageError: A single file names no sequence.
    """
    path = Path(path)
    if sequence is not None and sequence not in SEQUENCES:
        raise ImageError(f"sequence={sequence} is not known; take one of {', '.join(SEQUENCES)}")
    refuse_nothing_at(path)
    if not path.is_dir():
        found = with_patients(list(_from_file(path, sequence, choice, looker)), path.parent)
        return Survey(*attributed(with_contradictions(found, looker), [], path.parent))
    files = list(walked(path))
    scans, labels, loose = _from_names(path, files, sequence, choice, looker)
    unused = [*loose, *_unneeded(labels)]
    studies, of_dicom = _dicom_subjects(path, files, scans, unused, sequence, choice, looker)
    subjects, nobodys = joined(scans, studies, labels, path)
    loose += [*of_dicom, *_unneeded(nobodys)]
    loose += _beside(files, [*(f for s in subjects for f in s.fates), *loose])
    if not subjects:
        raise NoScanError(
            f"{path}: no scan found; looked for .nii or .nii.gz files whose names have a word for a sequence "
            "(_t1, _t1ce, _t2, _flair, or as in BraTS, NFBS, MSD or BIDS), and for DICOM files of any name; "
            f"the folder holds {_content(path)}{_reasons(loose)}",
            loose,
        )
    ordered = sorted(with_patients(subjects, path), key=lambda subject: natural(subject.id))
    return Survey(*attributed(with_contradictions(ordered, looker), loose, path))


def find_subjects(
    path: str | Path,
    sequence: str | None = None,
    choice: Choice | None = None,
    looker: Looker | None = None,
) -> list[Subject]:
    """The subjects at a path, in natural order, all without fault: as `survey` finds them.

    Raises:
        DataError: As `survey`.
        ImageError: As `survey`; or a subject has a fault.
    """
    found = survey(path, sequence, choice, looker).subjects
    for subject in found:
        subject.refuse_fault()
    return found


def load_subject(subject: Subject, sequences: Sequence[str]) -> Volume:
    """The wanted sequences as the channels of one volume (C, X, Y, Z), in the order asked.

    Raises:
        ImageError: A sequence is missing, or its file cannot be used.
        GeometryError: Two sequences lie on different grids.
    """
    missing = [name for name in sequences if name not in subject.images]
    if missing:
        raise ImageError(
            f"{subject.folder}: {subject.id} has {', '.join(subject.images)} but needs "
            f"{', '.join(missing)} too; "
            "add the file, or use a model trained without it"
        )
    sources = [subject.images[name] for name in sequences]
    volumes = [read(source) for source in sources]
    for source, volume in zip(sources, volumes, strict=True):
        difference = volume.grid.difference(volumes[0].grid)
        if difference is not None:
            raise GeometryError(
                f"{source}: does not lie on the grid of {sources[0]}, {difference}; "
                "all sequences of a subject must share one grid, so register them to one another first"
            )
    remarks = tuple(remark for volume in volumes for remark in volume.remarks)
    return Volume(np.concatenate([volume.data for volume in volumes]), volumes[0].grid, remarks)


def _from_names(
    root: Path, files: list[Found], sequence: str | None, choice: Choice | None, looker: Looker | None
) -> tuple[list[Subject], list[list[NamedFile]], list[FileFate]]:
    """Subjects of NIfTI files, label maps and masks without a scan, and the fates of what is nobody's."""
    if root.name in ("imagesTr", "imagesTs") and is_msd(root.parent):
        return [s for s in subjects_of_task(root.parent) if s.folder == root], [], []
    tasks = sorted({one.msd for one in files if one.msd is not None and not one.why})
    subjects, loose = _of_tasks(tasks, files)
    scans = [one for one in files if not one.why and one.msd is None and nifti.is_nifti(one.path)]
    in_folder = Counter(one.path.parent for one in scans)
    placed = [
        _of_folder(read_name(one.path, sequence), alone=in_folder[one.path.parent] == 1) for one in scans
    ]
    groups: dict[tuple[object, str], list[NamedFile]] = defaultdict(list)
    for named, place in named_by_content(placed, looker):
        # Names of one subject in BIDS differ in entities such as ce-.
        whose = identity_of(named) if named.entities else named.subject
        groups[place, whose].append(named)
    labels: list[list[NamedFile]] = []
    for together in groups.values():
        for several in _by_visit(together):
            roles = {one.role for one in several}
            if roles & {"image", "doubtful"}:
                subjects.append(subject_of(several, choice))
            elif roles & {"truth", "mask"}:
                labels.append(several)
            else:
                loose += _unneeded([several])
    return subjects, labels, loose


def _unneeded(groups: Iterable[list[NamedFile]]) -> list[FileFate]:
    files = (one for several in groups for one in several)
    return [each for one in files for each in fates_of(one.path, Fate.left_out, _why_alone(one))]


def _of_tasks(tasks: list[Path], files: list[Found]) -> tuple[list[Subject], list[FileFate]]:
    """Subjects of tasks of the Decathlon, and the files of those whose channels are no sequences.

    Raises:
        UserError: There is nothing but one such task.
    """
    subjects, loose = [], []
    for task in tasks:
        try:
            subjects += list(subjects_of_task(task))
        except UserError as error:
            if all(one.msd == task or one.why or not nifti.is_nifti(one.path) for one in files):
                raise
            log.warning("%s", error)
            loose += [
                FileFate((one.path,), Fate.left_out, f"is of a task that is left out: {error}")
                for one in files
                if one.msd == task and not one.why
            ]
    return subjects, loose


def _why_alone(file: NamedFile) -> str:
    return file.why if file.role == "other" else f"no scan goes with this {file.used_as}"


def _of_folder(file: NamedFile, *, alone: bool) -> tuple[NamedFile, object]:
    """A file with what its folder says of it, and the place that its subject's other files share."""
    parent = file.path.parent
    if file.of is not None:
        return file, file.of.name if file.of.spread else parent
    words = re.findall(r"[^_\-. ]+", parent.resolve().name.lower())
    joined = ("".join(words[-n:]) for n in (1, 2))
    sequence = next((ALIASES[word] for word in joined if word in ALIASES), None)
    if sequence is None or file.entities:
        return file, parent
    above = parent.resolve().parent
    if file.role == "image" and not file.subject and file.sequence == sequence:
        return replace(file, subject=above.name), above
    if file.role == "other" and file.says_nothing:
        subject = above.name if alone else nifti.stem(file.path)
        why = f"its folder, {parent.name}"
        named = replace(file, role="image", sequence=sequence, subject=subject, why=why, rank=BY_WORDS)
        return named, above
    return file, parent


def _by_visit(files: list[NamedFile]) -> Iterator[list[NamedFile]]:
    """The files of one patient by the dates in their names, where there are several."""
    dates = sorted({file.visit for file in files if file.role == "image" and file.visit})
    if len(dates) < 2:
        yield files
        return
    for date in dates:
        yield [
            replace(f, subject=f"{identity_of(f)}_{date}", patient=f.patient or identity_of(f))
            for f in files
            if f.visit == date
        ]
    if rest := [file for file in files if file.visit not in dates]:
        yield rest


def _dicom_subjects(
    root: Path,
    files: list[Found],
    scans: list[Subject],
    loose: list[FileFate],
    sequence: str | None,
    choice: Choice | None,
    looker: Looker | None,
) -> tuple[list[Subject], list[FileFate]]:
    """Subjects of DICOM series, and the fates of DICOM files that are nobody's.

    Args:
        root: The folder that was searched.
        files: All that lie in it.
        scans: The subjects of NIfTI files.
        loose: The fates of NIfTI files that are nobody's.
        sequence: As for `survey`.
        choice: As for `survey`.
        looker: As for `survey`.

    Raises:
        NoScanError: There are such files, no series can be used, and there are no other scans.
    """
    paths: list[Path] = []
    closed: list[FileFate] = []
    used = {path for one in scans for fate in one.fates for path in fate.paths}
    for one in files:
        if one.why or one.path in used or (scans and _is_surely_none(one)):
            continue
        try:
            if is_dicom(one.path):
                paths.append(one.path)
        except ImageError as error:
            closed.append(FileFate((one.path,), Fate.unreadable, str(error)))
    try:
        subjects, others = dicom_subjects(paths, sequence, choice, looker, alone=not scans)
        return subjects, [*others, *closed]
    except NoSeriesError as error:
        fates = [*loose, *closed, *fates_of_none(error)]
        raise NoScanError(str(error), [*fates, *_beside(files, fates)]) from error


def _is_surely_none(one: Found) -> bool:
    """Whether a file is no DICOM by its name, or is of a task of the Decathlon."""
    return one.msd is not None or nifti.is_nifti(one.path) or one.path.name.lower().endswith(_NO_SCANS)


def _beside(files: list[Found], known: list[FileFate]) -> list[FileFate]:
    """The fates of all files that are not known yet."""
    seen = {path for one in known for path in one.paths}
    scans = {sidecar_path(path): one for one in known for path in one.paths if nifti.is_nifti(path)}
    fates = []
    for one in files:
        if one.path in seen:
            continue
        why, fate = one.why, Fate.left_out if one.is_readable else Fate.unreadable
        if not why and one.msd is not None:
            described = one.msd / "dataset.json"
            why = "names the channels" if one.path == described else f"is none of the scans of {described}"
        if not why and _is_empty_slice(one.path):
            why, fate = "is empty (0 bytes); fetch it again", Fate.unreadable
        if not why and (scan := scans.get(one.path)) is not None:
            is_used = scan.fate is Fate.used
            why = "is a sidecar that its scan is named without" if is_used else f"goes with {scan.path.name}"
        if not why and one.path.name.lower().endswith(nifti_pair.VOXELS):
            why = f"has no header {nifti_pair.parts_of(one.path)[0].name} beside it"
        fates.append(FileFate((one.path,), fate, why or "is neither NIfTI nor DICOM"))
    return fates


def _is_empty_slice(path: Path) -> bool:
    """Whether an empty file is called as slices are: x.dcm, IM0001."""
    is_one = path.name.lower().endswith((".dcm", ".ima", ".dcm.gz")) or re.fullmatch(r"\w*\d", path.name)
    return bool(is_one) and path.is_file() and path.stat().st_size == 0


def _from_file(
    path: Path, sequence: str | None, choice: Choice | None, looker: Looker | None
) -> Iterator[Subject]:
    if not nifti.is_nifti(path):
        if is_dicom(path) and len(read_headers(path, ())) > 1:
            yield from dicom_subjects([path], sequence, choice, looker)[0]
            return
        if is_dicom(path):
            raise ImageError(f"{path}: is one DICOM file; give the folder that holds its whole series")
        if (header := nifti_pair.parts_of(path)[0]) != path and header.is_file():
            raise ImageError(f"{path}: holds the voxels of {header.name}; give that file")
        raise ImageError(
            f"{path}: the name does not end with .nii or .nii.gz, so this is no scan in NIfTI format"
        )
    task = path.parent.parent
    if sequence is None and is_msd(task):
        yield from (subject for subject in subjects_of_task(task) if subject.id == nifti.stem(path))
        return
    file = read_name(path, sequence)
    if sequence is not None:
        subject = file.subject or nifti.stem(path)
        file = replace(file, role="image", sequence=sequence, subject=subject, why=f"sequence={sequence}")
    elif file.role == "other":
        ((file, _),) = named_by_content([_of_folder(file, alone=True)], looker)
    if file.role == "other" and file.sequence is not None:
        raise ImageError(
            f"{path}: is part-{file.entities['part']} and no magnitude; give the file of part-mag, or set "
            "sequence= to have this one taken"
        )
    if file.role == "doubtful":
        raise ImageError(file.why)
    if file.role != "image":
        raise ImageError(
            f"{path}: the name does not say which sequence this is ({file.why}); set sequence= to one of "
            f"{', '.join(SEQUENCES)}, or rename it, e.g. to {nifti.stem(path)}_t1.nii.gz"
        )
    yield subject_of([file])


def _reasons(loose: list[FileFate]) -> str:
    """Why the first NIfTI files are no scans; nothing where there are none."""
    said = [f"{one.path.name} ({one.why})" for one in loose if nifti.is_nifti(one.path)]
    more = f"; and {len(said) - 3} more" if len(said) > 3 else ""
    return f": {'; '.join(said[:3])}{more}" if said else ""


def _content(path: Path) -> str:
    names = sorted((entry.name for entry in path.iterdir()), key=natural)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "nothing"
