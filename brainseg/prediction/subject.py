"""The linked prediction of one subject, from its files to its result."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config import PredictConfig, UserError
from brainseg.config.choices import Register, Stage
from brainseg.config.gates import GatesConfig
from brainseg.gates import Assessment, Level, worst
from brainseg.gates.contradictions import Evidence, contradictions
from brainseg.gates.judge import judge_brain, judge_contrast, judge_scans, judge_tumor, judge_type
from brainseg.gates.origin import figures_of, judge_origin
from brainseg.gates.tumor import TumorShape, shape_of_tumor
from brainseg.images.labels import CLASSES, REGIONS, Convention
from brainseg.images.layouts import Subject
from brainseg.images.volume import Volume, ras_grid, to_ras
from brainseg.inference import diameters
from brainseg.prediction import outputs
from brainseg.prediction.classify import TumorType, classify, with_tumor
from brainseg.prediction.meter import Meter
from brainseg.prediction.missing import Plan, incomplete, plan_of
from brainseg.prediction.models import MODEL_OF, Models
from brainseg.prediction.scans import (
    Scans,
    brain_if_stripped,
    brought,
    read_scans,
    registered,
    warnings_of,
)
from brainseg.prediction.stages import (
    Segmentation,
    Strip,
    segment,
    sequences_of,
    strip,
    strip_mirrored,
)
from brainseg.preprocess.registration import Registration
from brainseg.reporting.montage import Scene
from brainseg.reporting.subject_page import PAGE, write_subject_page
from brainseg.reporting.viewer import volumes_of
from brainseg.results import provenance
from brainseg.results.type_words import is_undecided
from brainseg.tasks import Ensemble

NOT_JUDGED = "not judged"  # the verdict with gates=none
WHOLE = list(REGIONS).index("whole_tumor")


@dataclass
class Findings:
    """What the stages have found of a subject so far."""

    scans: Scans
    brain: NDArray[np.bool_] | None  # on the reference grid
    already_stripped: bool
    strip: Strip | None = None
    tumor_type: TumorType | None = None
    tumor: Segmentation | None = None
    shape: TumorShape | None = None  # of the outline, where it is judged
    left_out: dict[str, str] = field(default_factory=dict)  # stage: why
    missing: dict[Stage, str] = field(default_factory=dict)  # those that could not be done, of these
    gates: list[Assessment] = field(default_factory=list)

    @property
    def level(self) -> Level:
        return worst(self.gates)


@dataclass(frozen=True)
class Job:
    """What is the same for all subjects."""

    options: PredictConfig
    models: Models
    convention: Convention  # of the label maps
    files: dict[str, Any]  # each model's file and its sha256, by the model's name
    settings: dict[str, Any]  # their values, and a hash of those that the result depends on
    remarks: list[str] = field(default_factory=list)  # of the models: a warning in each result


def predict_subject(subject: Subject, job: Job, folder: Path) -> dict[str, Any]:
    """Write all outputs of a subject but result.json into a folder; what belongs into that is given back.

    Raises:
        UserError: Something about this subject cannot be used.
    """
    meter, models, options = Meter(), job.models, job.options
    with meter.measure("read"):
        scans, brain, plan = _read(subject, models, options)
    if options.pipeline.register is Register.rigid:
        with meter.measure("register"):
            scans = registered(scans)
    found = Findings(scans, brain, already_stripped=brain is not None)
    if options.gates is not None:
        with meter.measure("judge"):
            found.gates += judge_scans({name: scans.placed(name) for name in scans.images}, options.gates)
    asked: list[Stage] = []
    for stage in options.pipeline.stages:
        if found.level is Level.fail:
            break
        if reason := _why_left_out(stage, found, models, options):
            found.left_out[str(stage)] = reason
        elif reason := plan.missing.get(stage):
            found.missing[stage] = found.left_out[str(stage)] = reason
        else:
            asked.append(stage)
            with meter.measure(str(stage)):
                _advance(stage, found, models[stage], options)
        if options.gates is not None:
            with meter.measure("judge"):
                _judge(stage, found, models, options)
    found.gates = [*incomplete(found.missing), *found.gates]
    if not found.scans.are_synthetic:
        _judge_models(found, {MODEL_OF[stage]: job.files[MODEL_OF[stage]] for stage in asked}, options)
    if found.level is not Level.fail:
        if options.gates is not None:
            with meter.measure("judge"):
                _judge_contrast(found, options.gates)
        _conclude(found, options)
        with meter.measure("write"):
            _write(subject, found, job, folder)
    pictures, volumes = {}, None
    if options.montage or options.page:
        with meter.measure("draw"):
            scene = outputs.scene_of(found.scans, found.brain, found.tumor)
            pictures = _draw(subject, found, scene, folder) if options.montage else {}
            volumes = volumes_of(scene) if options.page else None
    result = _result(subject, found, job, meter)
    if options.page:
        write_subject_page(folder / PAGE, result, volumes, pictures)
    return result


def _read(
    subject: Subject, models: Models, options: PredictConfig
) -> tuple[Scans, NDArray[np.bool_] | None, Plan]:
    """The sequences, the brain mask of a scan that came without skull, and what can be done with them."""
    plan = plan_of(subject, models, options)
    scans = read_scans(subject, plan.first, options.pipeline.align)
    brain = brain_if_stripped(scans.images[scans.reference])
    plan = plan.of_head(models) if brain is None else plan.of_stripped()
    plan.refuse_nothing(subject)
    return scans, brain, plan


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


def _judge(stage: Stage, found: Findings, models: Models, options: PredictConfig) -> None:
    """What the stage has found, where it has found something; a scan that came stripped is judged as well."""
    scans, limits = found.scans, options.gates
    assert limits is not None
    if stage is Stage.strip and found.brain is not None:
        raw = scans.images[scans.reference].data[0] != 0 if found.strip is None else found.strip.logit > 0
        mirrored = None
        if found.strip is not None and limits.flip_agreement is not None:
            mirrored = strip_mirrored(scans, models[stage], options.window)
        found.gates += judge_brain(found.brain, raw, mirrored, scans.grid, limits)
    elif stage is Stage.classify and found.tumor_type is not None:
        vote = found.tumor_type
        found.gates += judge_type(vote.verdict, vote.probabilities, vote.agreement, limits)
    elif stage is Stage.segment and found.tumor is not None:
        found.shape = _shape(found)
        found.gates += judge_tumor(found.shape, limits)


def _judge_models(found: Findings, asked: dict[str, Any], options: PredictConfig) -> None:
    """What the models that looked at a real scan have known of such; before all other reasons."""
    found.scans.warnings.extend(figures_of(asked))
    if options.gates is not None and asked:
        found.gates = [*judge_origin(asked, options.gates), *found.gates]


def _judge_contrast(found: Findings, limits: GatesConfig) -> None:
    """Last of all, when it is known what in the brain is tumour."""
    if found.brain is not None:
        images = {name: found.scans.on_reference(name) for name in found.scans.images}
        tumor = None if found.tumor is None else found.tumor.classes > 0
        found.gates += judge_contrast(images, found.brain, tumor, found.scans.grid, limits)


def _shape(found: Findings) -> TumorShape:
    assert found.tumor is not None
    arrays = [found.tumor.classes, found.tumor.regions[WHOLE], found.brain]
    ras = [None if array is None else to_ras(Volume(array[None], found.scans.grid)) for array in arrays]
    classes, whole, brain = (None if volume is None else volume.data[0] for volume in ras)
    assert classes is not None
    assert whole is not None
    return shape_of_tumor(classes, whole, brain, ras_grid(found.scans.grid))


def _conclude(found: Findings, options: PredictConfig) -> None:
    """What the stages say together."""
    if found.tumor_type and found.tumor:
        found.tumor_type = with_tumor(found.tumor_type, found.tumor.classes, found.scans.grid)
    if options.gates is None or options.gates.contradictions is None:
        return
    evidence = Evidence(tumor=found.shape)
    if found.tumor_type is not None:
        loudest = found.tumor_type.loudest
        evidence = replace(
            evidence,
            verdict=found.tumor_type.verdict,
            heat_in_tumor=loudest.heat_in_tumor,
            heat_in_brain=loudest.heat_in_brain,
        )
    found.gates += contradictions(evidence, options.gates.contradictions)


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


def _draw(subject: Subject, found: Findings, scene: Scene, folder: Path) -> dict[str, Path]:
    vote = found.tumor_type
    title, note = (subject.id, "") if vote is None else (f"{subject.id}: {vote.said}", vote.reason)
    if found.level is Level.fail:
        title, note = f"{subject.id}: failed", _error(found)["error"]
    pictures = {"montage": outputs.write_montage(folder, subject.id, title, note, scene)}
    if vote is not None:
        pictures["vote"] = outputs.write_vote(folder, subject.id, vote)
    return pictures


def _result(subject: Subject, found: Findings, job: Job, meter: Meter) -> dict[str, Any]:
    grid, convention = found.scans.grid, job.convention
    volumes = {}
    if found.brain is not None:
        volumes["brain"] = round(float(found.brain.sum()) * grid.voxel_ml, 1)
    if found.tumor is not None:
        volumes |= found.tumor.volumes_ml(grid.voxel_ml)
    return {
        "subject": subject.id,
        "status": "failed" if found.level is Level.fail else "done",
        "verdict": NOT_JUDGED if job.options.gates is None and not found.gates else str(found.level),
        **_error(found),
        "tumor_type": found.tumor_type and _type_result(found.tumor_type),
        "volumes_ml": volumes,
        "diameters_mm": {} if found.tumor is None else _diameters(found.tumor, found.scans),
        "label_convention": {"name": convention.name, "values": _values(convention)} if found.tumor else None,
        "segmentation": found.tumor.about if found.tumor else None,
        "stages": [str(s) for s in job.options.pipeline.stages if str(s) in meter.seconds],
        "left_out": found.left_out,
        "warnings": job.remarks + warnings_of(found.scans),
        "gates": [one.as_dict() for one in found.gates],
        "synthetic": found.scans.are_synthetic,
        "grid": {
            "reference": found.scans.reference,
            "shape": list(grid.shape),
            "spacing_mm": [round(s, 4) for s in grid.spacing_mm],
            "orientation": grid.orientation,
        },
        "grids": {name: _grid_result(name, found.scans) for name in found.scans.images},
        "inputs": inputs_of(subject),
        "models": job.files,
        "seconds": meter.seconds,
        "peak_memory_mb": meter.peak_mb,
        "settings": job.settings,
        "code": provenance.code(),
        "machine": provenance.machine(),
        "versions": provenance.versions(),
    }


def inputs_of(subject: Subject) -> dict[str, Any]:
    """The files of each sequence, for result.json."""
    return {name: provenance.input_of(source) for name, source in subject.images.items()}


def _diameters(tumor: Segmentation, scans: Scans) -> dict[str, dict[str, float] | None]:
    """Of each region's largest piece; None for a region that is not there."""
    classes = to_ras(Volume(tumor.classes[None], scans.grid))
    found = {
        region: diameters(np.isin(classes.data[0], members), classes.grid.spacing_mm)
        for region, members in REGIONS.items()
    }
    return {region: asdict(one) if one else None for region, one in found.items()}


