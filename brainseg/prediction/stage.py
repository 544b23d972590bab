"""What every stage of the prediction has in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch

from brainseg.config import PredictConfig
from brainseg.config.choices import Stage
from brainseg.config.errors import ImageError
from brainseg.config.gates import GatesConfig
from brainseg.images.layouts import Subject
from brainseg.prediction.network_time import Sizes, Work
from brainseg.prediction.state import State
from brainseg.runs.model_record import Member
from brainseg.trained import Model


class PipelineStage(ABC):
    """One stage: its model, what it needs, when it is left out, what it finds, and how that is judged.

    To add one, write a file with its class and its outcome (`state.Outcome`). Add its name to
    `config.choices.Stage` and to the lists in conf/pipeline, and its class to `registry.STAGES`.

    Attributes:
        name: In pipeline.stages, in left_out and in the times of result.json.
        model_name: The key of its model in conf/predict.yaml.
        makes: What it finds, in words: "No brain mask was made".
        model: None where none was given.
        members: What result.json says of the model, for each of its members.
        remarks: What a person should know of the model, a sentence each.
    """

    name: ClassVar[Stage]
    model_name: ClassVar[str]
    makes: ClassVar[str]
    model: Any
    members: Sequence[Member] = ()
    remarks: Sequence[str] = ()

    @property
    def is_given(self) -> bool:
        """Whether it has a model; without one it is left out. A stage that needs none says True."""
        return self.model is not None

    @property
    def why_not_given(self) -> str:
        """Why it is left out, for a stage without a model."""
        return f"no {self.model_name} given"

    @classmethod
    @abstractmethod
    def load(cls, options: PredictConfig, device: torch.device) -> Self:
        """The stage with the model that the options name, or without one.

        Raises:
            CheckpointError: The model cannot be used.
        """

    @abstractmethod
    def run(self, state: State) -> State:
        """What the stage finds, with its outcome and its warnings.

        Raises:
            UserError: It cannot be done with these scans.
        """

    def needs(self, subject: Subject) -> list[str]:
        """The sequences that its model takes; none where any will do. Only a stage that is given is asked.

        Raises:
            ImageError: The subject lacks one.
        """
        return []

    @property
    def needs_brain(self) -> bool:
        """Whether its model was trained on brains without skull."""
        return False

    @property
    def not_without_brain(self) -> str | None:
        """Why it cannot be done where no brain mask is known when its turn comes; None where it can."""
        return None

    def why_left_out(self, state: State) -> str | None:
        """Why there is nothing to do, if there is not."""
        return None

    def judge(self, state: State, limits: GatesConfig) -> State:
        """The same with its gates, where there is something to judge, whether or not the stage has run."""
        return state

    @property
    def networks(self) -> Sequence[Model]:
        """Its networks for volumes, which all compute in one way; none where it is no matter how they do."""
        return []

    def work(self, sizes: Sizes, limits: GatesConfig | None) -> list[Work]:
        """What its networks will have to do with scans of these sizes and for these gates."""
        return []


def required(sequence: str | None, subject: Subject, who_wants_it: str) -> list[str]:
    """A sequence that the subject must have; none where it is None.

    Raises:
        ImageError: The subject lacks it.
    """
    if sequence is None:
        return []
    if sequence not in subject.images:
        there = ", ".join(subject.images)
        raise ImageError(f"{subject.id} has {there} but lacks {sequence}, {who_wants_it}; add the file")
    return [sequence]
