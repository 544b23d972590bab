"""Names in BIDS: `sub-01_ses-2_run-1_T1w.nii.gz` is key-value pairs, with the kind of image at the end.

Source: the Brain Imaging Data Structure, 1.10, appendix "Entities" for their order.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from brainseg.config.errors import UnreadableError
from brainseg.files.plain import read_json
from brainseg.images import nifti

DESCRIPTION = "dataset_description.json"
SUFFIXES = {"t1": "T1w", "t1ce": "T1w", "t2": "T2w", "flair": "FLAIR"}  # t1ce has ce- too
# The keys that a raw file or a derivative in anat/ may have, in the order that BIDS demands.
ORDER = (
    "sub",
    "ses",
    "task",
    "acq",
    "ce",
    "rec",
    "run",
    "echo",
    "part",
    "space",
    "seg",
    "res",
    "label",
    "desc",
)
# Folders of a BIDS data set that hold no subjects.
NOT_SUBJECTS = ("derivatives", "sourcedata", "code", "stimuli", "phenotype")


def is_anatomical(path: Path) -> bool:
    """Whether a file is named and placed as BIDS does for structural scans: `anat/sub-...`."""
    return Path(os.path.abspath(path)).parent.name == "anat" and path.name.startswith("sub-")


def entities(path: Path) -> dict[str, str]:
    """The key-value pairs of a name in its order: {"sub": "01", "run": "2"} for sub-01_run-2_T1w.nii.gz."""
    *pairs, _ = nifti.stem(path).split("_")
    return dict(pair.split("-", 1) for pair in pairs if "-" in pair)


def file_name(pairs: Mapping[str, str], ending: str) -> str:
    """The pairs in BIDS's order and an ending such as T1w.nii.gz; empty values are left out."""
    values = {key: cleaned(pairs[key]) for key in ORDER if key in pairs}
    return "_".join([*(f"{key}-{value}" for key, value in values.items() if value), ending])


def cleaned(label: str) -> str:
    """Letters and digits of ASCII, all that a BIDS label may hold."""
    return re.sub(r"[^A-Za-z0-9]", "", label)


def root_of(path: Path) -> Path | None:
    """The data set that an anatomical file lies in, above its sub-... folder; None without one."""
    folders = Path(os.path.abspath(path)).parents[1:3]  # above anat/: perhaps a session's, and the subject's
    return next((folder.parent for folder in folders if folder.name.startswith("sub-")), None)


def is_root(folder: Path, folders: list[str]) -> bool:
    """Whether a folder is a data set's, by its description or by its subjects."""
    return (folder / DESCRIPTION).is_file() or any(name.startswith("sub-") for name in folders)


def is_derivative(folder: Path) -> bool:
    """Whether a folder's description says that programs made what is in it."""
    try:
        return bool(read_json(folder / DESCRIPTION).get("DatasetType") == "derivative")
    except (OSError, UnreadableError):
        return False
