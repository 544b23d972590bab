"""The files of one subject: which one to take where several claim the same sequence."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from brainseg.config import SEQUENCES
from brainseg.config.errors import ImageError
from brainseg.images import nifti
from brainseg.images.fates import Fate, FileFate
from brainseg.images.file_names import BY_LAST_WORD, BY_WORDS, NamedFile
from brainseg.images.preference import Choice, deciding, words_of
from brainseg.images.scan_files import are_copies, fates_of
from brainseg.images.sidecar import contradiction
from brainseg.images.source import Source

_TUMOR_TYPES = {"brats-men": "meningioma", "brats-met": None, "brats": "glioma"}


@dataclass(frozen=True)
class Subject:
    """The files of one subject, or of one visit.

    Attributes:
        id: Unique among the subjects found together.
        patient: Whose visit it is; the same for all visits of one patient.
        layout: One of the table above; `labels.detect` takes it.
        images: By sequence, in the order of `SEQUENCES`.
        truth: The tumour label map.
        brain_mask: The subject's, or else that of its first sequence, which then holds on that
            sequence's grid.
        tumor_type: What the data set is about, where its name says so: BraTS-MEN, or glioma for the rest.
        brain_masks: Masks named by sequence (`X_T2w_brainmask`), each on that sequence's grid.
        warnings: What had to be chosen or supposed to find the images, a sentence each.
        fault: Why the subject cannot be used, such as two files of one sequence; it has no images then.
        fates: What became of each of its files.
        from_folder: Whether the id is its folder's name.
        label_fault: Why it cannot be learnt from or evaluated on: two files claim to be its label map or its
            brain mask, of which none is taken. A prediction needs neither.
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
    fault: str | None = None
    fates: tuple[FileFate, ...] = ()
    from_folder: bool = False
    patient: str = ""
    label_fault: str | None = None

    def mask_of(self, sequence: str) -> Path | None:
        """The brain mask of a sequence: its own, else that of the subject."""
        return self.brain_masks.get(sequence) or self.brain_mask

    def refuse_labels(self) -> None:
        """Refuse a subject of which nobody knows which label map or mask to take, or that has a fault.

        Raises:
            ImageError: It says why.
        """
        self.refuse_fault()
        if self.label_fault is not None:
            raise ImageError(self.label_fault)

    def refuse_fault(self) -> None:
        """Refuse a subject that cannot be used.

        Raises:
            ImageError: It says why.
        """
        if self.fault is not None:
            raise ImageError(self.fault)


class _Choice:
    """The files of a subject as they are chosen among, with what becomes of each that is left."""

    def __init__(self, files: list[NamedFile]) -> None:
        self.files = files
        self.fates: list[FileFate] = []
        self.remarks: list[str] = []
        self.label_fault: str | None = None

    def without(self, files: Iterable[NamedFile], why: str, fate: Fate = Fate.left_out) -> None:
        gone = list(files)
        self.fates += [each for one in gone for each in fates_of(one.path, fate, why)]
        self.files = [one for one in self.files if not any(one is other for other in gone)]

    def of(self, role: str) -> list[NamedFile]:
        return [one for one in self.files if one.role == role]


def subject_of(files: list[NamedFile], rule: Choice | None = None) -> Subject:
    """The subject that these files are of; its fault says where they do not fit together."""
    first = next((f for f in files if f.role == "image"), files[0])
    choice = _Choice(files)
    try:
        _choose(choice, rule or Choice())
    except ImageError as error:
        return _faulty(first, files, str(error))
    return _chosen(first, choice)


def with_labels(subject: Subject, files: list[NamedFile]) -> Subject:
    """A subject of DICOM files with the label map and the masks that lie beside them as NIfTI files."""
    choice = _Choice(files)
    for one in [f for f in files if f.role not in ("truth", "mask")]:
        choice.without([one], one.why)
    _keep_one_each(choice, Choice())
    masks = {f.sequence: f.path for f in choice.of("mask")}
    by_sequence = {name: masks[name] for name in SEQUENCES if name in masks}
    first = next(iter(subject.images), None)
    used = [one for f in choice.files for one in fates_of(f.path, Fate.used, f.why, f.used_as)]
    return replace(
        subject,
        truth=next((f.path for f in choice.of("truth")), None),
        brain_mask=masks.get(None) or (by_sequence.get(first) if first else None),
        brain_masks=by_sequence,
        warnings=(*subject.warnings, *choice.remarks),
        fates=(*subject.fates, *used, *choice.fates),
        label_fault=choice.label_fault,
    )


