"""One thing that was looked at: its value, what it may be, and a sentence about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from brainseg.config.gates import GatesConfig, Limits
from brainseg.gates.words import WORDS


class Level(IntEnum):
    """The higher the worse."""

    passed = 0
    review = 1  # a person should look
    fail = 2  # nothing that follows would mean anything

    def __str__(self) -> str:
        return "pass" if self is Level.passed else self.name


@dataclass(frozen=True)
class Finding:
    """What a gate found.

    Args:
        gate: Its name, as in conf/gates.
        level: What follows from the value.
        value: That was measured.
        limits: What it was held against; None for a contradiction, whose sentence says it all.
        sentence: For the reader.
        of: The sequence, or two of them, that it is about; None for the subject.
    """

    gate: str
    level: Level
    value: float
    limits: Limits | None
    sentence: str
    of: str | None = None


def findings(measured: Mapping[str, float], limits: GatesConfig, of: str | None = None) -> list[Finding]:
    """A finding for each measure whose gate has limits.

    Args:
        measured: The value of each gate.
        limits: Of all gates; some hold for one sequence only.
        of: The sequence, or two of them, that the measures are about.
    """
    found = []
    for gate, value in measured.items():
        held = getattr(limits, gate)
        held = getattr(held, str(of)) if held is not None and not isinstance(held, Limits) else held
        if held is not None:
            found.append(_judged(gate, value, held, of))
    return found


def _judged(gate: str, value: float, limits: Limits, of: str | None) -> Finding:
    if not _within(value, limits.fail):
        level, held = Level.fail, limits.fail
    elif not _within(value, limits.review):
        level, held = Level.review, limits.review
    else:
        level, held = Level.passed, limits.review or limits.fail
    said = WORDS[gate].format(value)
    said = said[0].upper() + said[1:] if of is None else f"{of}: {said}"
    passing = _range(held, percent="%}" in WORDS[gate])
    return Finding(gate, level, value, limits, f"{said}; {passing}.", of)


def worst(found: Iterable[Finding]) -> Level:
    return max((finding.level for finding in found), default=Level.passed)


def _within(value: float, ends: Any) -> bool:
    low, high = ends or (None, None)
    return (low is None or value >= low) and (high is None or value <= high)


def _range(ends: Any, percent: bool) -> str:
    """What passes, in the unit of the value."""
    low, high = (end if end is None else _number(end, percent) for end in ends or (None, None))
    if low is None:
        return "anything passes" if high is None else f"at most {high} passes"
    return f"at least {low} passes" if high is None else f"{low} to {high} pass"


def _number(value: float, percent: bool) -> str:
    return f"{100 * value:g}%" if percent else f"{value:g}"
