"""What the name of a file says: which sequence it holds, or that it is a truth or a mask, and whose it is.

The steps, first to last; `NamedFile.why` says which of them it was:

1. A public set's own names: `public_sets`.
2. Words for masks anywhere: such a file is never a scan, whatever else its name says.
3. The last word, or the last two joined: `ALIASES`.
4. The sidecar of dcm2niix, by the rules for DICOM headers: `sidecar`.
5. Words anywhere in the name, by the same rules.

Words are parted by `_`, `-`, `.` or a space, and case does not matter. BIDS names have steps 2 and 3 alone.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from brainseg.images import bids, nifti
from brainseg.images.dicom_naming import Named, named, says_weighting
from brainseg.images.public_sets import MASK, TRUTH, KnownName, PublicSet, known_name
from brainseg.images.sidecar import Sidecar, as_in_names, sidecar_of

ALIASES: dict[str, str] = {
    **dict.fromkeys(("t1", "t1w", "t1n", "3dt1", "t1pre", "t1native", "t1weighted"), "t1"),
    **{
        t1 + agent: "t1ce"
        for t1 in ("t1", "t1w")
        for agent in ("ce", "c", "+c", "gd", "post", "km", "contrast", "gad")
    },
    **dict.fromkeys(("ct1", "ct1w", "cet1", "3dt1ce", "3dt1c"), "t1ce"),
    **dict.fromkeys(("t2", "t2w", "3dt2", "t2weighted"), "t2"),
    **dict.fromkeys(("flair", "t2f", "t2flair", "t2wflair", "fla", "3dflair"), "flair"),
}
# Alone they may mean a time before or after surgery, so what they were taken for is said.
BY_AGENT = {"pre": "t1", "post": "t1ce"}
_TRUTH = {
    *("seg", "dseg", "segm", "segmentation", "segmentations", "gtv"),
    *("tumor", "tumour", "tumormask", "tumourmask"),
}
_BRAIN_MASK = {"brainmask", "brainsegmentation", "betmask"}
_MASKS = {
    *("mask", "masks", "seg", "segs", "segm", "dseg", "probseg", "segmentation", "segmentations"),
    *("label", "labels", "labelmap", "roi", "gtv", "ctv", "ptv", "defacemask", "tumormask", "tumourmask"),
    *_BRAIN_MASK,
}
# Results of this program and of others like it. A caller's `sequence=` does not make them scans.
_MADE = {"stripped", "tumor", "tumour", "probability", "probabilities", "uncertainty"}
# A scan that was worked on stands back where the scan itself is there.
_WORKED_ON = {
    *("bias", "biascorrected", "n4", "bet", "hdbet", "brain", "skull", "strip", "normalized", "normalised"),
    *("norm", "reg", "registered", "coreg", "rigid", "affine", "warped", "resampled", "r2s", "to", "in"),
    *("mni", "mni152", "sri", "sri24", "denoised", "defaced", "reoriented", "lps", "ras", "unstripped"),
}
# One truth file of BraTS 2020 is shipped under the name it had at its hospital.
_ODD_NAMES = {"W39_1998.09.19_Segm": "BraTS20_Training_355_seg"}
_AGENT = {"ce", "gd", "gad", "gado", "km", "contrast", "c+"}  # before t1 they make it t1ce
_PLANES = {"ax", "axial", "tra", "transversal", "sag", "sagittal", "cor", "coronal", "3d", "2d"}
_ONTO = re.compile(
    r"[_\-. ](?:reg(?:istered)?[_\-. ]?)?(?:to|in|on|2)[_\-. ]([^_\-. ]+)(?:[_\-. ]space)?$", re.I
)
_DATE = re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d(?:\d{6})?$")
_WORD = re.compile(r"[^_\-. ]+")
_DARK_FLUID = re.compile(r"(?<![^\W_])(?:tirm[\W_]+(?:[a-z]+[\W_]+)?)?dark[\W_]*fluid(?![^\W_])")  # Siemens
# What a browser or a person adds to the name of a second copy: X (1).nii.gz, X - Copy.nii.gz.
_AGAIN = re.compile(r"(?<=\S)(?: ?\(\d{1,2}\)| - (?:copy|kopie)(?: ?\(\d{1,2}\))?)$", re.IGNORECASE)
# The order in which files of one role are taken.
BY_SET, BY_LAST_WORD, STANDS_BACK, BY_WORDS, WORKED_ON = range(5)


@dataclass(frozen=True)
class NamedFile:
    """What a file's name says.

    Attributes:
        subject: The name before the word that names the sequence or the role.
        patient: Whose all visits are, where the name says so.
        role: "image", "truth", "mask", "other", or "doubtful" where the name has two meanings.
        word: The word that names the sequence, as written, e.g. "t1n".
        joint: The character before it.
        entities: The key-value pairs of a BIDS name; none elsewhere.
        why: How it was recognised, or why it is left out.
        rank: Of two that claim one sequence the lower goes first.
        remark: What was supposed, if anything.
        visit: The date in the name of a file of dcm2niix.
        of: The public set.
        sidecar: The .json beside it that was needed.
        is_again: Whether it is called as a second copy of a file: `X (1).nii.gz`.
        says_nothing: Whether neither name nor sidecar says anything of what it holds.
    """

    path: Path
    subject: str
    role: str
    sequence: str | None = None
    word: str = ""
    joint: str = ""
    entities: dict[str, str] = field(default_factory=dict)
    why: str = ""
    rank: int = BY_LAST_WORD
    remark: str = ""
    visit: str = ""
    of: PublicSet | None = None
    sidecar: Path | None = None
    says_nothing: bool = False
    patient: str = ""
    is_again: bool = False

    @property
    def run(self) -> int:
        """The number in a BIDS name; 0 where there is none, or where it is no number."""
        label = self.entities.get("run", "")
        return int(label) if label.isdecimal() else 0

    @property
    def used_as(self) -> str:
        """A sequence, "truth" or "brain mask"."""
        return {"truth": TRUTH, "mask": MASK}.get(self.role, self.sequence or "")


def read_name(path: Path, sequence: str | None = None) -> NamedFile:
    """What a file's name says, and its sidecar's where that is needed; the scan is not opened.

    Args:
        path: A NIfTI file.
        sequence: What the file holds where nothing says it.
    """
    stem = nifti.stem(path)
    name = _AGAIN.sub("", _ODD_NAMES.get(stem, stem))
    file = _read_name(path, name, sequence)
    return replace(file, is_again=True) if _AGAIN.search(stem) else file


def _read_name(path: Path, name: str, sequence: str | None) -> NamedFile:
    if bids.is_anatomical(path):
        return _of_bids(path, name, sequence)
    if known := known_name(path, name):
        return _of_set(path, known)
    file = _by_last_words(path, name)
    if file is None and not _is_made(name):
        file = _by_sidecar(path, name) or _by_any_word(path, name)
    if file is not None and file.role != "unsaid":
        return file
    if sequence is not None and not _is_made(name):
        return NamedFile(path, name, "image", sequence, why=f"sequence={sequence}")
    why = _no_scan(name) if file is None else file.why
    return NamedFile(path, name, "other", why=why, says_nothing=not _is_made(name) and file is None)


def _of_bids(path: Path, name: str, sequence: str | None) -> NamedFile:
    file = _by_last_words(path, name)
    if file is None and sequence is not None and not _is_made(name):
        file = NamedFile(path, name, "image", sequence, why=f"sequence={sequence}")
    file = file or NamedFile(path, name, "other", why="its suffix is none of T1w, T2w and FLAIR")
    pairs = bids.entities(path)
    if pairs.get("part", "mag") != "mag":
        return replace(file, role="other", why=f"is part-{pairs['part']} and no magnitude", entities=pairs)
    if file.role == "truth" and _is_of_the_brain(pairs):
        return replace(file, role="other", why="labels parts of the brain, no tumour", entities=pairs)
    return replace(file, entities=pairs)


def _is_of_the_brain(entities: dict[str, str]) -> bool:
    """Whether a BIDS label map is one of several, and not that of the tumour."""
    return entities.get("desc", "tumor") != "tumor" or "seg" in entities or "atlas" in entities


def _of_set(path: Path, known: KnownName) -> NamedFile:
    if known.of.made or not known.what:
        why = known.of.made or f"{known.word} of {known.of.name} is no scan that is used"
        return NamedFile(path, known.subject, "other", why=why, of=known.of, patient=known.patient)
    role = {TRUTH: "truth", MASK: "mask"}.get(known.what, "image")
    return NamedFile(
        path,
        known.subject,
        role,
        known.what if role == "image" else None,
        known.word,
        why=f"{known.word} of {known.of.name}",
        rank=STANDS_BACK if known.stands_back else BY_SET,
        of=known.of,
        patient=known.patient,
    )


def _words(name: str) -> list[tuple[int, str]]:
    """Each word in lower case with its place; a small and a capital letter part words too: tumorMask."""
    return [(match.start(), match.group().lower()) for match in _WORD.finditer(name)]


def _parts(name: str) -> set[str]:
    """All words, and the parts of those like tumorMask."""
    spread = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name)
    return {word for text in (name, spread) for _, word in _words(text)}


def _is_made(name: str) -> bool:
    """Whether a name says that the file was made from a scan: a mask, a label map, a stripped image."""
    words = [word for _, word in _words(name)]
    return bool(_parts(name) & (_MASKS | _MADE)) or words[-1:] == ["brain"]


def _no_scan(name: str) -> str:
    words = _parts(name)
    if found := sorted(words & _MASKS):
        return f"is a mask or a label map, as the word {found[0]} says"
    if found := sorted(words & (_MADE | {"brain"})):
        return f"is made from a scan, as the word {found[0]} says"
    return "its name does not say which sequence it is"


def _by_last_words(path: Path, name: str) -> NamedFile | None:
    """By the last word, or the last two or three joined; None where they say nothing."""
    words = _words(name)
    if not words or (of_mask := _mask_by_last_words(path, name, words)):
        return of_mask if words else None
    if _parts(name) & _MASKS and not bids.is_anatomical(path):
        return None
    if words[-1][1] == "unstripped" and len(words) > 1:
        scan = _by_last_words(path, _before(name, words[-1][0]))
        return scan and replace(scan, rank=STANDS_BACK, why=f"{scan.why}, with the skull")
    onto = _ONTO.search(name)
    if onto and onto[1].lower() in ALIASES and not bids.is_anatomical(path):  # p1_flair_to_t1 is a flair
        scan = _by_last_words(path, name[: onto.start()])
        return scan and replace(scan, rank=STANDS_BACK, why=f"{scan.why}, on the grid of {onto[1]}")
    for k, (start, word) in enumerate(words[-2:], max(len(words) - 2, 0)):
        joined = "".join(w for begin, w in words if begin >= start)
        if found := ALIASES.get(joined):
            if _has_two_meanings(path, words):
                return _doubtful(path, _before(name, start))
            if found == "t1" and re.search(r"_ce-[^_]+_", name):  # BIDS: a T1w with contrast agent
                found = "t1ce"
            if found == "t1" and k and words[k - 1][1] in _AGENT and not bids.is_anatomical(path):
                found, start = "t1ce", words[k - 1][0]  # p1_gd_t1
            word = name[start:]
            return NamedFile(
                path,
                _before(name, start),
                "image",
                found,
                word,
                name[start - 1 : start],
                why=f"the last word, {word}",
            )
    start, word = words[-1]
    if word in BY_AGENT and len(words) > 1 and not bids.is_anatomical(path) and not _name_weighting(words):
        sequence, subject = BY_AGENT[word], _before(name, start)
        remark = f"{path.name} was taken as {sequence}, {word} contrast agent and not {word} surgery, by its "
        remark += f"last word; if that is wrong, rename it, e.g. to end with _{sequence}"
        return NamedFile(
            path, subject, "image", sequence, word, why=f"the last word, {word}", rank=BY_WORDS, remark=remark
        )
    return None


def _name_weighting(words: list[tuple[int, str]]) -> bool:
    """Whether one of several words speaks of a sequence, so that FLAIR_post is no t1ce."""
    return any(says_weighting(word) or word in ALIASES for _, word in words)


def _mask_by_last_words(path: Path, name: str, words: list[tuple[int, str]]) -> NamedFile | None:
    """A truth or a brain mask, whose name may have that of its scan before: X_T1w_brainmask."""
    for start, _ in words[-2:]:
        joined = "".join(word for begin, word in words if begin >= start)
        is_ours = joined == "brainmask" and start != words[-1][0]  # X_brain_mask is written by a prediction
        if joined in _BRAIN_MASK and not is_ours:
            scan = _by_last_words(path, _before(name, start))
            of = (scan.subject, scan.sequence) if scan is not None else (_before(name, start), None)
            return NamedFile(path, of[0], "mask", of[1], why=f"the last word, {name[start:]}")
    ends = _truth_words(words)
    if not ends:
        return None
    start = ends[0][0]
    subject, rest = _before(name, start), _words(_before(name, start))
    for begin, _ in rest[-2:]:  # X_t1ce_seg is of X too
        if ALIASES.get("".join(word for b, word in rest if b >= begin)) and not bids.is_anatomical(path):
            subject = _before(name, begin)
            break
    return NamedFile(path, subject, "truth", why=f"the last word, {name[start:]}")


def _truth_words(words: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The words at the end that name a label map of a tumour: seg, tumor_segmentation, tumor_mask."""
    last = words[-1][1]
    before = words[-2][1] if len(words) > 1 else ""
    if before in ("tumor", "tumour") and last in (*_TRUTH, "mask"):
        return words[-2:]
    if before in ("brain", "parenchyma", "tissue") and last in _TRUTH:
        return []
    return words[-1:] if last in _TRUTH else []


