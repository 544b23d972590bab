"""Finding a subject's files by their names, in the layouts that data sets come in.

Which sequence a file holds is read from the last word of its name, or the last two, never from the order of
files. `file_names.ALIASES` is the table; words are parted by `_`, `-`, `.` or a space, and case does not
matter. "mprage" and the like are not in the table: they say nothing about contrast agent, and nobody would
notice a wrong guess.

| layout     | files of a subject                                                                     |
| ---------- | -------------------------------------------------------------------------------------- |
| brats-2018 | `X_flair.nii[.gz]`, `_t1`, `_t1ce`, `_t2`, truth `_seg`; BraTS up to 2021               |
| brats-2023 | `X-t1n.nii.gz`, `-t1c`, `-t2w`, `-t2f`, truth `-seg`                                     |
| nfbs       | `X_T1w.nii.gz`, `X_T1w_brainmask`; the stripped `X_T1w_brain` is left out                |
| msd        | `imagesTr/X.nii.gz` with channels named in `dataset.json`, truth `labelsTr/X.nii.gz`     |
| bids       | `sub-X/[ses-Y/]anat/*_T1w.nii.gz`, `*_T2w`, `*_FLAIR`, truth `*_dseg`                    |
| loose      | any other files named by sequence, `_seg`, `_brainmask`                                  |
| dicom      | DICOM files of any name, sorted and named by their headers: `dicom_series`               |

Files with any other last word are left out, among them all that prediction writes
(`X_brain_mask.nii.gz`, ...); so are hidden files and macOS's `._X`. A folder is searched for DICOM where it
holds no NIfTI scan; where it holds both, NIfTI is read and a warning names the DICOM.

In BIDS each session is a subject of its own. The start may be a data set, a subject's folder, a session's,
its anat/, or a file.

| in BIDS                     | becomes                                                                      |
| --------------------------- | ---------------------------------------------------------------------------- |
| `ce-...` of a T1w           | t1ce                                                                         |
| several `run-...`           | the highest, mostly a repeat of one that failed; `warnings` says so          |
| several `acq-`, `rec-`, ... | refused: which one is wanted, a person must say                              |
| `part-phase`, `-real`, ...  | left out: no magnitude                                                       |
| `space-...`                 | left out where the same is there without: a copy on another grid             |
| `desc-...`                  | as without: fMRIPrep's `desc-preproc_T1w`, our own `desc-brain_T1w`          |
| dseg with `desc-`, `seg-`   | left out, but `desc-tumor`: parts of the brain and not of a tumour           |
| derivatives/, sourcedata/   | left out unless the start is there; code/ and other derivatives, too         |
"""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from brainseg.config import SEQUENCES
from brainseg.config.errors import DataError, GeometryError, ImageError, UnreadableError
from brainseg.files.plain import read_json
from brainseg.images import bids, nifti
from brainseg.images.dicom_file import is_dicom
from brainseg.images.dicom_header import read_headers
from brainseg.images.dicom_series import find_studies
from brainseg.images.file_names import ALIASES, NamedFile, read_name
from brainseg.images.preference import Choice
from brainseg.images.source import Source, read
from brainseg.images.subject import Subject, identity_of, subject_of, tumor_type_of
from brainseg.images.volume import Volume
from brainseg.system.pseudonyms import name_of

log = logging.getLogger("brainseg")


def find_subjects(
    path: str | Path, sequence: str | None = None, choice: Choice | None = None
) -> list[Subject]:
    """The subjects at a path, in natural order: a file, a subject's folder, or a data set's.

    Args:
        path: Searched to any depth, if a folder. A single file is a subject with that sequence only.
        sequence: The sequence of files, or of DICOM series, whose names do not say it. A single file or
            series is taken as this in any case.
        choice: How to choose between scans that claim one sequence.

    Raises:
        DataError: Nothing there, or no file that names a sequence.
        ImageError: Two files claim the same sequence of a subject; or a single file names none; or a DICOM
            header is damaged.
    """
    path = Path(path)
    if sequence is not None and sequence not in SEQUENCES:
        raise ImageError(f"sequence={sequence} is not known; take one of {', '.join(SEQUENCES)}")
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; check the path")
    subjects = list(_within(path, sequence) if path.is_dir() else _from_file(path, sequence, choice))
    if subjects and path.is_dir():
        _warn_of_dicom(path)
    subjects = subjects or list(_from_dicom(path, sequence, choice) if path.is_dir() else ())
    if not subjects:
        raise DataError(
            f"{path}: no scan found; looked for .nii or .nii.gz files whose names end with a sequence "
            "(_t1, _t1ce, _t2, _flair, or as in BraTS, NFBS, MSD or BIDS), and for DICOM files of any name; "
            f"the folder holds {_content(path)}"
        )
    return sorted(_with_unique_ids(subjects, path), key=lambda subject: natural(subject.id))


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
    return Volume(np.concatenate([volume.data for volume in volumes]), volumes[0].grid)


def _from_dicom(path: Path, sequence: str | None, choice: Choice | None) -> Iterator[Subject]:
    """The studies below a folder, or of one file of many slices."""
    files = [path] if path.is_file() else [file for file in _files(path) if is_dicom(file)]
    found = find_studies(files, sequence, choice)
    if found.faults and not found.studies:
        raise ImageError(found.faults[0].message)
    for fault in found.faults:
        log.error("%s is left out: %s", name_of(fault.id), fault.message)
    for study in found.studies:
        images = {name: Source(series.folder, series=series) for name, series in study.series.items()}
        yield Subject(study.id, study.folder, "dicom", images, warnings=study.warnings)