def _choose(choice: _Choice, rule: Choice) -> None:
    for one in choice.of("doubtful"):
        raise ImageError(one.why)
    for one in choice.of("other"):
        choice.without([one], one.why)
    _keep_own_grids(choice)
    _keep_last_run(choice)
    _keep_one_each(choice, rule)


def _chosen(first: NamedFile, choice: _Choice) -> Subject:
    images = {f.sequence: f for f in choice.of("image")}
    masks = {f.sequence: f.path for f in choice.of("mask")}
    ordered = {name: images[name] for name in SEQUENCES if name in images}
    by_sequence = {name: masks[name] for name in SEQUENCES if name in masks}
    truth = next((f.path for f in choice.of("truth")), None)
    used = [one for f in choice.files for one in fates_of(f.path, Fate.used, f.why, f.used_as)]
    used += [
        FileFate((f.sidecar,), Fate.used, f"names {f.path.name}", f.used_as)
        for f in choice.files
        if f.sidecar is not None
    ]
    identity, of = identity_of(first), next((f.of for f in ordered.values() if f.of is not None), None)
    return Subject(
        id=identity,
        folder=first.path.parent,
        layout=_layout([*choice.files]) if of is None else of.layout,
        images={name: Source(one.path) for name, one in ordered.items()},
        truth=truth,
        brain_mask=masks.get(None) or by_sequence.get(next(iter(ordered))),
        tumor_type=tumor_type_of(identity) if of is None else of.tumor_type,
        brain_masks=by_sequence,
        warnings=(*choice.remarks, *filter(None, map(_remark, ordered.values()))),
        fates=(*used, *choice.fates),
        from_folder=_is_from_folder(first),
        patient=_patient_of(choice.files),
        label_fault=choice.label_fault,
    )


def _remark(file: NamedFile) -> str:
    """What a person should know of how a scan was recognised."""
    if file.remark or file.sidecar is not None or file.sequence is None:
        return file.remark
    return contradiction(file.path, file.sequence)


def _faulty(first: NamedFile, files: list[NamedFile], fault: str) -> Subject:
    why = {id(one): one.why if one.role == "other" else f"its subject has a fault: {fault}" for one in files}
    fates = tuple(each for one in files for each in fates_of(one.path, Fate.left_out, why[id(one)]))
    return Subject(
        identity_of(first),
        first.path.parent,
        "loose",
        {},
        fault=fault,
        fates=fates,
        from_folder=_is_from_folder(first),
        patient=_patient_of(files),
    )


def _keep_own_grids(choice: _Choice) -> None:
    """Drop BIDS's copies on other grids (space-...) of what is there on its own."""
    own = {(file.role, file.sequence) for file in choice.files if "space" not in file.entities}
    moved = [f for f in choice.files if "space" in f.entities and (f.role, f.sequence) in own]
    choice.without(moved, "lies on another grid (space-), and its own is there")


def _keep_last_run(choice: _Choice) -> None:
    """The highest run of scans whose BIDS names differ in nothing else; truths and masks of the runs kept."""
    runs: dict[tuple[Any, ...], list[NamedFile]] = defaultdict(list)
    for file in choice.files:
        others = tuple(pair for pair in file.entities.items() if pair[0] != "run" or not file.run)
        runs[file.role, file.sequence, others].append(file)
    for (role, sequence, _), same in runs.items():
        last = max(file.run for file in same)
        earlier = [file for file in same if file.run < last]
        choice.without(earlier, f"run {last} is the last one")
        if role == "image" and earlier:
            names = ", ".join(file.path.name for file in earlier)
            choice.remarks.append(
                f"{sequence} is run {last}, the last one; left out: {names} "
                "(give input= such a file to predict it)"
            )
    scanned = {file.run for file in choice.of("image")}
    of_others = [
        f for f in choice.files if f.role != "image" and "run" in f.entities and f.run not in scanned
    ]
    choice.without(of_others, "is of a run that is left out")


