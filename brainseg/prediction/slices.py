"""Pictures of slices, one or a folder of them: `python predict.py input=SLICE.jpg classifier=C.ckpt`."""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.config import PredictConfig
from brainseg.config.builtin import for_pictures, is_builtin
from brainseg.config.errors import ConfigError, ImageError
from brainseg.config.gates import GatesConfig
from brainseg.data.groups import joined_subjects
from brainseg.data.slice_files import class_of, subjects_of
from brainseg.files.atomic import NO_TEXT, writing
from brainseg.gates.assessment import Assessment, Level, assess, worst
from brainseg.gates.origin import figures_of, judge_origin
from brainseg.images.fates import Fate, FileFate
from brainseg.images.found import Survey
from brainseg.images.jpeg import read_picture, read_slice
from brainseg.images.pictures import LAYOUT, survey_pictures
from brainseg.images.subject import Subject
from brainseg.inference import undecidedness
from brainseg.metrics import classification_scores, confusion_matrix
from brainseg.prediction.classify import ClassifyStage, heat_of
from brainseg.prediction.job import Job
from brainseg.prediction.meter import Meter
from brainseg.prediction.record import inputs_of
from brainseg.preprocess.slices import prepare_slice
from brainseg.reporting.slices_page import ShownSlice, write_slices_page
from brainseg.reporting.subject_page import PAGE
from brainseg.results import provenance
from brainseg.results.files import files_of
from brainseg.results.parts import (
    InputFile,
    Interval,
    Judgement,
    SliceScores,
    SlicesResult,
    Status,
    gate_result,
)
from brainseg.results.result import Result
from brainseg.results.table import without_formula
from brainseg.system.pseudonyms import KEEP
from brainseg.system.terminal import followed
from brainseg.trained import ClassifierModel

TABLE = "slices.csv"
AT_ONCE = 32  # pictures that the network sees together
SHOWN = 8  # of the surest, and of the least sure
ENTROPY, COLOUR = "type_entropy", "slice_colour"  # gates

log = logging.getLogger("brainseg")


@dataclass(frozen=True)
class Answer:
    """What is said of one picture.

    Attributes:
        name: Its file, from the input on.
        truth: The tumour type that its folder names; None where it names none.
        probabilities: (K,), calibrated; None where the picture could not be used.
        error: Why not.
        colour: Share of the picture that is in colour.
        to_review: The sentences of the gates that it did not pass.
    """

    name: str
    truth: str | None
    probabilities: NDArray[np.float64] | None = None
    error: str = ""
    colour: float = 0.0
    to_review: str = ""

    @property
    def measures(self) -> dict[str, float]:
        """The value of each gate; none where the picture could not be used."""
        p = self.probabilities
        if p is None:
            return {}
        return {ENTROPY: undecidedness(p), COLOUR: self.colour}

    @property
    def certainty(self) -> float:
        """The probability of the likeliest class."""
        return 0.0 if self.probabilities is None else float(self.probabilities.max())


def pictures_of(options: PredictConfig) -> tuple[PredictConfig, Survey] | None:
    """The pictures at the input and the options that hold for them; None where the input is of scans.

    Raises:
        ConfigError: They are asked for what only scans have.
    """
    found = survey_pictures(Path(options.input))
    if found is None:
        return None
    if not options.classifier:
        raise ConfigError(
            f"input={options.input} holds pictures of slices, for which a classifier alone answers; give "
            "classifier=builtin or classifier=CHECKPOINT, or a scan in NIfTI or DICOM"
        )
    if options.derivatives is not None:
        raise ConfigError(
            f"derivatives={options.derivatives}: pictures of slices have no place in BIDS; leave it out"
        )
    if options.names != KEEP:
        raise ConfigError(
            f"names={options.names}: names of pictures of slices cannot be hidden; leave it out, or give the "
            "files names that tell nothing"
        )
    others = {name: getattr(options, name) for name in ("skullstripper", "volume_classifier", "segmenter")}
    unused = [name for name, given in others.items() if given and not is_builtin(given)]
    if unused:
        log.warning("%s: pictures of slices need no %s", options.input, " and no ".join(unused))
    options = replace(options, skullstripper=None, volume_classifier=None, segmenter=None)
    return for_pictures(replace(options, forecast=False)), found


def is_of_pictures(subject: Subject) -> bool:
    return subject.layout == LAYOUT


def probabilities_of(prepared: Sequence[NDArray[np.uint8]], model: ClassifierModel) -> NDArray[np.float64]:
    """Calibrated probabilities (N, K) of prepared slices (S, S), some at a time."""
    groups = [prepared[first : first + AT_ONCE] for first in range(0, len(prepared), AT_ONCE)]
    found = [model.probabilities(torch.from_numpy(np.stack(group))) for group in groups]
    return np.concatenate(found) if found else np.zeros((0, len(model.config.classes)))


