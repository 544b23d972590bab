"""The linked prediction over one or many subjects. One that fails is named and does not stop the rest."""

import logging
import platform
import traceback
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from brainseg.config import PredictConfig, UserError
from brainseg.config.schema import Stage
from brainseg.images.labels import CLASSES, Convention
from brainseg.images.layouts import Subject, find_subjects
from brainseg.pipeline import outputs
from brainseg.pipeline.meter import Meter
from brainseg.pipeline.models import MODEL_OF, Models, convention_of, described, load_models
from brainseg.pipeline.scans import Scans, brain_if_stripped, read_scans, refuse_without
from brainseg.pipeline.stages import Segmentation, Strip, segment, sequences_of, strip, usable_sequences
from brainseg.pipeline.tumor_type import TumorType, classify, with_tumor
from brainseg.tasks import Ensemble

log = logging.getLogger("brainseg")
PACKAGES = ("brainseg", "torch", "monai", "numpy", "nibabel", "timm")


@dataclass
class Findings:
    """What the stages have found of a subject so far."""

    scans: Scans
    brain: NDArray[np.bool_] | None  # on the reference grid
    already_stripped: bool
    strip: Strip | None = None
    tumor_type: TumorType | None = None
    tumor: Segmentation | None = None
    left_out: dict[str, str] = field(default_factory=dict)  # stage: why


@dataclass(frozen=True)
class Job:
    """What is the same for all subjects."""

    options: PredictConfig
    models: Models
    convention: Convention  # of the label maps
    files: dict[str, Any]  # each model's file and its sha256, by the model's name


def run(options: PredictConfig) -> int:
    """Predict every subject at `options.input` into a folder each below `options.output`.

    Returns:
        The number of subjects that failed.

    Raises:
        UserError: Nothing could start: no scan, no model, a checkpoint of another task, results in the way.
    """
    subjects = find_subjects(Path(options.input), options.sequence)
    output = Path(options.output)
    if not options.overwrite:
        outputs.refuse_existing(output, [subject.id for subject in subjects])
    models = load_models(options)
    job = Job(options, models, convention_of(options, models), described(options, models))
    results = []
    for subject in track(subjects, "predicting", transient=True, disable=len(subjects) == 1):
        results.append(_predict_or_name(subject, job, output))
    _print_summary(results, output)
    return sum(result["status"] == "failed" for result in results)


def _predict_or_name(subject: Subject, job: Job, output: Path) -> dict[str, Any]:
    """A subject's result, written; what went wrong instead where it failed."""
    try:
        with outputs.folder_for(output, subject.id) as folder:
            result = _predict(subject, job, folder)
            outputs.write_result(folder, result)
    except Exception as error:  # one subject never takes the others down; its failure is written and counted
        known = isinstance(error, UserError)
        message = str(error) if known else f"unexpected {type(error).__name__}: {error}"
        log.error("%s failed: %s", subject.id, message)
        result = {"subject": subject.id, "status": "failed", "error": message}
        if not known:
            result["traceback"] = traceback.format_exc()
            log.debug("", exc_info=True)
        _write_failure(subject, result, output)
    return result


def _write_failure(subject: Subject, result: dict[str, Any], output: Path) -> None:
    """What went wrong in place of any earlier result; said, where even that cannot be written."""
    try:
        with outputs.folder_for(output, subject.id) as folder:
            outputs.write_result(folder, result)
    except OSError as error:  # a full disk: the other subjects are still predicted and counted
        log.error("%s: its failure could not be written to %s: %s", subject.id, output, error)


def _predict(subject: Subject, job: Job, folder: Path) -> dict[str, Any]:
    meter, models, options = Meter(), job.models, job.options
    with meter.measure("read"):
        scans = read_scans(subject, *_wanted(subject, models, options), options.pipeline.align)
        brain = brain_if_stripped(scans.images[scans.reference])
        if brain is None and Stage.strip in models:
            refuse_without(subject, sequences_of(models[Stage.strip]))
    found = Findings(scans, brain, already_stripped=brain is not None)
    for stage in options.pipeline.stages:
        if reason := _why_left_out(stage, found, models, options):
            found.left_out[str(stage)] = reason
            continue
        with meter.measure(str(stage)):
            _advance(stage, found, models[stage], options)
    if found.tumor_type and found.tumor:
        found.tumor_type = with_tumor(found.tumor_type, found.tumor.classes, scans.grid)
    with meter.measure("write"):
        _write(subject, found, job, folder)
    return _result(subject, found, job, meter)


def _wanted(subject: Subject, models: Models, options: PredictConfig) -> tuple[list[str], str | None]:
    """The sequences needed whether the scan is stripped or not, and the one whose grid the results get."""
    segmenter, needed = models.get(Stage.segment), []
    if isinstance(segmenter, Ensemble):
        needed = list(usable_sequences(segmenter, subject.images, f"{subject.folder}: {subject.id}"))
    if options.vote.sequence and Stage.classify in models:
        needed.append(options.vote.sequence)
    heads = sequences_of(models[Stage.strip]) if Stage.strip in models else []
    return list(dict.fromkeys(needed)), next(iter([*heads, *needed]), None)


def _why_left_out(stage: Stage, found: Findings, models: Models, options: PredictConfig) -> str | None:
    if stage not in models:
        return f"no {MODEL_OF[stage]} given"
    if stage is Stage.strip and found.already_stripped:
        return "the scan is stripped already; its non-zero voxels are the brain mask"
    if options.pipeline.stop_if_healthy and found.tumor_type and found.tumor_type.verdict == "notumor":
        return (
            f"notumor at {found.tumor_type.probabilities['notumor']:.3f}, and pipeline.stop_if_healthy is set"
        )
    return None


