"""The linked prediction over one or many subjects. One that fails is named and does not stop the rest."""

import logging
import traceback
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from brainseg.config import PredictConfig, UserError
from brainseg.images.layouts import Subject, find_subjects
from brainseg.pipeline import outputs
from brainseg.pipeline.forecast import forecast
from brainseg.pipeline.gates import Level
from brainseg.pipeline.models import convention_of, described, load_models
from brainseg.pipeline.subject import Job, predict_subject

SOME_TO_REVIEW, SOME_FAILED = 3, 4  # exit codes
COLOURS = {"pass": "green", "review": "yellow", "fail": "red"}

log = logging.getLogger("brainseg")


def run(options: PredictConfig) -> int:
    """Predict every subject at `options.input` into a folder each below `options.output`.

    Returns:
        The exit code: 0 if all passed, 3 if some are to be reviewed, 4 if some failed.

    Raises:
        UserError: Nothing could start: no scan, no model, a checkpoint of another task, results in the way.
    """
    subjects = find_subjects(Path(options.input), options.sequence)
    output = Path(options.output)
    if not options.overwrite:
        outputs.refuse_existing(output, [subject.id for subject in subjects])
    models = load_models(options)
    job = Job(options, models, convention_of(options, models), described(options, models))
    if options.forecast:
        _forecast(subjects, job)
    results = []
    for subject in track(subjects, "predicting", transient=True, disable=len(subjects) == 1):
        results.append(_predict_or_name(subject, job, output))
    _print_summary(results, output)
    verdicts = {result["verdict"] for result in results}
    return (
        SOME_FAILED if str(Level.fail) in verdicts else SOME_TO_REVIEW if str(Level.review) in verdicts else 0
    )


def _predict_or_name(subject: Subject, job: Job, output: Path) -> dict[str, Any]:
    """A subject's result, written; what went wrong instead where it failed."""
    try:
        with outputs.folder_for(output, subject.id) as folder:
            result = predict_subject(subject, job, folder)
            outputs.write_result(folder, result)
    except Exception as error:  # one subject never takes the others down; its failure is written and counted
        known = isinstance(error, UserError)
        message = str(error) if known else f"unexpected {type(error).__name__}: {error}"
        log.error("%s failed: %s", subject.id, message)
        result = {"subject": subject.id, "status": "failed", "verdict": str(Level.fail), "error": message}
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


def _forecast(subjects: list[Subject], job: Job) -> None:
    """Say what the first subject will take; one that cannot be used says so when its turn comes."""
    try:
        one = forecast(subjects[0], job)
    except Exception as error:  # a forecast that fails never takes a prediction down
        log.warning("no forecast: %s", error)
        return
    said = f"forecast: {subjects[0].id} takes about {one.seconds:.0f} s, "
    said += f"{one.memory_mb / 1000:.1f} GB of memory and {one.disk_mb:.1f} MB on disk"
    if len(subjects) > 1:
        minutes, mb = len(subjects) * one.seconds / 60, len(subjects) * one.disk_mb
        said += f"; {len(subjects)} subjects like it {minutes:.1f} minutes and {mb:.0f} MB"
    Console().print(said, soft_wrap=True, markup=False, highlight=False)


def _print_summary(results: list[dict[str, Any]], output: Path) -> None:
    table = Table("subject", "verdict", "type", "brain ml", "tumour ml", "seconds")
    remarks: dict[str, list[str]] = {}  # and whom they concern
    for result in results:
        for remark in _remarks(result):
            remarks.setdefault(remark, []).append(result["subject"])
        tumor_type, volumes = result.get("tumor_type"), result.get("volumes_ml", {})
        table.add_row(
            result["subject"],
            f"[{COLOURS[result['verdict']]}]{result['verdict']}[/]",
            tumor_type["verdict"] if tumor_type else "-",
            f"{volumes['brain']:.0f}" if "brain" in volumes else "-",
            f"{volumes['whole_tumor']:.1f}" if "whole_tumor" in volumes else "-",
            f"{sum(result.get('seconds', {}).values()):.1f}",
        )
    console = Console()
    console.print(table)
    for remark, subjects in remarks.items():
        console.print(f"{_listed(subjects)}: {remark}", soft_wrap=True, markup=False)
    console.print(f"results in {output}, a folder for each subject", soft_wrap=True)


def _remarks(result: dict[str, Any]) -> list[str]:
    """What a person should know of a result: why it failed, what to look at, what was left out."""
    wrong = [gate["sentence"] for gate in result.get("gates", []) if gate["level"] != str(Level.passed)]
    error = [] if wrong or "error" not in result else [result["error"]]
    return [*error, *wrong, *result.get("left_out", {}).values(), *result.get("warnings", [])]


def _listed(subjects: list[str]) -> str:
    more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
    return ", ".join(subjects[:3]) + more
