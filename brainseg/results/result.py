"""The result of one subject: all that result.json holds."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from brainseg.config.errors import DataError, UnreadableError
from brainseg.files.typed import ABSENT, from_plain, to_plain
from brainseg.gates.order import likeliest_first
from brainseg.inference.diameters import Diameters
from brainseg.results.parts import (
    Code,
    Computed,
    FileUse,
    GateResult,
    InputFile,
    Judgement,
    LabelMeanings,
    Machine,
    ReferenceGrid,
    SegmentationFacts,
    SequenceGrid,
    Settings,
    SlicesResult,
    Status,
    TypeResult,
    VolumeTypeResult,
)
from brainseg.runs.model_record import ModelRecords
from brainseg.system.pseudonyms import current, hide

SCHEMA = 2  # the version of result.json. Files of 1, and those without a number, lack some of its keys
_SINCE = {"files": 2}  # the schema from which on a key is there
_OF_EVERY_FAILURE = (
    "subject",
    "status",
    "verdict",
    "error",
    "models",
    "settings",
    "code",
    "files",
    "traceback",
)
_ALWAYS = ("subject", "status", "verdict")
_SOMETIMES = ("error", "traceback", "dicom", "slices", "tumor_type_3d", "computed")


@dataclass(frozen=True)
class Result:
    """What a prediction found in one subject, and where that comes from.

    A subject that could not be read at all has no grid, and only the keys of every failure.

    Attributes:
        subject: Its id, which is the name of its folder.
        status: `done`, or `failed`: it was not predicted to the end.
        verdict: What the gates say: pass, review, fail or not judged.
        error: Why a failed subject was stopped, else None.
        tumor_type: The tumour type by a vote of slices; None if there was none.
        tumor_type_3d: The same from the whole brain.
        slices: What pictures of slices gave; None for scans.
        volumes_ml: Volume of the brain, and of each region and class of the tumour.
        diameters_mm: Diameters of the largest piece of each region; None for a region that is not there.
        label_convention: What each value of the label map means; None without a label map.
        segmentation: How the tumour was segmented; None if it was not.
        stages: The stages that ran, in their order.
        left_out: For each stage that did not run, why.
        warnings: Sentences that a reader should know.
        gates: Every measure that was judged.
        synthetic: Whether all sequences are marked as phantoms.
        grid: The grid of the masks.
        grids: The own grid of each sequence.
        inputs: The file of each sequence, with its sha256.
        files: What became of each file of the subject.
        dicom: The DICOM files, by what each holds, where they were asked for.
        models: The checkpoints of each model.
        computed: How the networks for volumes of each model computed; None in older results.
        seconds: The time that each step took.
        peak_memory_mb: The most memory that the process held during each step.
        settings: The settings of the prediction.
        code: Version of brainseg, and sha256 of its code.
        machine: The processor, system and Python that it ran on.
        versions: The versions of the packages that the result depends on.
        traceback: Where an error arose that brainseg does not foresee, else None.
    """

    subject: str
    status: Status
    verdict: Judgement
    error: str | None = field(default=None, metadata=ABSENT)
    tumor_type: TypeResult | None = None
    tumor_type_3d: VolumeTypeResult | None = field(default=None, metadata=ABSENT)
    slices: SlicesResult | None = field(default=None, metadata=ABSENT)
    volumes_ml: dict[str, float] = field(default_factory=dict)
    diameters_mm: dict[str, Diameters | None] = field(default_factory=dict)
    label_convention: LabelMeanings | None = None
    segmentation: SegmentationFacts | None = None
    stages: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    gates: list[GateResult] = field(default_factory=list)
    synthetic: bool = False
    grid: ReferenceGrid | None = None
    grids: dict[str, SequenceGrid] = field(default_factory=dict)
    inputs: dict[str, InputFile] = field(default_factory=dict)
    files: list[FileUse] = field(default_factory=list)
    dicom: dict[str, str] | None = field(default=None, metadata=ABSENT)
    models: ModelRecords = field(default_factory=dict)
    computed: dict[str, Computed] | None = field(default=None, metadata=ABSENT)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: dict[str, float] = field(default_factory=dict)
    settings: Settings | None = None
    code: Code | None = None
    machine: Machine | None = None
    versions: dict[str, str] = field(default_factory=dict)
    traceback: str | None = field(default=None, metadata=ABSENT)

    @property
    def wrong(self) -> list[GateResult]:
        """The gates that it did not pass, what matters most first."""
        return likeliest_first([gate for gate in self.gates if not gate.has_passed])

    @property
    def reasons(self) -> list[str]:
        """Why it did not pass: the sentences of its gates, what matters most first, or else its error."""
        wrong = [gate.sentence for gate in self.wrong]
        return wrong or ([self.error] if self.error is not None else [])

    @property
    def tells_cavity(self) -> bool:
        """Whether the resection cavity was looked for, as a class and region of its own."""
        return self.segmentation is not None and bool(self.segmentation.cavity)

    @property
    def type_in_words(self) -> str | None:
        """The tumour type, or how many slices there are of each, for one cell of a table."""
        if self.slices is not None:
            return self.slices.in_words
        found = [one.with_means for one in (self.tumor_type, self.tumor_type_3d) if one is not None]
        if len(found) < 2:
            return found[0] if found else None
        return found[0] if len({*found}) == 1 else f"slices: {found[0]}; 3-D: {found[1]}"

    def hidden(self) -> "Result":
        """The same with its texts as they may be written, where names are hidden."""
        if current() is None:
            return self
        return replace(
            self,
            error=None if self.error is None else hide(self.error),
            left_out={stage: hide(why) for stage, why in self.left_out.items()},
            warnings=[hide(warning) for warning in self.warnings],
            gates=[replace(gate, sentence=hide(gate.sentence)) for gate in self.gates],
            traceback=None if self.traceback is None else hide(self.traceback),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the file; a model of one member stands without a list around it."""
        values = to_plain(self)
        values["models"] = {name: one[0] if len(one) == 1 else one for name, one in values["models"].items()}
        ended = self.grid is not None or self.slices is not None
        names = list(values) if ended else [n for n in _OF_EVERY_FAILURE if n in values]
        return {"schema": SCHEMA, **{name: values[name] for name in names}}

    @classmethod
    def from_json(cls, values: dict[str, Any], file: Path) -> "Result":
        """The result that plain values stand for, of this schema or of an earlier one.

        Args:
            values: What was read.
            file: Where it was read, for the messages.

        Raises:
            UnreadableError: A key is missing, or a value has another type.
            DataError: A newer version of brainseg has written it.
        """
        _refuse_newer(values.get("schema", 0), file)
        ended = "grid" in values or values.get("status") == Status.done
        every = [one.name for one in fields(cls) if one.name not in _SOMETIMES] if ended else _ALWAYS
        schema = values.get("schema", 0)
        every = [name for name in every if _SINCE.get(name, 0) <= schema]
        if missing := [name for name in every if name not in values]:
            raise UnreadableError(f"{file}: cannot be read, the key {missing[0]} is missing")
        models = values.get("models", {})
        if isinstance(models, dict):
            models = {name: one if isinstance(one, list) else [one] for name, one in models.items()}
        return from_plain(cls, {**values, "models": models}, file)


def _refuse_newer(schema: Any, file: Path) -> None:
    if type(schema) is not int or schema < 0:
        raise UnreadableError(f"{file}: cannot be read, schema must be a whole number, not {schema!r:.60}")
    if schema > SCHEMA:
        raise DataError(
            f"{file}: has schema {schema}, and this version of brainseg reads up to {SCHEMA}; update brainseg"
        )