def _advance(stage: Stage, found: Findings, model: Any, options: PredictConfig) -> None:
    if stage is Stage.strip:
        found.strip = strip(found.scans, model, options.window)
        found.brain = found.strip.mask
        if not found.brain.any():
            raise UserError(f"the skull stripper found no brain in {found.scans.reference}; look at the scan")
    elif stage is Stage.classify:
        if found.already_stripped and not model.config.preprocess.stripped:
            found.scans.warnings.append(
                "the scan has no skull, while the classifier learnt from slices with skull"
            )
        found.tumor_type = classify(found.scans, found.brain, model, options.vote)
    else:
        if found.brain is None:
            found.scans.warnings.append(
                "segmented without a brain mask, which the segmenter was not trained for"
            )
        found.tumor = segment(found.scans, found.brain, model, options.window)
        _warn_of_subset(found, model)


def _warn_of_subset(found: Findings, model: Ensemble) -> None:
    assert found.tumor is not None
    used, every = list(found.tumor.sequences), sequences_of(model)
    if used == every:
        return
    cost = model.cost(used)
    said = "" if cost is None else f", which cost {cost:.3f} of the whole tumour's Dice on validation scans"
    found.scans.warnings.append(f"segmented from {' and '.join(used)} instead of {', '.join(every)}{said}")


def _write(subject: Subject, found: Findings, job: Job, folder: Path) -> None:
    if found.brain is not None:
        outputs.write_brain(folder, subject.id, found.scans, found.strip, found.brain)
    if found.tumor is not None:
        outputs.write_tumor(folder, subject.id, found.scans, found.tumor, job.convention)
    if job.options.save_probabilities:
        outputs.write_probabilities(folder, subject.id, found.scans, found.strip, found.tumor)
    if job.options.montage:
        vote = found.tumor_type
        title, note = (subject.id, "") if vote is None else (f"{subject.id}: {vote.verdict}", vote.reason)
        outputs.write_montage(folder, subject.id, title, note, found.scans, found.brain, found.tumor)
        if vote is not None:
            outputs.write_vote(folder, subject.id, vote)


def _result(subject: Subject, found: Findings, job: Job, meter: Meter) -> dict[str, Any]:
    grid, convention = found.scans.grid, job.convention
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000
    volumes = {} if found.brain is None else {"brain": round(float(found.brain.sum()) * voxel_ml, 1)}
    if found.tumor is not None:
        volumes |= found.tumor.volumes_ml(grid.spacing_mm)
    return {
        "subject": subject.id,
        "status": "done",
        "tumor_type": found.tumor_type and _type_result(found.tumor_type, job.options.vote.healthy_at),
        "volumes_ml": volumes,
        "label_convention": {"name": convention.name, "values": _values(convention)} if found.tumor else None,
        "segmentation": found.tumor.about if found.tumor else None,
        "stages": [str(s) for s in job.options.pipeline.stages if str(s) not in found.left_out],
        "left_out": found.left_out,
        "warnings": found.scans.warnings,
        "grid": {
            "reference": found.scans.reference,
            "shape": list(grid.shape),
            "spacing_mm": [round(s, 4) for s in grid.spacing_mm],
            "orientation": grid.orientation,
        },
        "inputs": {
            name: {"file": str(source.path), "channel": source.channel, "sha256": outputs.sha256(source.path)}
            for name, source in subject.images.items()
        },
        "models": job.files,
        "seconds": meter.seconds,
        "peak_memory_mb": meter.peak_mb,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def _type_result(found: TumorType, healthy_at: float) -> dict[str, Any]:
    loudest, share = found.slices[found.loudest.number], found.loudest.heat_in_tumor
    return {
        "verdict": found.verdict,
        "probabilities": found.probabilities,
        "healthy_at": healthy_at,
        "sequence": found.sequence,
        "agreement": round(found.agreement, 3),
        "planes": {plane: said.verdict for plane, said in found.planes.items()},
        "loudest": {**loudest, "heat_in_tumor": None if share is None else round(share, 3)},
        "noise": round(found.noise, 4),
        "filtered": found.filtered,
        "slices": found.slices,
    }


def _values(convention: Convention) -> dict[str, str]:
    return {str(value): CLASSES[index] for value, index in convention.classes.items()}


def _print_summary(results: list[dict[str, Any]], output: Path) -> None:
    table = Table("subject", "type", "brain ml", "tumour ml", "seconds")
    remarks: dict[str, list[str]] = {}  # and whom they concern
    for result in results:
        if result["status"] == "failed":
            table.add_row(result["subject"], "[red]failed[/red]", "", "", "")
            remarks.setdefault(result["error"], []).append(result["subject"])
            continue
        for remark in [*result["left_out"].values(), *result["warnings"]]:
            remarks.setdefault(remark, []).append(result["subject"])
        tumor_type, volumes = result["tumor_type"], result["volumes_ml"]
        table.add_row(
            result["subject"],
            tumor_type["verdict"] if tumor_type else "-",
            f"{volumes['brain']:.0f}" if "brain" in volumes else "-",
            f"{volumes['whole_tumor']:.1f}" if "whole_tumor" in volumes else "-",
            f"{sum(result['seconds'].values()):.1f}",
        )
    console = Console()
    console.print(table)
    for remark, subjects in remarks.items():
        console.print(f"{_listed(subjects)}: {remark}", soft_wrap=True, markup=False)
    console.print(f"results in {output}, a folder for each subject", soft_wrap=True)


def _listed(subjects: list[str]) -> str:
    more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
    return ", ".join(subjects[:3]) + more
