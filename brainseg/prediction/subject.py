"""The linked prediction of one subject, from its files to its result."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from brainseg.config import PredictConfig
from brainseg.config.choices import Register, Stage
from brainseg.config.gates import ContradictionsConfig, GatesConfig
from brainseg.gates import Assessment, Level
from brainseg.gates.contradictions import VOLUME, Evidence, contradictions, types_differ
from brainseg.gates.judge import judge_contrast, judge_scans
from brainseg.gates.origin import figures_of, judge_origin
from brainseg.gates.scan import Pools
from brainseg.images.labels import is_tumor
from brainseg.images.layouts import Subject
from brainseg.inference import HEALTHY, likeliest
from brainseg.prediction.brain import Brain
from brainseg.prediction.classify import TumorType, with_tumor
from brainseg.prediction.classify_volume import VolumeType
from brainseg.prediction.dicom_files import write_dicom
from brainseg.prediction.job import Job
from brainseg.prediction.meter import Meter
from brainseg.prediction.pictures import draw_pictures, scene_of
from brainseg.prediction.plan import Plan, incomplete, plan_of
from brainseg.prediction.record import result_of
from brainseg.prediction.scans import brain_if_stripped, read_scans, registered
from brainseg.prediction.segment import Segmentation
from brainseg.prediction.stage import PipelineStage
from brainseg.prediction.state import State
from brainseg.reporting.subject_page import PAGE, write_subject_page
from brainseg.reporting.viewer import volumes_of
from brainseg.results.result import Result
from brainseg.runs.model_record import ModelRecords

# A second opinion is always heard.
NAME_THE_TYPE = (Stage.classify, Stage.classify_volume)


@dataclass(frozen=True)
class Found:
    """A subject on its way: what is known of it, what can be done for it, and what that took so far."""

    subject: Subject
    state: State
    plan: Plan
    meter: Meter
    pools: Pools


def predict_subject(subject: Subject, job: Job, folder: Path) -> Result:
    """Write all outputs of a subject but result.json into a folder; what belongs into that is given back.

    Raises:
        UserError: Something about this subject cannot be used.
    """
    return write(compute(read(subject, job), job), job, folder)


def read(subject: Subject, job: Job) -> Found:
    """The scans of a subject, judged; no network is asked.

    Raises:
        UserError: As `predict_subject`.
    """
    meter, limits, pools = Meter(), job.options.gates, Pools()
    state, plan = _read(subject, job, meter)
    if limits is not None:
        with meter.measure("judge"):
            placed = {name: state.scans.placed(name) for name in state.scans.images}
            state = state.with_gates(judge_scans(placed, limits, pools))
    return Found(subject, state, plan, meter, pools)


def compute(found: Found, job: Job) -> Found:
    """The same after all stages: what the networks have found.

    Raises:
        UserError: As `predict_subject`.
    """
    state = found.state
    for stage in job.stages:
        if state.level is not Level.fail:
            state = _after(stage, state, found.plan, job.options, found.meter)
    return replace(found, state=state)


def write(found: Found, job: Job, folder: Path) -> Result:
    """Judge all together, and write it, as `predict_subject` does.

    Raises:
        UserError: As `predict_subject`.
    """
    state, meter, limits = found.state, found.meter, job.options.gates
    state = _judge_models(state.with_gates_first(incomplete(state.missing)), job, meter)
    if state.level is not Level.fail:
        if limits is not None:
            with meter.measure("judge"):
                state = _judge_contrast(state, limits, found.pools)
        state = _conclude(state, limits)
        with meter.measure("write"):
            name, probabilities = found.subject.id, job.options.save_probabilities
            for outcome in state.outcomes:
                outcome.write(folder, name, state.scans, probabilities=probabilities)
    return _recorded(found.subject, state, job, folder, meter)


def _read(subject: Subject, job: Job, meter: Meter) -> tuple[State, Plan]:
    """The scans, the brain of those that came without skull, and what can be done with them."""
    options = job.options
    with meter.measure("read"):
        plan = plan_of(subject, job.stages)
        scans = read_scans(subject, plan.first, options.pipeline.align)
        brain = brain_if_stripped(scans.images[scans.reference])
        plan = plan.for_head(job.stages) if brain is None else plan.for_stripped()
        plan.refuse_nothing(subject, job.stages)
    if options.pipeline.register is Register.rigid:
        with meter.measure("register"):
            scans = registered(scans)
    return State(scans, () if brain is None else (Brain(brain, None),)), plan


def _after(stage: PipelineStage, state: State, plan: Plan, options: PredictConfig, meter: Meter) -> State:
    """The state after a stage has run, or was left out, and was judged."""
    if reason := _why_left_out(stage, state, options):
        state = state.without(stage.name, reason, missing=False)
    elif reason := plan.missing.get(stage.name):
        state = state.without(stage.name, reason, missing=True)
    else:
        with meter.measure(str(stage.name)):
            state = stage.run(state)
    if options.gates is not None:
        with meter.measure("judge"):
            state = stage.judge(state, options.gates)
    return state


def _why_left_out(stage: PipelineStage, state: State, options: PredictConfig) -> str | None:
    if not stage.is_given:
        return stage.why_not_given
    if reason := stage.why_left_out(state):
        return reason
    named = [one for one in (state.outcome(TumorType), state.outcome(VolumeType)) if one is not None]
    healthy = bool(named) and all(one.verdict == HEALTHY for one in named)
    if options.pipeline.stop_if_healthy and healthy and stage.name not in NAME_THE_TYPE:
        least = min(one.probabilities[HEALTHY] for one in named)
        return f"{HEALTHY} at {least:.3f}, and pipeline.stop_if_healthy is set"
    return None


def _judge_models(state: State, job: Job, meter: Meter) -> State:
    """What is known of the models that looked at a real scan; before all other reasons."""
    if state.scans.are_synthetic:
        return state
    ran = [stage.model_name for stage in job.stages if str(stage.name) in meter.seconds]
    looked: ModelRecords = {name: members for name, members in job.models.items() if name in ran}
    state = state.with_warnings(*figures_of(looked))
    if job.options.gates is None or not looked:
        return state
    return state.with_gates_first(judge_origin(looked, job.options.gates))


def _judge_contrast(state: State, limits: GatesConfig, pools: Pools) -> State:
    """Last of all, when it is known what in the brain is tumour."""
    if state.brain is None:
        return state
    scans, found = state.scans, state.outcome(Segmentation)
    images = {name: scans.on_reference(name) for name in scans.images}
    tumor = None if found is None else found.classes > 0  # a resection cavity is no brain tissue either
    return state.with_gates(judge_contrast(images, state.brain, tumor, scans.grid, limits, pools))


def _conclude(state: State, limits: GatesConfig | None) -> State:
    """What the tumour types and the outline say together."""
    vote, tumor = state.outcome(TumorType), state.outcome(Segmentation)
    if vote is not None and tumor is not None:
        vote = with_tumor(vote, tumor.classes, state.scans.grid)
        state = state.with_outcome(vote)
    volume = state.outcome(VolumeType)
    if volume is not None:
        outlined = None if tumor is None else is_tumor(tumor.classes)
        volume = replace(volume, tumor=outlined, vote=vote)
        state = state.with_outcome(volume)
    if limits is None or limits.contradictions is None:
        return state
    return state.with_gates(_contradictions(vote, volume, tumor, limits.contradictions))


def _contradictions(
    vote: TumorType | None,
    volume: VolumeType | None,
    tumor: Segmentation | None,
    limits: ContradictionsConfig,
) -> Iterator[Assessment]:
    shape = None if tumor is None else tumor.shape
    if vote is not None:
        heat = vote.loudest
        evidence = Evidence(vote.verdict, shape, heat.heat_in_tumor, heat.heat_in_brain)
        yield from contradictions(evidence, limits)
    if volume is not None:
        # Its likeliest class: a brain that is probably healthy contradicts no empty outline.
        said = likeliest(volume.probabilities)
        evidence = Evidence(said, shape, heat_times=volume.heat_times, of=VOLUME)
        yield from contradictions(evidence, limits)
    if vote is not None and volume is not None:
        yield from types_differ(vote.probabilities, volume.probabilities, limits)


def _recorded(subject: Subject, state: State, job: Job, folder: Path, meter: Meter) -> Result:
    """The result of a state, whose pictures and page are drawn as well."""
    options = job.options
    pictures, volumes = {}, None
    if options.montage or options.page:
        with meter.measure("draw"):
            scene = scene_of(state)
            pictures = draw_pictures(folder, subject.id, state, scene) if options.montage else {}
            volumes = volumes_of(scene) if options.page else None
    dicom = None
    if options.dicom and state.level is not Level.fail:
        with meter.measure("write DICOM"):
            dicom, state = write_dicom(folder, subject, state, pictures)
    result = replace(result_of(subject, state, job, meter), dicom=dicom or None)
    if options.page:
        write_subject_page(folder / PAGE, result, volumes, pictures)
    return result
