"""What is known of a subject between two stages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from brainseg.config.choices import Stage
from brainseg.gates import Assessment, Level, worst
from brainseg.gates.order import likeliest_first
from brainseg.prediction.brain import Brain
from brainseg.prediction.scans import Scans
from brainseg.results.result import Result


class Outcome(Protocol):
    """What a stage has found: it writes its own files and fills in its own part of the result."""

    def write(self, folder: Path, name: str, scans: Scans, *, probabilities: bool) -> None:
        """Write its files, NAME_*.nii.gz; those of probabilities only where they are asked for."""

    def added_to(self, result: Result, scans: Scans) -> Result:
        """The result with its own part filled in."""


Kind = TypeVar("Kind")


@dataclass(frozen=True)
class State:
    """The scans of a subject and what the stages have found in them so far. A stage gives back a new one.

    Args:
        scans: The sequences.
        outcomes: One of each kind at most, in the order of their stages.
        left_out: Why a stage was not run.
        missing: Those of `left_out` that were to run, and could not for want of a sequence.
        gates: What was judged, in the order of the result.
        warnings: What a person should know, a sentence each.
    """

    scans: Scans
    outcomes: tuple[Outcome, ...] = ()
    left_out: Mapping[Stage, str] = field(default_factory=dict)
    missing: Mapping[Stage, str] = field(default_factory=dict)
    gates: tuple[Assessment, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        return worst(self.gates)

    @property
    def error(self) -> str | None:
        """Why the subject was stopped, if it was."""
        failed = [one.sentence for one in likeliest_first([*self.gates]) if one.level is Level.fail]
        return " ".join(failed) if failed else None

    @property
    def brain(self) -> NDArray[np.bool_] | None:
        """The brain mask (X, Y, Z) on the reference grid, where it is known."""
        found = self.outcome(Brain)
        return None if found is None else found.mask

    @property
    def came_stripped(self) -> bool:
        found = self.outcome(Brain)
        return found is not None and found.came_stripped

    def outcome(self, kind: type[Kind]) -> Kind | None:
        """What the stage that gives this kind has found, if it has run."""
        return next((one for one in self.outcomes if isinstance(one, kind)), None)

    def with_outcome(self, outcome: Outcome) -> "State":
        """The same with an outcome, in the place of an earlier one of its kind."""
        if self.outcome(type(outcome)) is None:
            return replace(self, outcomes=(*self.outcomes, outcome))
        kept = (outcome if type(one) is type(outcome) else one for one in self.outcomes)
        return replace(self, outcomes=tuple(kept))

    def with_gates(self, gates: Iterable[Assessment]) -> "State":
        """The same with more gates, behind those that there are."""
        return replace(self, gates=(*self.gates, *gates))

    def with_gates_first(self, gates: Iterable[Assessment]) -> "State":
        return replace(self, gates=(*gates, *self.gates))

    def with_warnings(self, *warnings: str) -> "State":
        return replace(self, warnings=(*self.warnings, *warnings))

    def without(self, stage: Stage, reason: str, *, missing: bool) -> "State":
        """The same, and why a stage was not run.

        Args:
            stage: Which one.
            reason: For the result.
            missing: Whether it was to run, and could not for want of a sequence.
        """
        also = {**self.missing, stage: reason} if missing else self.missing
        return replace(self, left_out={**self.left_out, stage: reason}, missing=also)
