"""The linked prediction over one or many subjects. One that fails is named and does not stop the rest."""

import logging
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from rich.table import Table

from brainseg.bids.dataset import refuse_unfit, write_derivatives
from brainseg.config import PredictConfig, UserError
from brainseg.config.errors import DataError
from brainseg.files.waiting import one_at_a_time
from brainseg.images.fates import in_one_line
from brainseg.images.found import NoScanError, Survey
from brainseg.images.labels import CAVITY
from brainseg.images.layouts import Subject, survey
from brainseg.images.lgg_patients import survey_lgg
from brainseg.images.preference import Choice
from brainseg.prediction import outputs
from brainseg.prediction.ahead import Make, can_overlap, predicted
from brainseg.prediction.batch import write_batch
from brainseg.prediction.computing import settle
from brainseg.prediction.forecast import forecast
from brainseg.prediction.hiding import hiding, input_of, renamed
from brainseg.prediction.job import Job, job_of
from brainseg.prediction.looking import looker_of
from brainseg.prediction.record import inputs_of
from brainseg.prediction.shards import made_since, predict_shards
from brainseg.prediction.slices import is_of_pictures, pictures_of, predict_slices
from brainseg.prediction.subject import predict_subject
from brainseg.reporting.subject_page import PAGE, write_subject_page
from brainseg.results import provenance
from brainseg.results.files import files_of, marked_unreadable
from brainseg.results.names import FILES, INDEX, LOCK, RESULT
from brainseg.results.parts import Judgement, Status
from brainseg.results.places import refuse_unfit_derivatives, refuse_unfit_ids, refuse_unfit_output
from brainseg.results.read import read_result
from brainseg.results.replacing import known_files, recover
from brainseg.results.result import Result
from brainseg.results.verify import changed_files
from brainseg.system.terminal import cell, console, followed, say
from brainseg.system.threads import computing_with, threads_to_predict
from brainseg.system.verdicts import SOME_FAILED, SOME_TO_REVIEW

COLOURS = {
    Judgement.passed: "green",
    Judgement.review: "yellow",
    Judgement.fail: "red",
    Judgement.not_judged: "dim",
}

log = logging.getLogger("brainseg")


def run(options: PredictConfig) -> int:
    """Predict every subject at `options.input` into a folder each below `options.output`.

    Returns:
        The exit code: 0 if all passed, 3 if some are to be reviewed, 4 if some failed.

    Raises:
        UserError: Nothing could start: no scan, no model, a checkpoint of another task, results in the way.
    """
    with hiding(options), computing_with(threads_to_predict(options.threads)):
        return _run(options)


def _run(options: PredictConfig) -> int:
    try:
        options, cohort = subjects_at(options)
    except NoScanError as error:
        _write_reasons(error, Path(options.output))
        raise
    chosen = renamed(cohort.only(options.only, options.input), options)
    found = chosen.share(options.shard, options.shards)
    output, subjects = Path(options.output), found.subjects
    log.info("%s: %s; %s names each", options.input, in_one_line(found.fates), output / FILES)
    recover(output, known_files)
    _refuse_places(subjects, options)
    job = job_of(options)
    done = {} if options.overwrite else _done_before(subjects, job, output)
    left = [subject for subject in subjects if subject.id not in done]
    settle(job.stages, options.precision, len(left), alone=options.shards == 1)
    if options.forecast and left:
        _forecast(left, job)
    results = dict(done)
    if options.shards > 1 and options.shard is None and len(left) > 1:
        results |= _by_shards(left, job, output)
        left = [subject for subject in left if subject.id not in results]
    made = _one_by_one(left, job, output)
    for result in followed(made, "predicting", len(left)) if len(left) > 1 else made:
        results[result.subject] = result
    with one_at_a_time(output / LOCK):
        write_batch(output, found.fates, page=options.page)
        derivatives = _derivatives(options)
    _print_summary([results[subject.id] for subject in subjects], len(done), output)
    say(*derivatives)
    if options.page:
        say(f"pages: {output / INDEX}")
    verdicts = {result.verdict for result in results.values()}
    if Judgement.fail in verdicts:
        return SOME_FAILED
    return SOME_TO_REVIEW if Judgement.review in verdicts else 0


