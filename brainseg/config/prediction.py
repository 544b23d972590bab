"""Every key of conf/predict.yaml: its type, its meaning and its bounds. The values live in conf/."""

from dataclasses import dataclass
from typing import Any, Optional

from omegaconf import MISSING

from brainseg.config.bounds import at_least, auto_or_number, known, share, within
from brainseg.config.choices import SEQUENCES, Align, Blend, Flips, Identify, Precision, Register, Stage
from brainseg.config.errors import ConfigError
from brainseg.config.gates import GatesConfig

STAGES = tuple(stage.name for stage in Stage)


@dataclass
class WindowConfig:
    """Sliding-window inference with the networks for volumes."""

    overlap: float = MISSING  # share of a window that the next one covers
    blend: Blend = MISSING  # how overlapping windows are averaged
    batch_size: int = MISSING  # windows at a time
    flips: Flips = MISSING  # mirror images that the segmenter predicts too; the mean is taken

    def __post_init__(self) -> None:
        within("window.overlap", self.overlap, 0, 1)
        at_least("window.batch_size", self.batch_size, 1)


@dataclass
class VoteConfig:
    """How the slices of a volume vote on the tumour type."""

    sequence: Optional[str] = MISSING  # null: the first of t1ce, flair, t2, t1 that the subject has
    offsets_mm: list[float] = MISSING  # from the middle to the slices, to both sides, in three planes
    healthy_at: float = MISSING  # probability of notumor from which a subject is healthy, of both classifiers
    denoise_from: Optional[float] = MISSING  # noise over median intensity; slices above are smoothed
    denoise_mm: float = MISSING  # standard deviation of that Gaussian filter

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

    stages: list[Stage] = MISSING  # in their order
    stop_if_healthy: bool = MISSING  # leave out strip and segment after a type that is notumor
    align: Align = MISSING  # sequences that lie on different grids
    register: Register = MISSING  # patients that moved between sequences
    prefetch: int = MISSING  # subjects read ahead while one is computed and the last is written; 0: none

    def __post_init__(self) -> None:
        at_least("pipeline.prefetch", self.prefetch, 0)
        known("pipeline.stages", [stage.name for stage in self.stages], STAGES)
        if self.register is Register.rigid and self.align is Align.refuse:
            raise ConfigError(
                "pipeline.register=rigid resamples what it has moved, but pipeline.align is refuse; "
                "set pipeline.align=resample, or pipeline.register=none"
            )


@dataclass
class ChooseConfig:
    """How to choose between scans of one subject that claim one sequence."""

    words: list[str] = MISSING  # the first that one scan has and the other has not decides; -WORD: against it
    series: list[int] = MISSING  # numbers of DICOM series that are taken before any other

    def __post_init__(self) -> None:
        if odd := [word for word in self.words if not word.removeprefix("-").isalnum()]:
            raise ConfigError(
                f"choose.words={odd[0]} is no word; take letters and digits, with - before a word to avoid"
            )


@dataclass
class PredictConfig:
    """The whole of conf/predict.yaml."""

    input: str = MISSING  # a scan, a subject's folder or one of subjects, NIfTI or DICOM; or pictures
    sequence: Optional[str] = MISSING  # t1, t1ce, t2 or flair, where a single file or series does not say it
    identify: Identify = MISSING  # what says which sequence a scan is
    choose: ChooseConfig = MISSING
    skullstripper: Optional[str] = MISSING  # a checkpoint, builtin, otsu (Otsu's threshold), or null
    classifier: Optional[str] = MISSING  # a checkpoint; null: no tumour type by a vote of slices
    volume_classifier: Optional[str] = MISSING  # a checkpoint, for pipeline=wished; null: no type in 3-D
    segmenter: Any = MISSING  # a checkpoint, run, sweep or list of these (their mean); null: no outline
    names: str = MISSING  # keep, hash, or a CSV of id and name: what subjects are called in all outputs
    pipeline: PipelineConfig = MISSING
    window: WindowConfig = MISSING
    vote: VoteConfig = MISSING
    gates: Optional[GatesConfig] = MISSING  # null: nothing is judged
    labels: Optional[str] = MISSING  # brats-2018, brats-2023 or msd-task01; null: as the segmenter's data
    save_probabilities: bool = MISSING  # write the probability maps of the segmenter too
    dicom: bool = MISSING  # write masks and montage as DICOM too, where the scan came as DICOM
    montage: bool = MISSING  # write a PNG with slices of the result
    page: bool = MISSING  # write report.html for each subject and index.html for all
    forecast: bool = MISSING  # say first how long the first subject takes, and its memory and disk space
    device: str = MISSING  # auto, cpu, cuda, cuda:1 or mps
    precision: Precision = MISSING  # of the networks for volumes; auto: the faster, timed from 20 subjects on
    threads: Any = MISSING  # that compute; auto: OMP_NUM_THREADS, else a core each that others leave free
    output: str = MISSING  # the folder of the results
    derivatives: Optional[str] = MISSING  # a folder that also gets the results as BIDS derivatives
    dry_run: bool = MISSING  # print what would become of every file, and predict nothing
    overwrite: bool = MISSING  # replace results that are already in output
    only: Optional[list[str]] = MISSING  # subjects, as sub-01 with all its sessions, or sub-1*; null: all
    shards: int = MISSING  # parts of the cohort; without shard each is a process of this machine
    shard: Optional[int] = MISSING  # the one part, from 0 up, that this command predicts; null: all

    def __post_init__(self) -> None:
        if self.sequence is not None:
            known("sequence", [self.sequence], SEQUENCES)
        at_least("shards", self.shards, 1)
        auto_or_number("threads", self.threads)
        if self.volume_classifier is not None and Stage.classify_volume not in self.pipeline.stages:
            raise ConfigError(
                f"volume_classifier={self.volume_classifier} is given, but pipeline.stages has no "
                "classify_volume; set pipeline=wished"
            )
        if self.shard is not None and not 0 <= self.shard < self.shards:
            raise ConfigError(
                f"shard={self.shard} is none of 0 to {self.shards - 1}; set shards= to the number of shards"
            )
        if self.dicom and self.names != "keep":
            raise ConfigError(
                f"dicom=true writes the patient's name into each file, but names is {self.names}; "
                "set dicom=false, or names=keep"
            )
