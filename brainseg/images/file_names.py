"""What the name of a file says: which sequence it holds, or that it is a truth or a mask, and whose it is.

`ALIASES` is the table; `layouts` explains the rules.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from brainseg.config.errors import ImageError
from brainseg.images import bids, nifti

ALIASES: dict[str, str] = {
    **dict.fromkeys(("t1", "t1w", "t1n"), "t1"),
    **{
        t1 + agent: "t1ce"
        for t1 in ("t1", "t1w")
        for agent in ("ce", "c", "+c", "gd", "post", "km", "contrast")
    },
    **dict.fromkeys(("t2", "t2w"), "t2"),
    **dict.fromkeys(("flair", "t2f", "t2flair", "t2wflair"), "flair"),
}
_TRUTH = {"seg", "dseg", "segm"}
# A file whose last word is one of these is made from a scan: a caller's `sequence=` does not make it one.
_MADE = {
    *("brain", "stripped", "mask", "label", "labels", "tumor", "tumour"),
    *("probability", "probabilities", "uncertainty"),
}
# One truth file of BraTS 2020 is shipped under the name it had at its hospital.
_ODD_NAMES = {"W39_1998.09.19_Segm": "BraTS20_Training_355_seg"}


@dataclass(frozen=True)
class NamedFile:
    """What a file's name says.

    Attributes:
        subject: The name before the word that names the sequence or the role.
        role: "image", "truth", "mask" or "other".
        word: The word that names the sequence, as written, e.g. "t1n".
        joint: The character before it.
        entities: The key-value pairs of a BIDS name; none elsewhere.
    """

    path: Path
    subject: str
    role: str
    sequence: str | None = None
    word: str = ""
    joint: str = ""
    entities: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> int:
        """The number in a BIDS name; 0 where there is none, or where it is no number."""
        label = self.entities.get("run", "")
        return int(label) if label.isdecimal() else 0


def read_name(path: Path, sequence: str | None = None) -> NamedFile:
    """What a file's name says; nothing is opened.

    Args:
        path: A NIfTI file.
        sequence: What the file holds where its name does not say it.

    Raises:
        ImageError: The name has two meanings.
    """
    if not bids.is_anatomical(path):
        return _by_words(path, sequence)
    file = replace(_by_words(path, sequence), entities=bids.entities(path))
    is_phase = file.entities.get("part", "mag") != "mag"
    is_of_the_brain = file.role == "truth" and _is_of_the_brain(file.entities)
    return replace(file, role="other") if is_phase or is_of_the_brain else file


def _is_of_the_brain(entities: dict[str, str]) -> bool:
    """Whether a BIDS label map is one of several, and not that of the tumour."""
    return entities.get("desc", "tumor") != "tumor" or "seg" in entities or "atlas" in entities


def _by_words(path: Path, sequence: str | None) -> NamedFile:
    name = nifti.stem(path)
    name = _ODD_NAMES.get(name, name)
    words = [(match.start(), match.group()) for match in re.finditer(r"[^_\-. ]+", name)]
    last = words[-1][1].lower() if words else ""
    if last in _TRUTH:
        return NamedFile(path, _before(name, words[-1][0]), "truth")
    if last == "brainmask":
        scan = _by_words(path.with_name(_before(name, words[-1][0]) + ".nii"), None)
        return replace(scan, path=path, role="mask")
    for start, _ in words[-2:]:
        if found := ALIASES.get("".join(word for begin, word in words if begin >= start).lower()):
            _refuse_time_points(path, words)
            if found == "t1" and re.search(r"_ce-[^_]+_", name):  # BIDS: a T1w with contrast agent
                found = "t1ce"
            return NamedFile(
                path, _before(name, start), "image", found, name[start:], name[start - 1 : start]
            )
    if sequence is not None and last not in _MADE:
        return NamedFile(path, name, "image", sequence)
    return NamedFile(path, name, "other")


def _refuse_time_points(path: Path, words: list[tuple[int, str]]) -> None:
    is_a_value = bids.is_anatomical(path) and "t1" in map(str.lower, bids.entities(path).values())
    if [word.lower() for _, word in words[-2:]] == ["t1", "flair"] and not is_a_value:
        raise ImageError(
            f"{path}: may be a T1-weighted FLAIR or the FLAIR of time point 1; rename it, "
            "e.g. to end with _t1 or with tp1_flair"
        )


def _before(name: str, start: int) -> str:
    return name[:start].rstrip("_-. ")
