"""The result of a subject, from the state after its last stage."""

import numpy as np

from brainseg.gates import Level
from brainseg.images.layouts import Subject
from brainseg.prediction.job import Job
from brainseg.prediction.meter import Meter
from brainseg.prediction.scans import Scans, placement_in_words, warnings_of
from brainseg.prediction.state import State
from brainseg.preprocess.registration import Registration
from brainseg.results import provenance
from brainseg.results.files import files_of
from brainseg.results.parts import (
    Information,
    InputFile,
    Judgement,
    ReferenceGrid,
    RegistrationResult,
    SequenceGrid,
    Status,
    gate_result,
)
from brainseg.results.result import Result


def result_of(subject: Subject, state: State, job: Job, meter: Meter) -> Result:
    """All that belongs into result.json; each outcome fills in its own part."""
    scans = state.scans
    result = Result(
        subject=subject.id,
        status=Status.failed if state.level is Level.fail else Status.done,
        verdict=_judgement(state, job),
        error=state.error,
        stages=[str(stage.name) for stage in job.stages if str(stage.name) in meter.seconds],
        left_out={str(stage): reason for stage, reason in state.left_out.items()},
        warnings=[*job.remarks, *warnings_of(scans), *state.warnings],
        gates=[gate_result(one) for one in state.gates],
        synthetic=scans.are_synthetic,
        grid=_reference_grid(scans),
        grids={name: _sequence_grid(name, scans) for name in scans.images},
        inputs=inputs_of(subject),
        files=files_of(subject.fates),
        models=job.models,
        computed=job.computed or None,
        seconds=meter.seconds,
        peak_memory_mb=meter.peak_mb,
        settings=job.settings,
        code=provenance.code(),
        machine=provenance.machine(),
        versions=provenance.versions(),
    )
    for outcome in state.outcomes:
        result = outcome.added_to(result, scans)
    return result


def inputs_of(subject: Subject) -> dict[str, InputFile]:
    """The files of each sequence."""
    return {name: provenance.input_of(source) for name, source in subject.images.items()}


def _judgement(state: State, job: Job) -> Judgement:
    if job.options.gates is None and not state.gates:
        return Judgement.not_judged
    return Judgement(str(state.level))


def _reference_grid(scans: Scans) -> ReferenceGrid:
    grid = scans.grid
    spacing_mm = [round(s, 4) for s in grid.spacing_mm]
    return ReferenceGrid(scans.reference, list(grid.shape), spacing_mm, grid.orientation)


def _sequence_grid(name: str, scans: Scans) -> SequenceGrid:
    """Where a sequence lay, and what was done to bring it to the reference."""
    grid = scans.images[name].grid
    registration = scans.registrations.get(name)
    return SequenceGrid(
        shape=list(grid.shape),
        affine=np.round(grid.affine, 6).tolist(),
        orientation=grid.orientation,
        brought=placement_in_words(scans, name),
        registration=None if registration is None else _registration(registration),
    )


def _registration(found: Registration) -> RegistrationResult:
    before, after = found.information
    return RegistrationResult(
        refused=found.refused,
        matrix=np.round(found.matrix, 6).tolist(),
        translation_mm=np.round(found.translation_mm, 3).tolist(),
        rotation_degrees=np.round(found.rotation_degrees, 3).tolist(),
        largest_mm=round(found.largest_mm, 3),
        mutual_information=Information(by_headers=round(before, 4), registered=round(after, 4)),
    )
