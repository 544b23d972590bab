"""What is refused of a prediction before torch is loaded: paths that lead nowhere, in a second."""

from collections.abc import Iterator
from typing import Any

from brainseg.config import OTSU, ConfigError, PredictConfig
from brainseg.config.choices import BUILTIN, Stage
from brainseg.files.there import refuse_nothing_at
from brainseg.runs.models import checkpoints_of, refuse_no_checkpoint
from brainseg.system.pseudonyms import KEEP

MODELS = {
    Stage.strip: "skullstripper",
    Stage.segment: "segmenter",
    Stage.classify: "classifier",
    Stage.classify_volume: "volume_classifier",
}


def refuse_early(options: PredictConfig) -> None:
    """Refuse a checked config whose input or models are not there.

    Raises:
        DataError: There is nothing at the input.
        CheckpointError: There is no such checkpoint, or none in a folder.
        ConfigError: There is no model at all.
    """
    if options.names == KEEP:  # else the message may not show its name: it comes where names are hidden
        refuse_nothing_at(options.input)
    stages = list(options.pipeline.stages)
    if all(getattr(options, MODELS[stage]) is None for stage in stages):
        raise ConfigError(no_model(stages))
    for given in _given(options):
        for path in checkpoints_of(given):
            refuse_no_checkpoint(path)


def no_model(stages: list[Stage]) -> str:
    """The message where none of the stages has a model."""
    models = ", ".join(f"{MODELS[stage]}=CHECKPOINT" for stage in stages)
    return f"no model for any of the stages {', '.join(map(str, stages))}; give at least one of {models}"


def _given(options: PredictConfig) -> Iterator[Any]:
    """What is named as the model of each stage that runs, but for a method without a file."""
    for stage in options.pipeline.stages:
        given = getattr(options, MODELS[stage])
        if given not in (None, OTSU, BUILTIN):
            yield given if stage is Stage.segment else _one_file(given)


def _one_file(given: str) -> str:
    """Only the segmenters may be a folder of several."""
    refuse_no_checkpoint(given)
    return given