def _one_by_one(subjects: list[Subject], job: Job, output: Path) -> Iterator[Result]:
    """The result of each subject, written."""
    if can_overlap(subjects, job):
        return predicted(subjects, job, lambda subject, make: predict_or_name(subject, job, output, make))
    return (predict_or_name(subject, job, output) for subject in subjects)


def _by_shards(left: list[Subject], job: Job, output: Path) -> dict[str, Result]:
    """The results that processes of their own have made, those that failed too."""
    begun = time.time()
    hydra_cfg = HydraConfig.get()
    predict_shards(job.options, hydra_cfg.overrides.task, left, hydra_cfg.runtime.output_dir)
    made = [subject for subject in left if made_since(job.options.output, subject, begun)]
    return {subject.id: read_result(output / subject.id) for subject in made}


def _derivatives(options: PredictConfig) -> list[str]:
    if options.derivatives is None:
        return []
    return write_derivatives(Path(options.output), Path(options.derivatives)).lines()


def _write_reasons(error: NoScanError, output: Path) -> None:
    """Why each file is no scan, where there is none at all."""
    output.mkdir(parents=True, exist_ok=True)
    write_batch(output, error.fates, page=False)
    log.info("%s; %s says of each why", in_one_line(error.fates), output / FILES)


def subjects_at(options: PredictConfig) -> tuple[PredictConfig, Survey]:
    """What is at the input, and the options that hold for it; pictures of slices are one subject.

    Raises:
        UserError: There is none, or pictures are asked for what only scans have.
    """
    root = input_of(options)
    if (patients := survey_lgg(root)) is not None:
        return options, patients
    if (pictures := pictures_of(options)) is not None:
        return pictures
    return options, survey(root, options.sequence, Choice.of(options.choose), looker_of(options))


def _refuse_places(subjects: list[Subject], options: PredictConfig) -> None:
    """Before any work: no scan lies where something is written, and nothing of others is in the way."""
    output = Path(options.output)
    refuse_unfit_output(output, subjects)
    refuse_unfit_ids(output, subjects)
    if options.derivatives is not None:
        root = Path(options.derivatives)
        refuse_unfit_derivatives(root, output, subjects)
        refuse_unfit(root, [one.id for one in subjects], output)


def _done_before(subjects: list[Subject], job: Job, output: Path) -> dict[str, Result]:
    """Results that are in the output already, of the very same inputs, models, settings and code.

    One that failed is made again.

    Raises:
        DataError: There are others, which would be lost.
    """
    done, in_the_way = {}, []
    for subject in followed(subjects, "looking at results that are there"):
        folder = output / subject.id
        if not (folder / RESULT).is_file():
            continue
        result = read_result(folder)
        if result.status is Status.failed:
            continue
        if _is_of(result, subject, job) and not changed_files(folder):
            done[subject.id] = result
        else:
            in_the_way.append(subject.id)
    if in_the_way:
        more = " and others" if len(in_the_way) > 3 else ""
        raise DataError(
            f"{output} already has results of {', '.join(in_the_way[:3])}{more}, from other scans, models, "
            "settings or code, or with edited files; set overwrite=true to replace them (what you edited is "
            "kept as edited-NAME), or another output="
        )
    return done


def _is_of(result: Result, subject: Subject, job: Job) -> bool:
    return (
        result.settings is not None
        and result.settings.sha256 == job.settings.sha256
        and result.code == provenance.code()
        and result.models == job.models
        and result.inputs == inputs_of(subject)
    )