def _has_two_meanings(path: Path, words: list[tuple[int, str]]) -> bool:
    is_a_value = bids.is_anatomical(path) and "t1" in map(str.lower, bids.entities(path).values())
    return [word for _, word in words[-2:]] == ["t1", "flair"] and not is_a_value


def _doubtful(path: Path, subject: str) -> NamedFile:
    why = f"{path}: may be a T1-weighted FLAIR or the FLAIR of time point 1; rename it, "
    return NamedFile(path, subject, "doubtful", why=why + "e.g. to end with _t1 or with tp1_flair")


def _by_sidecar(path: Path, name: str) -> NamedFile | None:
    sidecar = sidecar_of(path)
    if sidecar is None:
        return None
    return _from_words(path, name, sidecar.named, f"its sidecar {sidecar.path.name}", sidecar)


def _by_any_word(path: Path, name: str) -> NamedFile | None:
    words = [{"ct1": "t1 ce", "fla": "flair"}.get(word, word) for _, word in _words(name)]
    text = _DARK_FLUID.sub("flair", " ".join(_without_patient(name, words)))
    if not any(says_weighting(word) for word in text.split()):
        said = named({"SeriesDescription": text})
        if not said.is_other:
            return None
        return _other(path, name, f"{said.remark}, by the words in its name", None)
    return _from_words(path, name, named({"SeriesDescription": text}), "the words in its name", None)


