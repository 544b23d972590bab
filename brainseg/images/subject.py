"""The files of one subject: which one to take where several claim the same sequence."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainseg.config import SEQUENCES
from brainseg.config.errors import ImageError
from brainseg.images import nifti
from brainseg.images.file_names import NamedFile
from brainseg.images.source import Source

_TUMOR_TYPES = {"brats-men": "meningioma", "brats-met": None, "brats": "glioma"}


@dataclass(frozen=True)
class Subject:
    """The files of one subject, or of one visit.

    Attributes:
        id: Unique among the subjects found together.
        layout: One of the table above; `labels.detect` takes it.
        images: By sequence, in the order of `SEQUENCES`.
        truth: The tumour label map.
        brain_mask: The subject's, or else that of its first sequence, which then holds on that
            sequence's grid.
        tumor_type: What the data set is about, where its name says so: BraTS-MEN, or glioma for the rest.
        brain_masks: Masks named by sequence (`X_T2w_brainmask`), each on that sequence's grid.
        warnings: What had to be chosen or supposed to find the images, a sentence each.
    """

    id: str
    folder: Path
    layout: str
    images: dict[str, Source]
    truth: Path | None = None
    brain_mask: Path | None = None
    tumor_type: str | None = None
    brain_masks: dict[str, Path] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def subject_of(files: list[NamedFile]) -> Subject:
    files, remarks = _of_the_last_run(_on_their_own_grid(files))
    images = {f.sequence: f.path for f in _single([f for f in files if f.role == "image"])}
    truths = _single([f for f in files if f.role == "truth"])
    masks = {f.sequence: f.path for f in _single([f for f in files if f.role == "mask"])}
    ordered = {name: Source(images[name]) for name in SEQUENCES if name in images}
    by_sequence = {name: masks[name] for name in SEQUENCES if name in masks}
    first = next((f for f in files if f.role == "image"), files[0])
    identity = identity_of(first)
    return Subject(
        id=identity,
        folder=first.path.parent,
        layout=_layout(files),
        images=ordered,
        truth=truths[0].path if truths else None,
        brain_mask=masks.get(None) or by_sequence.get(next(iter(ordered))),
        tumor_type=tumor_type_of(identity),
        brain_masks=by_sequence,
        warnings=tuple(remarks),
    )


def _on_their_own_grid(files: list[NamedFile]) -> list[NamedFile]:
    """Without BIDS's copies on other grids (space-...) of what is there on its own."""
    own = {(file.role, file.sequence) for file in files if "space" not in file.entities}
    return [f for f in files if "space" not in f.entities or (f.role, f.sequence) not in own]


def _of_the_last_run(files: list[NamedFile]) -> tuple[list[NamedFile], list[str]]:
    """The highest run of scans whose BIDS names differ in nothing else; truths and masks of the runs kept."""
    runs: dict[tuple[Any, ...], list[NamedFile]] = defaultdict(list)
    for file in files:
        others = tuple(pair for pair in file.entities.items() if pair[0] != "run" or not file.run)
        runs[file.role, file.sequence, others].append(file)
    kept, remarks = [], []
    for (role, sequence, _), same in runs.items():
        last = max(file.run for file in same)
        earlier = [file.path.name for file in same if file.run < last]
        kept += [file for file in same if file.run == last]
        if role == "image" and earlier:
            remarks.append(
                f"{sequence} is run {last}, the last one; left out: {', '.join(earlier)} "
                "(give input= such a file to predict it)"
            )
    scanned = {file.run for file in kept if file.role == "image"}
    return [f for f in kept if f.role == "image" or "run" not in f.entities or f.run in scanned], remarks


def _single(files: list[NamedFile]) -> list[NamedFile]:
    claimed: dict[str | None, NamedFile] = {}
    for file in files:
        other = claimed.setdefault(file.sequence, file)
        if other is not file:
            what = " ".join(word for word in (file.sequence, file.role) if word and word != "image")
            raise ImageError(
                f"{other.path} and {file.path.name} both claim to be the {what} of one subject; "
                + _advice(file)
            )
    return files


def _advice(file: NamedFile) -> str:
    if file.entities:
        return "move one of them out of the data set, or give input= the one that is wanted"
    return "move one of them away"


def identity_of(file: NamedFile) -> str:
    if file.entities:
        return "_".join(re.findall(r"(?:sub|ses)-[^_]+", nifti.stem(file.path)))
    return file.subject or file.path.parent.resolve().name


def _layout(files: list[NamedFile]) -> str:
    images = [file for file in files if file.role == "image"]
    words = {file.word for file in images}
    joints = {file.joint for file in images}
    if images[0].entities:
        return "bids"
    if joints == {"-"} and words <= {"t1n", "t1c", "t2w", "t2f"}:
        return "brats-2023"
    is_brats = images[0].subject.lower().startswith("brats") or "t1ce" in words
    if joints == {"_"} and words <= {"t1", "t1ce", "t2", "flair"} and is_brats:
        return "brats-2018"
    if words == {"T1w"} and any(file.role == "mask" for file in files):
        return "nfbs"
    return "loose"


def tumor_type_of(identity: str) -> str | None:
    matches = (kind for start, kind in _TUMOR_TYPES.items() if identity.lower().startswith(start))
    return next(matches, None)