def _grid_result(name: str, scans: Scans) -> dict[str, Any]:
    """Where a sequence lay, and what was done to bring it to the reference."""
    grid = scans.images[name].grid
    registration = scans.registrations.get(name)
    return {
        "shape": list(grid.shape),
        "affine": np.round(grid.affine, 6).tolist(),
        "orientation": grid.orientation,
        "brought": brought(scans, name),
        "registration": registration and _registration_result(registration),
    }


def _registration_result(found: Registration) -> dict[str, Any]:
    before, after = found.information
    return {
        "refused": found.refused,
        "matrix": np.round(found.matrix, 6).tolist(),
        "translation_mm": np.round(found.translation_mm, 3).tolist(),
        "rotation_degrees": np.round(found.rotation_degrees, 3).tolist(),
        "largest_mm": round(found.largest_mm, 3),
        "mutual_information": {"by_headers": round(before, 4), "registered": round(after, 4)},
    }


def _error(found: Findings) -> dict[str, str]:
    """Why the subject was stopped, if it was."""
    failed = [one.sentence for one in found.gates if one.level is Level.fail]
    return {"error": " ".join(failed)} if failed else {}


def _type_result(found: TumorType) -> dict[str, Any]:
    loudest, share = found.slices[found.loudest.number], found.loudest.heat_in_tumor
    return {
        "verdict": found.verdict,
        "probabilities": found.probabilities,
        "undecided": is_undecided(found.verdict, found.probabilities),
        "healthy_at": found.healthy_at,
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
