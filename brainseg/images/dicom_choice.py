"""Which series of a study each sequence gets.

Where two series claim one sequence and one is plainly better, that one is taken with a warning: one
volume instead of slices that make none, original instead of derived, complete instead of a part of the same
slices, or slices at most half as far apart over the same extent; or else by the words that the user prefers.
Otherwise all are named and nothing is guessed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ImageError
from brainseg.images.dicom import Series
from brainseg.images.dicom_naming import Header, Named, has_agent, image_type
from brainseg.images.preference import Choice, deciding, words_of

MUCH_THICKER = 2.0
SAME_EXTENT = 0.8


@dataclass(frozen=True, eq=False)
class Candidate:
    """A series that may be one of the four sequences.

    Attributes:
        useless: Why it cannot be read at all, if so.
        note: What a person should know of how it was put together.
        places: The different ones along the normal in order, mm.
        is_stack: The slices lie one behind the other at one distance.
        claims: It is, by all that it says, meant as an ordinary scan, whether it can be used or not.
    """

    series: Series
    header: Header
    named: Named
    useless: str = ""
    note: str = ""
    places: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    is_stack: bool = False
    claims: bool = False

    @property
    def is_derived(self) -> bool:
        return bool({"DERIVED", "SECONDARY"} & set(image_type(self.header)[:2]))

    @property
    def step_mm(self) -> float:
        return float(np.median(np.diff(self.places)))

    @property
    def extent_mm(self) -> float:
        return float(np.ptp(self.places))

    @property
    def words(self) -> frozenset[str]:
        """The words of its type and its description, in capitals, "TE 90 ms" as TE90 too."""
        te = re.findall(r"\bTE ([\d.]+) ms", self.series.description)
        return words_of([*image_type(self.header), self.series.description]) | {f"TE{ms}" for ms in te}

    @property
    def why_left_out(self) -> str:
        return f"{self.series.label} {self.useless or self.named.remark}"


def of_study(
    candidates: list[Candidate], sequence: str | None, choice: Choice
) -> tuple[dict[str, Candidate], list[str]]:
    """The series of each sequence, and what was chosen or supposed, a sentence each.

    Raises:
        ImageError: Several series claim one sequence, and none goes first.
    """
    usable = [one for one in candidates if not one.useless]
    if sequence is not None and len(usable) == 1:
        return {sequence: usable[0]}, _notes(usable)
    claims: dict[str, list[Candidate]] = defaultdict(list)
    for one in usable:
        if one.named.sequence is not None:
            claims[one.named.sequence].append(one)
    if sequence is not None and sequence not in claims:
        claims |= _named_by_caller(usable, sequence)
    agent_known = any(has_agent(one.header) for one in usable)
    chosen, warnings = {}, []
    for name, several in claims.items():
        one, aside = _best(several, name, choice)
        chosen[name] = one
        unsaid = ""
        if name == "t1" and not agent_known:
            unsaid = "; no header names a contrast agent, so see that it is no t1ce"
        warnings += [f"{name} is {one.series.label}; {why}{unsaid}" for why in aside]
        if one.named.remark:
            warnings.append(f"{one.series.label} {one.named.remark}")
        if one.named.agent_unsaid and not agent_known and not aside:
            warnings.append(f"{one.series.label} was taken as t1{unsaid}")
    return chosen, [*warnings, *_notes(chosen.values())]


def _notes(candidates: Iterable[Candidate]) -> list[str]:
    return [f"{one.series.label} {one.note}" for one in candidates if one.note]


def _named_by_caller(usable: list[Candidate], sequence: str) -> dict[str, list[Candidate]]:
    """The one series whose headers name no sequence, as the sequence that the caller names."""
    unnamed = [one for one in usable if one.named.sequence is None and not one.named.is_other]
    if len(unnamed) > 1:
        raise ImageError(
            f"{unnamed[0].series.folder}: sequence={sequence} may mean "
            f"{' or '.join(one.series.label for one in unnamed)}; give the folder of one alone"
        )
    return {sequence: unnamed} if unnamed else {}


def _best(several: list[Candidate], name: str, choice: Choice) -> tuple[Candidate, list[str]]:
    """The one that goes before each other, and a phrase on each other.

    Raises:
        ImageError: There is none.
    """
    for one in several:
        others = [other for other in several if other is not one]
        reasons = [_why_after(other, one, choice) for other in others]
        if all(reasons):
            return one, [
                f"{other.series.label} was left aside, {why}"
                for other, why in zip(others, reasons, strict=True)
            ]
    labels = [one.series.label for one in several]
    more = f" and {len(labels) - 6} more" if len(labels) > 6 else ""
    raise ImageError(
        f"{several[0].series.folder}: {' and '.join(labels[:6])}{more} of one study claim to be the {name}; "
        f"{_mend(several)}, or give the folder of one alone with sequence={name}"
    )


def _mend(several: list[Candidate]) -> str:
    """How the user takes one of them."""
    numbers = [one.series.number for one in several]
    if None not in numbers and len(set(numbers)) == len(numbers):
        offered = " or ".join(f"[{number}]" for number in numbers[:6])
        return f"take one with choose.series={offered}"
    common = frozenset.intersection(*(one.words for one in several))
    words = [
        sorted((one.words - common) - {"TE", "MS", "TIME"}, key=lambda w: (not w[0].isalpha(), w))
        for one in several
    ]
    offered = " or ".join(f"[{own[0]}]" for own in words[:6] if own)
    return f"take one with choose.words={offered}" if offered else "move all but one away"


def _why_after(one: Candidate, better: Candidate, choice: Choice) -> str:
    """Why one is taken after another; nothing if it is not."""
    picked = [candidate.series.number in choice.series for candidate in (one, better)]
    if picked[0] != picked[1]:
        return "as choose.series says" if picked[1] else ""
    if why := _why_worse(one, better):
        return why
    if _why_worse(better, one):
        return ""
    decided = deciding(better.words, one.words, choice.words)
    return f"as the other goes first by choose.words: {decided}" if decided else ""


def _why_worse(one: Candidate, better: Candidate) -> str:
    """Why one is plainly worse than another; nothing if it is not."""
    if one.is_stack != better.is_stack:
        return "" if one.is_stack else "as its slices do not make one volume"
    if one.is_derived != better.is_derived:
        is_worse = one.is_derived and better.step_mm < MUCH_THICKER * one.step_mm
        return "as it is derived" if is_worse else ""
    if _is_part(one, better):
        return f"as it has only {len(one.places)} of the same {len(better.places)} slices"
    if one.step_mm >= MUCH_THICKER * better.step_mm and better.extent_mm >= SAME_EXTENT * one.extent_mm:
        return f"as its slices are {one.step_mm:.3g} mm apart and not {better.step_mm:.3g} mm"
    return ""


def _is_part(one: Candidate, whole: Candidate) -> bool:
    for name in ("ImageOrientationPatient", "PixelSpacing"):
        mine, its = (np.ravel(candidate.header.get(name, [])) for candidate in (one, whole))
        if mine.shape != its.shape or not np.allclose(mine, its, atol=1e-3):
            return False
    part, all_of_it = (set(np.round(candidate.places, 1).tolist()) for candidate in (one, whole))
    return part < all_of_it
