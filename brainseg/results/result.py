"""The result of one subject: all that result.json holds."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from brainseg.config.errors import DataError, UnreadableError
from brainseg.files.typed import ABSENT, from_plain, to_plain
from brainseg.inference.diameters import Diameters
from brainseg.results.parts import (
    Code,
    GateResult,
    InputFile,
    Judgement,
    LabelMeanings,
    Machine,
    ReferenceGrid,
    SegmentationFacts,
    SequenceGrid,
    Settings,
    Status,
    TypeResult,
)
from brainseg.runs.model_record import ModelRecords
from brainseg.system.pseudonyms import current, hide

SCHEMA = 1  # the version of result.json. A file without this number is older, and has the same keys
_OF_EVERY_FAILURE = ("subject", "status", "verdict", "error", "models", "settings", "code", "traceback")
_ALWAYS = ("subject", "status", "verdict")
_SOMETIMES = ("error", "traceback")


@dataclass(frozen=True)
class Result:
    """What a prediction found in one subject, and where that comes from.

    A subject that could not be read at all has no grid, and only the keys of every failure.

    Attributes:
        subject: Its id, which is the name of its folder.
        status: Whether it was predicted to the end.
        verdict: What the gates say of it.
        error: Why it was stopped.
        tumor_type: None where nothing was classified.
        volumes_ml: Of the brain, and of the tumour's regions and classes.
        diameters_mm: By region, of its largest piece; None for a region that is not there.
        label_convention: Of the label map, where there is one.
        segmentation: How the tumour was segmented, where it was.
        stages: Those that ran, in their order.
        left_out: Why a stage did not run, by its name.
        warnings: What else a person should know, a sentence each.
        gates: Every measure that was judged.
        synthetic: Whether all sequences are marked as phantoms.
        grid: Of the masks.
        grids: Where each sequence lay.
        inputs: The file of each sequence.
        models: The members of each model.
        seconds: By piece of work.
        peak_memory_mb: By piece of work.
        settings: Of the prediction.
        code: That made it.
        machine: That made it.
        versions: Of the packages that it depends on.
        traceback: Of an error that nobody expected.
    """

    subject: str
    status: Status
    verdict: Judgement
    error: str | None = field(default=None, metadata=ABSENT)
    tumor_type: TypeResult | None = None
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
    models: ModelRecords = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: dict[str, float] = field(default_factory=dict)
    settings: Settings | None = None
    code: Code | None = None
    machine: Machine | None = None
    versions: dict[str, str] = field(default_factory=dict)
    traceback: str | None = field(default=None, metadata=ABSENT)

    @property
    def reasons(self) -> list[str]:
        """Why it did not pass: the sentences of its gates, or else its error."""
        wrong = [gate.sentence for gate in self.gates if not gate.has_passed]
        return wrong or ([self.error] if self.error is not None else [])

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
        names = list(values) if self.grid is not None else [n for n in _OF_EVERY_FAILURE if n in values]
        return {"schema": SCHEMA, **{name: values[name] for name in names}}

    @classmethod
    def from_json(cls, values: dict[str, Any], file: Path) -> "Result":
        """The result that plain values stand for, of this schema or of the one before.

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