def _without_patient(name: str, words: list[str]) -> list[str]:
    """The words after one that begins the patient's id, and is none of the scan's: sub-01, EPI_001."""
    if not words or not named({"SeriesDescription": words[0]}).is_other:
        return words
    is_numbered = len(words) > 2 and words[1].isdecimal() and any(map(says_weighting, words[2:]))
    return words[1:] if is_numbered or name.lower().startswith("sub-") else words


def _from_words(path: Path, name: str, said: Named, by: str, sidecar: Sidecar | None) -> NamedFile | None:
    beside = None if sidecar is None else sidecar.path
    if said.is_other:
        return _other(path, name, f"{said.remark}, by {by}", beside)
    if said.sequence is None:
        several = said.remark.startswith("does not say")
        what = "speaks of several sequences" if several else said.remark
        return None if sidecar is not None else NamedFile(path, name, "unsaid", why=f"its name {what}")
    start = _first_word(name, () if sidecar is None else sidecar.texts)
    subject, visit = _before(name, start), _visit(name[start:])
    remark = f"{path.name} {said.remark}" if said.remark else ""
    if said.agent_unsaid:
        remark = f"{path.name} was taken as t1; nothing names a contrast agent, so see that it is no t1ce"
    worked_on = bool(_parts(name) & _WORKED_ON)
    return NamedFile(
        path,
        subject or _numbered(name),
        "image",
        said.sequence,
        why=by,
        rank=WORKED_ON if worked_on else BY_WORDS,
        remark=remark,
        visit=visit,
        sidecar=beside,
    )