def predict_slices(subject: Subject, job: Job, folder: Path) -> Result:
    """Write slices.csv and the page into a folder; what belongs into result.json is given back.

    The type of a picture is its likeliest class. A picture that cannot be used is named and counted, and the
    others are answered.

    Raises:
        UserError: No picture can be used.
    """
    meter, model = Meter(), _classifier(job)
    classes = list(model.config.classes)
    with meter.measure("classify"):
        answers = [_judged(one, job.options.gates) for one in _answers(subject, model)]
    failed = {one.name: one.error for one in answers if one.error}
    if len(failed) == len(answers):
        raise ImageError(next(iter(failed.values())) + (_others(failed) if len(failed) > 1 else ""))
    gates = list(_gates(answers, job))
    inputs = inputs_of(subject)
    found = SlicesResult(
        classes=classes,
        counts={name: sum(_type_of(one, classes) == name for one in answers) for name in classes},
        to_review=sum(bool(one.to_review) for one in answers),
        failed=failed,
        scores=_scores(answers, classes, subject.folder, inputs),
    )
    result = Result(
        subject=subject.id,
        status=Status.done,
        verdict=_verdict(gates, failed, job),
        error=_failures_in_words(failed, len(answers)),
        slices=found,
        stages=["classify"],
        warnings=[*job.remarks, *subject.warnings, *_remarks(answers, model), *figures_of(job.models)],
        gates=[gate_result(one) for one in gates],
        inputs=inputs,
        files=files_of(_fates(subject, failed)),
        models=job.models,
        settings=job.settings,
        code=provenance.code(),
        machine=provenance.machine(),
        versions=provenance.versions(),
    )
    _write_table(folder / TABLE, answers, classes)
    if job.options.page:
        with meter.measure("draw"):
            surest, least = (_shown(some, subject, model) for some in _to_show(answers, classes))
            rows = [(one.name, one.truth, _type_of(one, classes), one.certainty) for one in answers]
            write_slices_page(folder / PAGE, result, surest, least, rows)
    return replace(result, seconds=meter.seconds, peak_memory_mb=meter.peak_mb)


def _fates(subject: Subject, failed: Mapping[str, str]) -> Iterator[FileFate]:
    """What became of each file, where those that could not be used are known."""
    why = {subject.images[name].path: error for name, error in failed.items()}
    for one in subject.fates:
        error = why.get(one.path)
        yield one if error is None else replace(one, fate=Fate.unreadable, why=error)


def _classifier(job: Job) -> ClassifierModel:
    model = next(stage.model for stage in job.stages if isinstance(stage, ClassifyStage))
    assert model is not None
    return model


def _answers(subject: Subject, model: ClassifierModel) -> Iterator[Answer]:
    """Every picture's, in the order of their names; as many are in memory as the network sees together."""
    names = list(subject.images)
    starts = range(0, len(names), AT_ONCE)
    for start in followed(starts, "classifying") if len(starts) > 1 else starts:
        read = [_read(subject, name, model) for name in names[start : start + AT_ONCE]]
        good = [one for one in read if not isinstance(one, Answer)]
        found = iter(probabilities_of([image for _, image in good], model))
        for one in read:
            yield one if isinstance(one, Answer) else replace(one[0], probabilities=next(found))


def _read(subject: Subject, name: str, model: ClassifierModel) -> Answer | tuple[Answer, NDArray[np.uint8]]:
    answer = Answer(name, class_of(f"{subject.folder.resolve().name}/{name}"))
    try:
        grey, colour = read_picture(subject.images[name].path)
        return replace(answer, colour=colour), prepare_slice(grey, model.config.preprocess)
    except ImageError as error:
        return replace(answer, error=str(error))


def _judged(one: Answer, limits: GatesConfig | None) -> Answer:
    if limits is None:
        return one
    found = assess(one.measures, limits)
    return replace(one, to_review=" ".join(own.sentence for own in found if own.level is not Level.passed))


def _gates(answers: Sequence[Answer], job: Job) -> Iterator[Assessment]:
    """What the model has learnt from, and of each other gate the picture with the highest measure."""
    limits = job.options.gates
    if limits is None:
        return
    yield from judge_origin(job.models, limits)
    for gate in (ENTROPY, COLOUR):
        measured = {one.name: one.measures[gate] for one in answers if one.measures}
        found = {name: assess({gate: value}, limits, name) for name, value in measured.items()}
        wrong = sum(worst(own) is not Level.passed for own in found.values())
        more = f" In all {wrong} of {len(answers)} pictures are so; {TABLE} names them." if wrong > 1 else ""
        for one in found[max(measured, key=lambda name: measured[name])]:
            yield replace(one, sentence=one.sentence + more)