def predict_or_name(subject: Subject, job: Job, output: Path, make: Make | None = None) -> Result:
    """A subject's result, written; what went wrong instead where it failed.

    Args:
        subject: From `subjects_at`.
        job: The models and the settings.
        output: Where its folder goes.
        make: What makes its result, where that was begun before.
    """
    try:
        subject.refuse_fault()
        with outputs.folder_for(output, subject.id) as folder:
            result = make(folder) if make else _made(subject, job, folder)
            outputs.write_result(folder, result)
    except Exception as error:  # one subject never takes the others down; its failure is written and counted
        known = isinstance(error, UserError)
        message = str(error) if known else f"unexpected {type(error).__name__}: {error}"
        log.error("%s failed: %s", subject.id, message)
        result = Result(
            subject.id,
            Status.failed,
            Judgement.fail,
            error=message,
            models=job.models,
            settings=job.settings,
            code=provenance.code(),
            files=files_of(marked_unreadable(subject.fates, message)),
            traceback=None if known else traceback.format_exc(),
        )
        if not known:
            log.debug("", exc_info=True)
        _write_failure(subject, result, output, page=job.options.page)
    return result


def _made(subject: Subject, job: Job, folder: Path) -> Result:
    return (predict_slices if is_of_pictures(subject) else predict_subject)(subject, job, folder)


def _write_failure(subject: Subject, result: Result, output: Path, *, page: bool) -> None:
    """What went wrong in place of any earlier result; said, where even that cannot be written."""
    try:
        with outputs.folder_for(output, subject.id) as folder:
            if page:
                write_subject_page(folder / PAGE, result, None, {})
            outputs.write_result(folder, result)
    except (OSError, UserError) as error:  # a full disk: the other subjects are still predicted and counted
        log.error("%s: its failure could not be written to %s: %s", subject.id, output, error)


def _forecast(subjects: list[Subject], job: Job) -> None:
    """Say what the first subject will take; one that cannot be used says so when its turn comes."""
    subjects = [subject for subject in subjects if subject.fault is None] or subjects
    try:
        one = forecast(subjects[0], job)
    except Exception as error:  # a forecast that fails never takes a prediction down
        log.warning("no forecast: %s", error)
        return
    said = f"forecast: {subjects[0].id} takes about {one.seconds:.0f} s, "
    said += f"{one.memory_mb / 1000:.1f} GB of memory and {one.disk_mb:.1f} MB on disk, "
    said += "each within a factor of two"
    if len(subjects) > 1:
        minutes, mb = len(subjects) * one.seconds / 60, len(subjects) * one.disk_mb
        said += f"; {len(subjects)} subjects like it {minutes:.1f} minutes and {mb:.0f} MB"
    say(said)


def _print_summary(results: list[Result], done: int, output: Path) -> None:
    cavity = any(CAVITY in result.volumes_ml for result in results)
    columns = ["tumour ml", *(["cavity ml"] if cavity else []), "seconds"]
    table = Table("subject", "verdict", "type", "brain ml", *columns)
    remarks: dict[str, list[str]] = {}  # and whom they concern
    for result in results:
        for remark in _remarks(result):
            remarks.setdefault(remark, []).append(result.subject)
        volumes = result.volumes_ml
        table.add_row(
            cell(result.subject),
            cell(str(result.verdict), COLOURS[result.verdict]),
            cell(result.type_in_words or "-"),
            f"{volumes['brain']:.0f}" if "brain" in volumes else "-",
            f"{volumes['whole_tumor']:.1f}" if "whole_tumor" in volumes else "-",
            *([f"{volumes[CAVITY]:.1f}" if CAVITY in volumes else "-"] if cavity else []),
            f"{sum(result.seconds.values()):.1f}",
        )
    console().print(table)
    for remark, subjects in remarks.items():
        say(f"{_listed(subjects)}: {remark}")
    if done:
        say(f"{done} of them were done before, from the same scans, models and settings")
    for result in results:
        if result.slices is not None and (scores := result.slices.scores) is not None:
            one = scores.accuracy
            say(f"accuracy {one.value:.4f} ({one.low:.4f} to {one.high:.4f}) of {scores.n} pictures")
    say(f"results in {output}, a folder for each subject")


def _remarks(result: Result) -> list[str]:
    """What a person should know of a result: why it failed, what to look at, what was left out."""
    return [*result.reasons, *result.left_out.values(), *result.warnings]


def _listed(subjects: list[str]) -> str:
    more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
    return ", ".join(subjects[:3]) + more
