"""What a gate says about one measure: its value, its limits, pass, review or fail, and a sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from brainseg.config.gates import GatesConfig, Limits
from brainseg.gates.words import WORDS, Words


class Level(IntEnum):
    """The higher the worse."""

    passed = 0
    review = 1  # a person should look
    fail = 2  # the subject stops: later results would mean nothing

    def __str__(self) -> str:
        return "pass" if self is Level.passed else self.name


@dataclass(frozen=True)
class Unmeasured:
    """A measure that a scan does not allow.

    Args:
        why: A clause without a full stop, for the reader.
    """

    why: str


@dataclass(frozen=True)
class Assessment:
    """What a gate says about one measure.

    Args:
        gate: Its name, as in conf/gates.
        level: Follows from value and limits; a pass where nothing could be measured.
        value: The measure; None where nothing could be measured.
        limits: None for a contradiction, whose sentence names its limit.
        sentence: For the reader.
        of: The sequence, or the two sequences, that were measured; None for the whole subject.
    """

    gate: str
    level: Level
    value: float | None
    limits: Limits | None
    sentence: str
    of: str | None = None


def assess(
    measured: Mapping[str, float | Unmeasured],
    limits: GatesConfig,
    of: str | None = None,
    words: Mapping[str, Words] = WORDS,
) -> list[Assessment]:
    """An assessment for each measure whose gate has limits.

    Args:
        measured: The value of each gate, or why there is none.
        limits: The limits of all gates; some hold for one sequence only.
        of: The sequence, or two of them, that the measures are about.
        words: The words of each gate.
    """
    found = []
    for gate, value in measured.items():
        held = getattr(limits, gate)
        held = getattr(held, str(of)) if held is not None and not isinstance(held, Limits) else held
        if held is not None:
            found.append(_judged(gate, value, held, words[gate], of))
    return found


def without_review(limits: GatesConfig, gates: Iterable[str]) -> GatesConfig:
    """The limits, where a person need not look for the sake of these gates."""
    held = {gate: getattr(limits, gate) for gate in gates}
    return replace(limits, **{gate: one and replace(one, review=None) for gate, one in held.items()})


def _judged(gate: str, value: float | Unmeasured, limits: Limits, words: Words, of: str | None) -> Assessment:
    start = "" if of is None else f"{of}: "
    if isinstance(value, Unmeasured):
        said = f"{start}{gate} could not be measured: {value.why}."
        return Assessment(gate, Level.passed, None, limits, said, of)
    if not _within(value, limits.fail):
        level, held = Level.fail, limits.fail
    elif not _within(value, limits.review):
        level, held = Level.review, limits.review
    else:
        level, held = Level.passed, limits.review or limits.fail
    said = words.passed(value, held) if level is Level.passed else words.failed(value, held)
    return Assessment(gate, level, value, limits, start + said, of)


def worst(found: Iterable[Assessment]) -> Level:
    return max((one.level for one in found), default=Level.passed)


def _within(value: float, ends: Any) -> bool:
    low, high = ends or (None, None)
    return (low is None or value >= low) and (high is None or value <= high)
