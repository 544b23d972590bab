"""The parts of a result, each with the keys that it has in result.json."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from brainseg.files.typed import ABSENT
from brainseg.gates import Assessment
from brainseg.images.fates import Fate
from brainseg.inference import Cleaning
from brainseg.results.type_words import VolumeWords, VoteWords


class Status(StrEnum):
    """Whether a subject was predicted to the end."""

    done = "done"
    failed = "failed"


class Judgement(StrEnum):
    """What the gates say of a result, or of one measure of it."""

    passed = "pass"
    review = "review"
    fail = "fail"
    not_judged = "not judged"  # with gates=none
    unreadable = "unreadable"  # a result.json that cannot be read; never written


@dataclass(frozen=True)
class SliceVote:
    """What the classifier says of one slice.

    Attributes:
        plane: sagittal, coronal or axial.
        offset_mm: From the middle, towards right, anterior or superior.
        voxel: Index along the axis that the plane cuts.
        probabilities: By class.
    """

    plane: str
    offset_mm: float
    voxel: int
    probabilities: dict[str, float]


@dataclass(frozen=True)
class LoudestSlice(SliceVote):
    """The slice with the highest probability of the verdict.

    Attributes:
        heat_in_tumor: Share of the Grad-CAM inside the segmented tumour; None where the slice has none of it.
    """

    heat_in_tumor: float | None


@dataclass(frozen=True)
class TypeResult(VoteWords):
    """The tumour type by a vote of slices.

    Attributes:
        verdict: The class that the vote's rule chose.
        probabilities: Mean over the slices, by class.
        undecided: Whether another class has a larger mean than the verdict.
        healthy_at: Mean of notumor from which it is the verdict.
        sequence: That the slices were cut from.
        agreement: Share of the planes that alone say the same as all together.
        planes: What the slices of each plane say alone.
        loudest: The slice with the highest probability of the verdict.
        noise: Standard deviation as a share of the median intensity.
        filtered: Whether the scan was smoothed first, because of its noise.
        slices: Every vote.
    """

    verdict: str
    probabilities: dict[str, float]
    undecided: bool
    healthy_at: float
    sequence: str
    agreement: float
    planes: dict[str, str]
    loudest: LoudestSlice
    noise: float
    filtered: bool
    slices: list[SliceVote]


@dataclass(frozen=True)
class VolumeTypeResult(VolumeWords):
    """The tumour type by the classifier of whole brains.

    Attributes:
        verdict: The class that the rule of the vote chooses.
        probabilities: By class, calibrated.
        undecided: Whether another class is likelier than the verdict.
        healthy_at: Probability of notumor from which it is the verdict.
        sequences: That the classifier was shown.
        heat_times: How many times as strong its Grad-CAM is in the outlined tumour as in the brain; None
            without an outlined tumour, or without any heat.
        shared: How much probability it has in common with the vote of the slices, 0 to 1; None without one.
        agrees: Whether the two say the same; None without a vote.
    """

    verdict: str
    probabilities: dict[str, float]
    undecided: bool
    healthy_at: float
    sequences: list[str]
    heat_times: float | None
    shared: float | None
    agrees: bool | None


@dataclass(frozen=True)
class Interval:
    """A score, and the ends of its interval of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SliceScores:
    """How right a classifier is on pictures whose folders name their class.

    Attributes:
        n: How many pictures.
        subjects: How many of them are independent: slices of one subject, and equal files, count as one.
        accuracy: Share that is right.
        f1_macro: Mean of the classes' F1; None where it is not defined.
        confusion: Counts (K, K): true class down, predicted class across.
    """

    n: int
    subjects: int
    accuracy: Interval
    f1_macro: Interval | None
    confusion: list[list[int]]


@dataclass(frozen=True)
class SlicesResult:
    """What a classifier says of pictures of slices. Each picture's probabilities are in slices.csv.

    Attributes:
        classes: In the order of the classifier.
        counts: Pictures by the class that is most probable.
        to_review: Pictures that a person should look at.
        failed: Why a picture could not be used, by its name.
        scores: None where no folder names a class.
    """

    classes: list[str]
    counts: dict[str, int]
    to_review: int
    failed: dict[str, str]
    scores: SliceScores | None

    @property
    def in_words(self) -> str:
        """The class of a single picture, or how many there are of each."""
        named = [(name, n) for name, n in self.counts.items() if n]
        if len(named) == 1 and named[0][1] == 1 and not self.failed:
            return named[0][0]
        return ", ".join(f"{n} {name}" for name, n in named) or "none"


