"""Every file below a folder, with the reason why its folder is not searched for scans, if it is not."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from brainseg.images import bids
from brainseg.images.msd import is_msd


@dataclass(frozen=True)
class Found:
    """A file.

    Attributes:
        path: Below the folder that was walked.
        why: Why it is not looked at; empty where it is.
        msd: The folder of the MSD task that it lies in, if it does.
        is_readable: Not so for a folder that may not be listed.
    """

    path: Path
    why: str = ""
    msd: Path | None = None
    is_readable: bool = True


def walked(root: Path) -> Iterator[Found]:
    """All files in natural order of each folder; links to folders are followed, each target once."""
    seen: set[str] = set()
    closed: list[OSError] = []
    reasons: dict[str, tuple[str, Path | None]] = {}
    for parent, folders, names in os.walk(root, onerror=closed.append, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        here = Path(parent)
        why, msd = reasons.pop(parent, ("", here if is_msd(here) else None))
        msd = msd or (here if is_msd(here) else None)
        for name in folders:
            reasons[os.path.join(parent, name)] = why or _why_not(here, name, folders), msd
        folders.sort()
        for name in sorted(names, key=natural):
            yield Found(here / name, why or ("is hidden" if name.startswith(".") else ""), msd)
    for error in closed:
        why = f"is a folder that cannot be listed ({(error.strerror or str(error)).lower()})"
        yield Found(Path(error.filename), why, is_readable=False)


def _why_not(parent: Path, name: str, siblings: list[str]) -> str:
    """Why a folder is not searched; empty where it is."""
    if name.startswith((".", "__")):
        return f"lies in the hidden folder {name}"
    if name == "derivatives" or (name in bids.NOT_SUBJECTS and bids.is_root(parent, siblings)):
        return f"lies in {name}/, which holds no raw scans; give it as input= to read it"
    if bids.is_derivative(parent / name):
        return f"lies in {name}/, a BIDS derivative; give it as input= to read it"
    return ""


def natural(text: str) -> list[tuple[int, str]]:
    """Sorts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