def _keep_one_each(choice: _Choice, rule: Choice) -> None:
    """One file for each role and sequence: no copies, and the one whose name says most.

    Raises:
        ImageError: Two that differ say the same.
    """
    claims: dict[tuple[str, str | None], list[NamedFile]] = defaultdict(list)
    for file in sorted(choice.files, key=lambda file: (file.rank, file.is_again)):
        claims[file.role, file.sequence].append(file)
    for several in claims.values():
        first, kept = several[0], several[:1]
        for file in several[1:]:
            if are_copies(first.path, file.path):
                choice.without([file], f"copy of {first.path.name}", Fate.copy)
            elif file.rank > first.rank:
                choice.without([file], f"{first.path.name} goes first as the {_what(file)}")
                if file.rank in (BY_LAST_WORD, BY_WORDS) and file.role == "image":
                    aside = f"{file.path.name} may be one too and was left out"
                    choice.remarks.append(f"{_what(file)} is {first.path.name}; {aside}")
            elif file.is_again and not first.is_again:
                choice.without([file], f"is called as a copy of {first.path.name}, but differs from it")
                choice.remarks.append(
                    f"{_what(file)} is {first.path.name}; {file.path.name} is called as its copy, but "
                    "differs from it, and was left out"
                )
            elif why := _decided(first, file, rule):
                choice.without([file], f"{first.path.name} goes first as the {_what(file)}: {why}")
                choice.remarks.append(f"{_what(file)} is {first.path.name}, not {file.path.name}: {why}")
            elif why := _decided(file, first, rule):
                choice.without([first], f"{file.path.name} goes first as the {_what(file)}: {why}")
                choice.remarks.append(f"{_what(file)} is {file.path.name}, not {first.path.name}: {why}")
                first, kept[0] = file, file
            else:
                kept.append(file)
        if len(kept) > 1:
            _refuse_both(choice, kept)


def _decided(one: NamedFile, other: NamedFile, rule: Choice) -> str:
    """What makes one of two BIDS scans go before the other, such as rec-norm; nothing if no rule does."""
    if one.role != "image" or not one.entities:
        return ""
    return deciding(words_of([one.path.name]), words_of([other.path.name]), rule.words)


def _refuse_both(choice: _Choice, several: list[NamedFile]) -> None:
    """Refuse scans that claim one sequence; label maps, without which a scan can be predicted, are put aside.

    Raises:
        ImageError: They are scans.
    """
    one, other = several[:2]
    said = f"{one.path} and {other.path.name} both claim to be the {_what(other)} of one subject; "
    said += _advice(other)
    if other.role == "image":
        raise ImageError(said)
    choice.label_fault = choice.label_fault or said
    choice.without(several, f"several claim to be the {_what(other)} of one subject, so none is taken")
    choice.remarks.append(f"no {_what(other)} was taken: {said}")


def _what(file: NamedFile) -> str:
    return " ".join(word for word in (file.sequence, file.role) if word and word != "image")


def _advice(file: NamedFile) -> str:
    if file.entities:
        return "move one of them out of the data set, or give input= the one that is wanted"
    return "move one of them away"


def identity_of(file: NamedFile) -> str:
    if file.entities:
        return "_".join(re.findall(r"(?:sub|ses)-[^_]+", nifti.stem(file.path)))
    return file.subject or file.path.parent.resolve().name


def _patient_of(files: list[NamedFile]) -> str:
    """Whose visit it is, where a name says so; nothing where the folders say it: `patients`."""
    said = (f"sub-{one.entities['sub']}" if "sub" in one.entities else one.patient for one in files)
    return next(filter(None, said), "")


def _is_from_folder(file: NamedFile) -> bool:
    return not file.entities and not file.subject


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
