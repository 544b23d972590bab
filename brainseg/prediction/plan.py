"""What can be done for a subject with the sequences that it has. What cannot does not stop the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brainseg.config.choices import Stage
from brainseg.config.errors import ImageError
from brainseg.gates.assessment import Assessment, Level
from brainseg.images.layouts import Subject
from brainseg.prediction.registry import STAGES
from brainseg.prediction.stage import PipelineStage

GATE = "incomplete"  # in result.json


@dataclass(frozen=True)
class Plan:
    """What each stage with a model takes of a subject's sequences, or why it cannot be done.

    Args:
        needs: The sequences of a stage that can be done; none where any will do.
        missing: Why the others cannot.
    """

    needs: Mapping[Stage, Sequence[str]] = field(default_factory=dict)
    missing: Mapping[Stage, str] = field(default_factory=dict)

    @property
    def first(self) -> str | None:
        """The sequence whose grid the results get; None where any will do."""
        return next((name for stage in STAGES for name in self.needs.get(stage, ())), None)

    def for_stripped(self) -> "Plan":
        """For a scan that came without skull: nothing is stripped, so no sequence for it is missing."""
        missing = dict(self.missing)
        missing.pop(Stage.strip, None)
        return Plan(self.needs, missing)

    def for_head(self, stages: Sequence[PipelineStage]) -> "Plan":
        """For a scan with skull: nothing is done that needs the brain mask where there will be none."""
        waiting: dict[Stage, str] = {}
        stripped = False
        for stage in stages:
            stripped = stripped or (stage.name is Stage.strip and stage.is_given)
            if stage.name not in self.needs:
                continue
            if Stage.strip in self.missing and stage.needs_brain:
                waiting[stage.name] = "it needs the brain mask, which cannot be made"
            elif not stripped and (reason := stage.not_without_brain):
                waiting[stage.name] = reason
        return Plan(self.needs, {**waiting, **self.missing})

    def refuse_nothing(self, subject: Subject, stages: Sequence[PipelineStage]) -> None:
        """Refuse a subject for which no stage can be done.

        Raises:
            ImageError: It says what is missing.
        """
        with_model = [stage.name for stage in stages if stage.is_given]
        if with_model and all(name in self.missing for name in with_model):
            reasons = dict.fromkeys(self.missing[name] for name in with_model)
            raise ImageError(f"{subject.folder}: {'; '.join(reasons)}")


def plan_of(subject: Subject, stages: Sequence[PipelineStage]) -> Plan:
    """What can be done for a subject, before it is known whether its scans have a skull."""
    needs: dict[Stage, list[str]] = {}
    missing: dict[Stage, str] = {}
    for stage in stages:
        if not stage.is_given:
            continue
        try:
            needs[stage.name] = stage.needs(subject)
        except ImageError as error:
            missing[stage.name] = str(error)
    return Plan(needs, missing)


def incomplete(missing: Mapping[Stage, str]) -> list[Assessment]:
    """A review for each stage that was asked for and could not be done, by its name, with the reason."""
    return [
        Assessment(GATE, Level.review, 1.0, None, f"No {STAGES[stage].makes} was made: {why}.")
        for stage, why in missing.items()
    ]
