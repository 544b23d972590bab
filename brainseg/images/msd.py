"""Tasks of the Medical Segmentation Decathlon: all sequences of a subject are channels of one file."""

import re
from collections.abc import Iterator
from pathlib import Path

from brainseg.config import SEQUENCES
from brainseg.config.errors import DataError, UnreadableError
from brainseg.files.plain import read_json
from brainseg.images import nifti
from brainseg.images.fates import Fate, FileFate
from brainseg.images.file_names import ALIASES
from brainseg.images.source import Source
from brainseg.images.subject import Subject, tumor_type_of


def is_msd(folder: Path) -> bool:
    """Whether a folder is a task of the Medical Segmentation Decathlon."""
    return (folder / "dataset.json").is_file() and (
        (folder / "imagesTr").is_dir() or (folder / "imagesTs").is_dir()
    )


def subjects_of_task(folder: Path) -> Iterator[Subject]:
    """The subjects of a task, those to train on first.

    Raises:
        DataError: dataset.json does not name the channels.
    """
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
                fates=_msd_fates(path, truth if truth.exists() else None),
            )


def _msd_fates(path: Path, truth: Path | None) -> tuple[FileFate, ...]:
    used = FileFate((path,), Fate.used, "its channels are named in dataset.json", "all channels")
    if truth is None:
        return (used,)
    return used, FileFate((truth,), Fate.used, f"is called as {path.name}", "truth")


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
