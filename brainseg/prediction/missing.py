"""What cannot be done for a subject because a sequence of it is not there; the rest is done all the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brainseg.config import PredictConfig
from brainseg.config.choices import Stage
from brainseg.config.errors import ImageError
from brainseg.gates.assessment import Assessment, Level
from brainseg.images.layouts import Subject
from brainseg.prediction.models import Models
from brainseg.prediction.stages import sequences_of, usable_sequences
from brainseg.tasks import Ensemble

RESULT_OF = {Stage.strip: "brain mask", Stage.classify: "tumour type", Stage.segment: "outline of the tumour"}
GATE = "incomplete"  # in result.json


@dataclass(frozen=True)
class Plan:
    """The sequences that each stage with a model takes, or why it cannot be done.

    The list is empty where any sequence will do.
    """

    needs: dict[Stage, list[str] | str]

    @property
    def missing(self) -> dict[Stage, str]:
        return {stage: what for stage, what in self.needs.items() if isinstance(what, str)}

    @property
    def first(self) -> str | None:
        """The sequence whose grid the results get; None where any will do."""
        order = (Stage.strip, Stage.segment, Stage.classify)
        lists = [what for stage in order if isinstance(what := self.needs.get(stage), list)]
        return next((name for names in lists for name in names), None)

    def of_stripped(self) -> "Plan":
        """For a scan that came without skull: whatever it is of, its mask is known."""
        return Plan({stage: [] if stage is Stage.strip else what for stage, what in self.needs.items()})

    def of_head(self, models: Models) -> "Plan":
        """For a scan with skull: where it cannot be stripped, nothing is done that needs the brain mask."""
        if Stage.strip not in self.missing:
            return self
        hanging = {stage for stage, model in models.items() if _needs_brain(stage, model)} - set(self.missing)
        return Plan({**self.needs, **dict.fromkeys(hanging, "it needs the brain mask, which cannot be made")})

    def refuse_nothing(self, subject: Subject) -> None:
        """Refuse a subject for which no stage can be done.

        Raises:
            ImageError: As said, with what is missing.
        """
        if self.needs and len(self.missing) == len(self.needs):
            raise ImageError(f"{subject.folder}: {'; '.join(dict.fromkeys(self.missing.values()))}")


def plan_of(subject: Subject, models: Models, options: PredictConfig) -> Plan:
    """What can be done for a subject with the sequences that it has."""
    return Plan({stage: _needs(stage, subject, models, options) for stage in models})


def incomplete(left_out: Mapping[Stage, str]) -> list[Assessment]:
    """A review for each stage that was asked for and could not be done."""
    return [
        Assessment(GATE, Level.review, 1.0, None, f"No {RESULT_OF[stage]} was made: {why}.")
        for stage, why in left_out.items()
    ]


def _needs_brain(stage: Stage, model: Any) -> bool:
    return stage is Stage.segment or (stage is Stage.classify and model.config.preprocess.stripped)


def _needs(stage: Stage, subject: Subject, models: Models, options: PredictConfig) -> list[str] | str:
    """The sequences that a stage takes, or why it cannot be done; an empty list where any will do."""
    model, there = models[stage], ", ".join(subject.images)
    if isinstance(model, Ensemble):
        try:
            return list(usable_sequences(model, subject.images, subject.id))
        except ImageError as error:
            return str(error)
    if stage is Stage.classify:
        wanted = [options.vote.sequence] if options.vote.sequence else []
        whose = "which vote.sequence wants"
    else:
        wanted, whose = sequences_of(model), "of which the skull stripper learnt"
    lacking = [name for name in wanted if name not in subject.images]
    if lacking:
        return f"{subject.id} has {there} but lacks {', '.join(lacking)}, {whose}; add the file"
    return wanted