def _other(path: Path, name: str, why: str, sidecar: Path | None) -> NamedFile:
    return NamedFile(path, name, "other", why=why, sidecar=sidecar)


def _first_word(name: str, texts: tuple[str, ...]) -> int:
    """Where the description of the series begins in a name: the patient stands before it."""
    places = [start for start, word in _words(name) if says_weighting(word) or word in ALIASES]
    lower = name.lower()
    places += [found.start() for found in _DARK_FLUID.finditer(lower)]
    for text in texts:
        written = as_in_names(text).lower()
        if len(written) > 2 and (found := lower.find(written)) >= 0:
            places.append(found)
    if places:
        return min(places)
    numbers = [start for start, word in reversed(_words(name)) if not word.isdigit()]
    return next((m.start() for m in _WORD.finditer(name) if numbers and m.start() > numbers[0]), len(name))


def _visit(rest: str) -> str:
    return next((word[:8] for _, word in _words(rest) if _DATE.match(word)), "")


def _numbered(name: str) -> str:
    """Whose a name is that begins with the sequence: T1_001, T1_patient3; nothing where it does not say."""
    for start, word in _words(name):
        if re.fullmatch(r"0\d+|(?:patient|subject|case|sub|pid)\d+", word):
            return name[start : start + len(word)]
    return ""


def _before(name: str, start: int) -> str:
    """What stands before a word, without the planes at its end: p1 of p1_ax_t1."""
    before = name[:start].rstrip("_-. ")
    words = _words(before)
    while words and words[-1][1] in _PLANES:
        before = name[: words.pop()[0]].rstrip("_-. ")
    return before