def _warn_of_dicom(folder: Path) -> None:
    """Warn that DICOM files in the folder are not read."""
    for path in _files(folder):
        with suppress(ImageError):  # a file that may not be read is none of ours here
            if not nifti.is_nifti(path) and is_dicom(path):
                log.warning(
                    "%s holds NIfTI scans, which are read, and DICOM files, which are not read (the first is "
                    "%s); give the folder of the DICOM files alone to read them",
                    folder,
                    path,
                )
                return


def _files(folder: Path) -> Iterator[Path]:
    return (parent / name for parent, names in _walked(folder) for name in names)


def _from_file(path: Path, sequence: str | None, choice: Choice | None) -> Iterator[Subject]:
    if not nifti.is_nifti(path):
        if is_dicom(path) and len(read_headers(path, ())) > 1:
            yield from _from_dicom(path, sequence, choice)
            return
        if is_dicom(path):
            raise ImageError(f"{path}: is one DICOM file; give the folder that holds its whole series")
        raise ImageError(
            f"{path}: the name does not end with .nii or .nii.gz, so this is no scan in NIfTI format"
        )
    task = path.parent.parent
    if sequence is None and _is_msd(task):
        yield from (subject for subject in _msd(task) if subject.id == nifti.stem(path))
        return
    file = read_name(path, sequence)
    if sequence is not None:
        file = replace(file, role="image", sequence=sequence, subject=file.subject or nifti.stem(path))
    if file.role == "other" and file.sequence is not None:
        raise ImageError(
            f"{path}: is part-{file.entities['part']} and no magnitude; give the file of part-mag, or set "
            "sequence= to have this one taken"
        )
    if file.role != "image":
        raise ImageError(
            f"{path}: the name does not say which sequence this is; set sequence= to one of "
            f"{', '.join(SEQUENCES)}, or rename it, e.g. to {nifti.stem(path)}_t1.nii.gz"
        )
    yield subject_of([file])


def _within(folder: Path, sequence: str | None) -> Iterator[Subject]:
    if folder.name in ("imagesTr", "imagesTs") and _is_msd(folder.parent):
        yield from (s for s in _msd(folder.parent) if s.folder == folder)
        return
    groups: dict[tuple[Path, str], list[NamedFile]] = defaultdict(list)
    for parent, names in _walked(folder):
        if _is_msd(parent):
            yield from _msd(parent)
            continue
        for name in filter(_is_scan_name, names):
            file = read_name(parent / name, sequence)
            # Names of one subject in BIDS differ in entities such as ce-.
            groups[parent, identity_of(file) if file.entities else file.subject].append(file)
    yield from (subject_of(files) for files in groups.values() if any(f.role == "image" for f in files))


def _walked(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder with its files but hidden ones; links are followed, each target once."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen or _is_msd(Path(parent)):
            folders.clear()
        folders[:] = sorted(f for f in folders if _may_hold_subjects(Path(parent), f, folders))
        if real not in seen:
            yield Path(parent), sorted((n for n in names if not n.startswith(".")), key=natural)
        seen.add(real)


def _may_hold_subjects(parent: Path, name: str, siblings: list[str]) -> bool:
    if name.startswith((".", "__")) or name == "derivatives":
        return False
    if name in bids.NOT_SUBJECTS and bids.is_root(parent, siblings):
        return False
    return not bids.is_derivative(parent / name)


def _is_scan_name(name: str) -> bool:
    return nifti.is_nifti(Path(name))


def _is_msd(folder: Path) -> bool:
    return (folder / "dataset.json").is_file() and (
        (folder / "imagesTr").is_dir() or (folder / "imagesTs").is_dir()
    )


def _msd(folder: Path) -> Iterator[Subject]:
    channels = _msd_channels(folder / "dataset.json")
    for images, labels in (("imagesTr", "labelsTr"), ("imagesTs", "labelsTs")):
        for path in sorted((folder / images).glob("[!.]*.nii*")):
            truth = folder / labels / path.name
            yield Subject(
                id=nifti.stem(path),
                folder=folder / images,
                layout="msd",
                images={name: Source(path, channels[name]) for name in SEQUENCES if name in channels},
                truth=truth if truth.exists() else None,
                tumor_type=tumor_type_of(nifti.stem(path)),
            )


def _msd_channels(description: Path) -> dict[str, int]:
    """Sequence to channel, by the names in `dataset.json`: {"modality": {"0": "FLAIR", "1": "T1w", ...}}."""
    try:
        modality = read_json(description)["modality"]
        named = {int(channel): str(name) for channel, name in modality.items()}
    except UnreadableError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f'{description}: has no "modality" list that names the channels ({error!r})'
        ) from error
    sequences = {c: ALIASES.get(re.sub(r"[_\-. ]", "", name).lower()) for c, name in named.items()}
    if None in sequences.values() or len(set(sequences.values())) < len(sequences):
        raise DataError(
            f"{description}: names the channels {', '.join(named.values())}; "
            f"each must be another one of {', '.join(SEQUENCES)}"
        )
    return {str(sequence): channel for channel, sequence in sequences.items()}


def _with_unique_ids(subjects: list[Subject], root: Path) -> Iterable[Subject]:
    """The same subjects; those that share a name get their folders' before it."""
    ids = [subject.id for subject in subjects]
    for subject in subjects:
        if ids.count(subject.id) == 1:
            yield subject
        else:
            parts = [part for part in subject.folder.relative_to(root).parts if part != subject.id]
            yield replace(subject, id="_".join([*parts, subject.id]))


def natural(text: str) -> list[tuple[int, str]]:
    """Sorts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def _content(path: Path) -> str:
    names = sorted((entry.name for entry in path.iterdir()), key=natural)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "nothing"