def _verdict(gates: Sequence[Assessment], failed: Mapping[str, str], job: Job) -> Judgement:
    if failed:
        return Judgement.fail
    return Judgement.not_judged if job.options.gates is None else Judgement(str(worst(gates)))


def _failures_in_words(failed: Mapping[str, str], n: int) -> str | None:
    if not failed:
        return None
    return f"{len(failed)} of {n} pictures could not be used: {next(iter(failed.values()))}{_others(failed)}"


def _others(failed: Mapping[str, str]) -> str:
    return f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""


def _remarks(answers: Sequence[Answer], model: ClassifierModel) -> Iterator[str]:
    if model.config.preprocess.stripped:
        yield (
            "the classifier learnt from slices without skull, and pictures are taken as they are; give "
            "pictures without skull, or the scan itself with a skullstripper"
        )
    unknown = sorted({str(one.truth) for one in answers if one.truth} - set(model.config.classes))
    if unknown:
        yield f"not scored: folders of {', '.join(unknown)}, which the classifier does not know"


def _type_of(one: Answer, classes: Sequence[str]) -> str | None:
    return None if one.probabilities is None else classes[int(one.probabilities.argmax())]


def _scores(
    answers: Sequence[Answer], classes: Sequence[str], folder: Path, inputs: Mapping[str, InputFile]
) -> SliceScores | None:
    """Scores of the pictures whose folders name a class; equal files, and slices of a subject, are one."""
    known = [one for one in answers if one.probabilities is not None and one.truth in classes]
    if len(known) < 2:
        return None
    probabilities = np.stack([one.probabilities for one in known if one.probabilities is not None])
    truth = np.array([classes.index(str(one.truth)) for one in known], dtype=np.int64)
    digests = np.unique([inputs[one.name].sha256 for one in known], return_inverse=True)[1]
    subjects = joined_subjects(_subjects(folder, [one.name for one in known]), digests.astype(np.int64))
    scores = classification_scores(probabilities, truth, classes, subjects)
    f1 = scores["f1_macro"]
    return SliceScores(
        n=scores["n"],
        subjects=scores["subjects"],
        accuracy=Interval(**scores["accuracy"]),
        f1_macro=None if f1 is None else Interval(**f1),
        confusion=confusion_matrix(probabilities.argmax(axis=1), truth, len(classes)).tolist(),
    )


def _subjects(folder: Path, names: Sequence[str]) -> list[str]:
    """Whom each picture shows, by a table subjects.csv in the folder or in one of the two above it."""
    place = folder.resolve()
    for root in (place, *place.parents[:2]):
        if (root / "subjects.csv").is_file():
            return subjects_of(root, [(place / name).relative_to(root).as_posix() for name in names])
    return list(names)


def _write_table(path: Path, answers: Sequence[Answer], classes: Sequence[str]) -> None:
    """A row for each picture: file, truth, type, its probability, that of each class, and what is wrong."""
    with (
        writing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors=NO_TEXT, newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(["file", "truth", "type", "probability", *classes, "verdict", "reasons"])
        for one in answers:
            found = [] if one.probabilities is None else [f"{p:.6f}" for p in one.probabilities]
            certainty = f"{one.certainty:.6f}" if found else ""
            verdict = "fail" if one.error else "review" if one.to_review else "pass"
            row = [one.name, one.truth or "", _type_of(one, classes) or "", certainty]
            row += [*(found or [""] * len(classes)), verdict, one.error or one.to_review]
            table.writerow([without_formula(value) for value in row])


def _to_show(answers: Sequence[Answer], classes: Sequence[str]) -> tuple[list[Answer], list[Answer]]:
    """The surest pictures, each class in its turn, and the least sure of the others."""
    known = sorted((one for one in answers if one.probabilities is not None), key=lambda one: -one.certainty)
    turns: dict[str | None, int] = {}
    ranked = []
    for one in known:
        kind = _type_of(one, classes)
        turns[kind] = turns.get(kind, 0) + 1
        ranked.append((turns[kind], -one.certainty, one.name, one))
    surest = [one for *_, one in sorted(ranked, key=lambda rank: rank[:-1])[:SHOWN]]
    names = {one.name for one in surest}
    return surest, [one for one in reversed(known) if one.name not in names][:SHOWN]


def _shown(some: Sequence[Answer], subject: Subject, model: ClassifierModel) -> list[ShownSlice]:
    made = []
    for one in some:
        assert one.probabilities is not None
        image = prepare_slice(read_slice(subject.images[one.name].path), model.config.preprocess)
        number = int(one.probabilities.argmax())
        kind, heat = model.config.classes[number], heat_of(model, image, number)
        made.append(ShownSlice(one.name, image, heat, kind, one.certainty, one.truth))
    return made
