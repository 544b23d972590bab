"""The patients of the Kaggle LGG set below a folder: the colours of their pictures are their sequences."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from brainseg.config.errors import DataError, ImageError
from brainseg.images import nifti
from brainseg.images.fates import Fate, FileFate
from brainseg.images.found import Survey
from brainseg.images.ids import with_patients
from brainseg.images.jpeg import opened
from brainseg.images.lgg import CHANNELS, NAME, assumption, sequences_of, slices_of
from brainseg.images.patients import with_patient
from brainseg.images.source import Source
from brainseg.images.subject import Subject
from brainseg.images.walk import Found, walked

LAYOUT = "lgg"


def survey_patients(root: Path) -> Survey:
    """The patients below a folder, each with its folder in the place of every image and of the truth.

    Every file is accounted for.

    Raises:
        DataError: There is none.
    """
    folders = sorted({path.parent for path in root.rglob("*_mask.tif*") if NAME.fullmatch(path.name)})
    if not folders:
        raise DataError(f"{root}: holds no PATIENT/PATIENT_1.tif with PATIENT_1_mask.tif; check the folder")
    fates = [_fate(one, set(folders)) for one in walked(root)]
    subjects = [
        Subject(
            folder.name,
            folder,
            LAYOUT,
            {name: Source(folder) for name in CHANNELS},
            truth=folder,
            fates=tuple(one for one in fates if one.subject and one.path.parent == folder),
        )
        for folder in folders
    ]
    return Survey([with_patient(one, one.id, root) for one in subjects], fates)


def _fate(file: Found, folders: set[Path]) -> FileFate:
    path, name = file.path, NAME.fullmatch(file.path.name)
    subject = path.parent.name if path.parent in folders else ""
    if not file.is_readable:
        return FileFate((path,), Fate.unreadable, file.why)
    if name is None or not subject or path.name.startswith("."):
        why = file.why or "is no slice or mask of a patient by its name"
        return FileFate((path,), Fate.left_out, why, subject=subject)
    role = "truth" if name["mask"] else "slice"
    return FileFate((path,), Fate.used, f"slice {name['number']} by its name", role, subject)


def survey_lgg(root: Path) -> Survey | None:
    """The patients below a folder for a prediction; None where there is none, or a NIfTI scan.

    A patient is a folder with `FOLDER_1.tif` and so on, in whose colours different pictures are. It needs no
    masks. A sequence that is FLAIR once more is left out with a warning.
    """
    if not root.is_dir():
        return None
    files = list(walked(root))
    if any(nifti.is_nifti(one.path) for one in files if not one.why):
        return None
    named = {one.path.parent for one in files if not one.why and _is_slice(one.path)}
    subjects = [subject for folder in sorted(named) if (subject := _patient(folder)) is not None]
    if not subjects:
        return None
    subjects = with_patients(subjects, root)
    used = {path for subject in subjects for one in subject.fates for path in one.paths}
    others = [_left_out(one) for one in files if one.path not in used]
    whole = [
        replace(one, fates=tuple(replace(fate, subject=one.id) for fate in one.fates)) for one in subjects
    ]
    return Survey(whole, [*(fate for one in whole for fate in one.fates), *others])


def _is_slice(path: Path) -> bool:
    name = NAME.fullmatch(path.name)
    return name is not None and not name["mask"] and name["patient"] == path.parent.name


def _are_in_colour(pictures: Iterable[Path]) -> bool:
    """Whether the first of them that can be opened has three colours."""
    for path in pictures:
        with suppress(ImageError), opened(path) as image:
            return image.mode == "RGB"
    return False


def _left_out(file: Found) -> FileFate:
    fate = Fate.left_out if file.is_readable else Fate.unreadable
    return FileFate((file.path,), fate, file.why or "is no slice or mask of a patient by its name")


def _patient(folder: Path) -> Subject | None:
    """The patient in a folder; None where its pictures are grey, and so are no more than pictures."""
    masks = tuple(sorted(one for one in folder.glob("*_mask.tif*") if NAME.fullmatch(one.name)))
    pictures = tuple(sorted(one for one in folder.iterdir() if _is_slice(one)))
    if not _are_in_colour(pictures):
        return None
    try:
        slices = slices_of(folder)
        there = sequences_of(slices)
    except ImageError as error:
        if not masks:  # nothing says that the folder is a patient of the set
            return None
        unused = FileFate((*pictures, *masks), Fate.left_out, f"its subject has a fault: {error}")
        return Subject(folder.name, folder, LAYOUT, {}, fault=str(error), fates=(unused,), from_folder=True)
    if len(slices) < 2 or (len(there) == 1 and not masks):
        return None
    why = f"colours of its pictures; {assumption(len(slices))}"
    fates = [FileFate(tuple(slices), Fate.used, why, ", ".join(there))]
    if masks:
        fates.append(FileFate(masks, Fate.used, "masks of the whole tumour by their names", "truth"))
    return Subject(
        folder.name,
        folder,
        LAYOUT,
        {name: Source(folder, channel, pictures=tuple(slices)) for name, channel in there.items()},
        warnings=tuple(
            f"{name} is left out, as the pictures show FLAIR in its colour"
            for name in CHANNELS
            if name not in there
        ),
        fates=tuple(fates),
        from_folder=True,
    )
