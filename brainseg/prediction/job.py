"""What is the same for all subjects of a prediction."""

import logging
from dataclasses import dataclass

from brainseg.config import PredictConfig
from brainseg.prediction.computing import computed_by, settle
from brainseg.prediction.registry import load_stages
from brainseg.prediction.stage import PipelineStage
from brainseg.results import provenance
from brainseg.results.parts import Computed, Settings
from brainseg.runs.model_record import ModelRecords

log = logging.getLogger("brainseg")


@dataclass(frozen=True)
class Job:
    """The options, the stages with their models, and what a result says of them."""

    options: PredictConfig
    stages: tuple[PipelineStage, ...]
    settings: Settings

    @property
    def models(self) -> ModelRecords:
        """The members of each model, by its name, for result.json."""
        return {stage.model_name: list(stage.members) for stage in self.stages if stage.members}

    @property
    def computed(self) -> dict[str, Computed]:
        """How the networks of each model compute, by its name, for result.json."""
        return computed_by(self.stages)

    @property
    def remarks(self) -> list[str]:
        """What a person should know of the models: a warning in each result."""
        return [remark for stage in self.stages for remark in stage.remarks]


def job_of(options: PredictConfig) -> Job:
    """The models loaded, and what is the same for all subjects."""
    job = Job(options, load_stages(options), provenance.settings_of(options))
    settle(job.stages, options.precision)
    for remark in job.remarks:
        log.warning("%s", remark)
    return job
