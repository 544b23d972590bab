"""What is known of a model that was used: its file, what it learnt from, and how it was measured."""

from dataclasses import dataclass, field

from brainseg.files.typed import ABSENT


@dataclass(frozen=True)
class LearntFrom:
    """The examples of a training run.

    Attributes:
        examples: How many; None where the checkpoint does not say it.
        data: What they are, as "subjects of nfbs".
        synthetic: Whether all are phantoms.
        before: The same of the run whose weights this one started from.
        sequences: That the model is shown; empty for slices, and None in `before`.
    """

    examples: int | None
    data: str
    synthetic: bool
    before: "LearntFrom | None" = field(default=None, metadata=ABSENT)
    sequences: list[str] | None = field(default=None, metadata=ABSENT)

    @property
    def only_synthetic(self) -> bool:
        """Whether everything that the model has learnt from is synthetic, in the runs before its own too."""
        return self.synthetic and (self.before is None or self.before.only_synthetic)


@dataclass(frozen=True)
class Measured:
    """A figure of a model on real scans, as brain Dice 0.957 on 20 scans of IXI."""

    data: str
    scans: int
    score: str
    value: float


@dataclass(frozen=True)
class ModelFile:
    """A checkpoint: its absolute path, its sha256, what it learnt from, and its figures on real scans."""

    file: str
    sha256: str
    learnt_from: LearntFrom
    measured: list[Measured]


@dataclass(frozen=True)
class Method:
    """A method that learns nothing, and so has no file."""

    method: str


Member = ModelFile | Method
ModelRecords = dict[str, list[Member]]  # by the model's name; an ensemble has several members
