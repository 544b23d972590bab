"""Every key of conf/predict.yaml: its type, its meaning and its bounds. The values live in conf/."""

from dataclasses import dataclass
from typing import Any, Optional

from omegaconf import MISSING

from brainseg.config.bounds import at_least, known, share, within
from brainseg.config.choices import SEQUENCES, Align, Blend, Flips, Register, Stage
from brainseg.config.errors import ConfigError
from brainseg.config.gates import GatesConfig


@dataclass
class WindowConfig:
    """Sliding-window inference."""

    overlap: float = MISSING  # share of a window that the next one covers
    blend: Blend = MISSING
    batch_size: int = MISSING
    flips: Flips = MISSING  # mirror images that the segmenter sees too, and whose mean is taken

    def __post_init__(self) -> None:
        within("window.overlap", self.overlap, 0, 1)
        at_least("window.batch_size", self.batch_size, 1)


@dataclass
class VoteConfig:
    """How slices of a volume vote on the tumour type."""

    sequence: Optional[str] = MISSING  # null: the first of t1ce, flair, t2, t1 that the subject has
    offsets_mm: list[float] = MISSING  # of the slices from the middle, in each of the three planes
    healthy_at: float = MISSING  # mean probability of notumor from which the subject counts as healthy
    denoise_from: Optional[float] = MISSING  # noise, as a share of the median intensity; null: never
    denoise_mm: float = MISSING  # standard deviation of the Gaussian filter

    def __post_init__(self) -> None:
        if self.sequence is not None:
            known("vote.sequence", [self.sequence], SEQUENCES)
        if not self.offsets_mm or min(self.offsets_mm) < 0:
            raise ConfigError(f"vote.offsets_mm takes numbers from 0 up, got {list(self.offsets_mm)}")
        share("vote.healthy_at", self.healthy_at)
        at_least("vote.denoise_mm", self.denoise_mm, 0)


@dataclass
class PipelineConfig:
    """Which stages run, in which order, and what stops them."""

    stages: list[Stage] = MISSING
    stop_if_healthy: bool = MISSING  # leave out the stages after classify when it says notumor
    align: Align = MISSING
    register: Register = MISSING

    def __post_init__(self) -> None:
        names = [str(stage) for stage in self.stages]
        known("pipeline.stages", names, tuple(stage.name for stage in Stage))
        if self.register is Register.rigid and self.align is Align.refuse:
            raise ConfigError(
                "pipeline.register=rigid resamples what it has moved, but pipeline.align is refuse; "
                "set pipeline.align=resample, or pipeline.register=none"
            )


@dataclass
class PredictConfig:
    """The whole of conf/predict.yaml."""

    input: str = MISSING
    sequence: Optional[str] = MISSING  # of a single file or DICOM series that does not say it
    skullstripper: Optional[str] = MISSING
    classifier: Optional[str] = MISSING
    segmenter: Any = MISSING  # a checkpoint, a run, a sweep, or a list of these, whose mean is taken
    pipeline: PipelineConfig = MISSING
    window: WindowConfig = MISSING
    vote: VoteConfig = MISSING
    gates: Optional[GatesConfig] = MISSING  # null: nothing is judged
    labels: Optional[str] = MISSING  # convention of the label map that is written; null: the segmenter's own
    save_probabilities: bool = MISSING
    montage: bool = MISSING
    page: bool = MISSING  # report.html of each subject, index.html of all
    forecast: bool = MISSING  # of seconds, memory and disk, before anything is predicted
    device: str = MISSING
    output: str = MISSING
    derivatives: Optional[str] = MISSING  # a folder that gets the results as a BIDS data set, too
    overwrite: bool = MISSING

    def __post_init__(self) -> None:
        if self.sequence is not None:
            known("sequence", [self.sequence], SEQUENCES)
