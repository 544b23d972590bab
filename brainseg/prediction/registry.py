"""The stages that there are."""

from brainseg.config import PredictConfig
from brainseg.config.choices import Stage
from brainseg.config.errors import ConfigError
from brainseg.prediction.classify import ClassifyStage
from brainseg.prediction.classify_volume import ClassifyVolumeStage
from brainseg.prediction.early import no_model
from brainseg.prediction.segment import SegmentStage
from brainseg.prediction.stage import PipelineStage
from brainseg.prediction.strip import StripStage
from brainseg.system.device import best_device

# The first of these that needs a certain sequence decides whose grid the results get.
STAGES: dict[Stage, type[PipelineStage]] = {
    stage.name: stage for stage in (StripStage, SegmentStage, ClassifyVolumeStage, ClassifyStage)
}


def load_stages(options: PredictConfig) -> tuple[PipelineStage, ...]:
    """The stages of pipeline.stages in their order, each with its model where one is given.

    Raises:
        CheckpointError: A model cannot be used, or segmenters that are to answer together do not fit.
        ConfigError: There is no model at all.
    """
    device = best_device(options.device)
    stages = tuple(STAGES[name].load(options, device) for name in options.pipeline.stages)
    if all(not stage.is_given for stage in stages):
        raise ConfigError(no_model([stage.name for stage in stages]))
    return stages
