"""The linked prediction of one subject, from its files to its result."""

import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config import PredictConfig, UserError
from brainseg.config.schema import Stage
from brainseg.images.labels import CLASSES, Convention
from brainseg.images.layouts import Subject
from brainseg.pipeline import outputs
from brainseg.pipeline.meter import Meter
from brainseg.pipeline.models import MODEL_OF, Models
from brainseg.pipeline.scans import Scans, brain_if_stripped, read_scans, refuse_without
from brainseg.pipeline.stages import Segmentation, Strip, segment, sequences_of, strip, usable_sequences
from brainseg.pipeline.tumor_type import TumorType, classify, with_tumor
from brainseg.tasks import Ensemble

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


def predict_subject(subject: Subject, job: Job, folder: Path) -> dict[str, Any]:
    """Write all outputs of a subject but result.json into a folder; what belongs into that is given back.

    Raises:
        UserError: Something about this subject cannot be used.
    """
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
    if options.montage:
        with meter.measure("draw"):
            _draw(subject, found, folder)
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


def _draw(subject: Subject, found: Findings, folder: Path) -> None:
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