@dataclass(frozen=True)
class LabelMeanings:
    """The convention of the label map, and the class that each of its values stands for."""

    name: str
    values: dict[str, str]


@dataclass(frozen=True)
class SegmentationFacts:
    """How the tumour was segmented.

    Attributes:
        sequences: That the models were shown.
        members: Number of models whose mean was taken.
        flips: Mirror images whose mean was taken.
        cleaning: What was done to the classes.
        temperatures: That calibrate the probabilities, by region.
        cavity: True where the models tell the resection cavity, as one more class and region.
    """

    sequences: list[str]
    members: int
    flips: str
    cleaning: Cleaning
    temperatures: dict[str, float]
    cavity: bool | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True)
class GateLimits:
    """The ends, [low, high], outside of which a measure is reviewed or fails. An open end is None."""

    review: list[float | None] | None
    fail: list[float | None] | None


@dataclass(frozen=True)
class GateResult:
    """What a gate found, as `brainseg.gates.Assessment` has it: without a value where it was not measured."""

    gate: str
    of: str | None
    level: Judgement
    value: float | None
    limits: GateLimits | None
    sentence: str

    @property
    def has_passed(self) -> bool:
        return self.level is Judgement.passed


def gate_result(found: Assessment) -> GateResult:
    """An assessment as it is stored, its value rounded to 4 digits."""
    limits = None if found.limits is None else GateLimits(found.limits.review, found.limits.fail)
    value = None if found.value is None else round(float(found.value), 4)
    return GateResult(found.gate, found.of, Judgement(str(found.level)), value, limits, found.sentence)


@dataclass(frozen=True)
class ReferenceGrid:
    """The grid of the masks: the sequence that it is of, its voxels, their size and their axes, as "LPS"."""

    reference: str
    shape: list[int]
    spacing_mm: list[float]
    orientation: str


@dataclass(frozen=True)
class Information:
    """Mutual information of two sequences in nats, where their headers put them and once registered."""

    by_headers: float
    registered: float


@dataclass(frozen=True)
class RegistrationResult:
    """How a sequence was moved onto the reference; see `brainseg.preprocess.registration.Registration`."""

    refused: str | None
    matrix: list[list[float]]
    translation_mm: list[float]
    rotation_degrees: list[float]
    largest_mm: float
    mutual_information: Information


@dataclass(frozen=True)
class SequenceGrid:
    """Where a sequence lay, and in words what was done to bring it to the reference."""

    shape: list[int]
    affine: list[list[float]]
    orientation: str
    brought: str
    registration: RegistrationResult | None


@dataclass(frozen=True)
class SeriesName:
    """The number and description of a DICOM series."""

    number: int | None
    description: str


@dataclass(frozen=True)
class InputFile:
    """A scan.

    Attributes:
        file: The absolute path of the file, or of the folder of a DICOM series.
        channel: Which volume of a four-dimensional file, from 0.
        sha256: Hash of the file, or of the list of a series' slices.
        beside: The sha256 of each other file that belongs to it, by its name: the voxels of a .hdr.
        series: What the header says of a DICOM series; None for other files.
        slices: The sha256 of each of its slices, by their path from the folder on.
    """

    file: str
    channel: int | None
    sha256: str
    series: SeriesName | None = field(default=None, metadata=ABSENT)
    slices: dict[str, str] | None = field(default=None, metadata=ABSENT)
    beside: dict[str, str] | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True)
class FileUse:
    """What became of a file of the subject, or of those of a DICOM series.

    Attributes:
        file: The absolute path of the file, or of the folder of a series.
        fate: used, copy, left out or unreadable.
        role: What it is used as: a sequence, "truth" or "brain mask"; None where it is not used.
        why: How it was recognised, what it is a copy of, or the reason.
        count: How many files it stands for.
    """

    file: str
    fate: Fate
    role: str | None
    why: str
    count: int


@dataclass(frozen=True)
class Computed:
    """How a model's networks computed: float32 or bf16, and their weights contiguous or channels_last."""

    precision: str
    layout: str


@dataclass(frozen=True)
class Settings:
    """Every setting of the prediction, and a hash of those that the result depends on."""

    values: dict[str, Any]
    sha256: str


@dataclass(frozen=True)
class Code:
    """The version of the package, and a hash of all its files."""

    version: str
    sha256: str


@dataclass(frozen=True)
class Machine:
    """The processor, the system and the Python, with which the last bits of a result may differ.

    Attributes:
        processor: Its name.
        system: Its name.
        python: The version.
        threads: That computed, with which the last bits may differ too; None in older results.
    """

    processor: str
    system: str
    python: str
    threads: int | None = field(default=None, metadata=ABSENT)
