"""What a run left behind, as far as it is compared: settings, state, scores of its cases, curves, cost."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from brainseg.config.choices import TASKS
from brainseg.config.errors import UserError
from brainseg.reporting.curves import Curves, best_epoch, read_curves
from brainseg.runs.cases import CASES, SUMMARY, RunSummary, ScoredCase, read_cases, read_summary
from brainseg.runs.config import CONFIG, read_run_config, require, run_folders
from brainseg.runs.differences import Settings, read_settings
from brainseg.sweeps.job import NAME as JOB
from brainseg.sweeps.job import State as JobState
from brainseg.sweeps.job import read_job, state_now

Read = TypeVar("Read")


class NoTrainingError(UserError):
    """The config is that of another command, a prediction for instance."""


class State(StrEnum):
    """How far a run has come."""

    done = "done"
    failed = "failed"
    stopped = "stopped"
    pruned = "pruned"  # a search ended it early, as it fell behind other trials
    unfinished = "unfinished"  # it is running, was stopped or has failed


@dataclass(frozen=True)
class Run:
    """A run. Epochs count from 0."""

    folder: Path
    task: str
    state: State
    settings: Settings
    monitor: str  # the metric that chose the best checkpoint, as "val/dice/mean"
    mode: str  # max or min
    epochs: int  # that it was asked for
    curves: Curves = field(default_factory=dict)
    cases: Sequence[ScoredCase] = ()
    summary: RunSummary | None = None
    faults: Sequence[str] = ()

    @property
    def best_epoch(self) -> int | None:
        """The first one with the best value of the monitored metric."""
        return best_epoch(self.curves, self.monitor, self.mode)

    @property
    def trained(self) -> int:
        """How many epochs were validated."""
        return max(self.curves.get(self.monitor, {}), default=-1) + 1

    def value(self, metric: str) -> float | None:
        """A metric of the validation part, without its "val/", in the best epoch."""
        curve = self.curves.get(f"val/{metric}", {})
        return None if self.best_epoch is None else curve.get(self.best_epoch)

    def scores(self, metric: str, part: str = "val") -> dict[str, float]:
        """The metric of each case of a part by the case's name; empty where the run has none."""
        return {
            one.case: one.numbers[metric] for one in self.cases if one.part == part and metric in one.numbers
        }

    @property
    def subjects(self) -> dict[str, str]:
        """Whom each case shows."""
        return {one.case: one.subject for one in self.cases}


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The runs at or below some folders, and a sentence for each that cannot be read.

    Raises:
        UserError: A folder is not there or has no run, no run can be read, or they are of several tasks.
    """
    runs: list[Run] = []
    remarks: list[str] = []
    for folder in dict.fromkeys(found for given in folders for found in _runs_below(given)):
        try:
            runs.append(read_run(folder))
        except UserError as error:
            remarks.append(f"{folder} is left out: {error}")
    if not runs:
        raise UserError("; ".join(remarks))
    tasks = {run.task: run.folder for run in runs}
    if len(tasks) > 1:
        said = ", ".join(f"{folder} is of model={task}" for task, folder in tasks.items())
        raise UserError(f"runs of several models cannot be compared: {said}; give those of one")
    return runs, remarks + [fault for run in runs for fault in run.faults]


def read_run(folder: Path) -> Run:
    """The run in a folder. A file beside its config that cannot be read is left out and named in `faults`.

    Raises:
        NoTrainingError: It is the folder of another command.
        UserError: Its config cannot be read.
    """
    config = read_run_config(folder / CONFIG)
    task = str(config.get("task"))
    if task not in TASKS:
        named = ", ".join(TASKS)
        raise NoTrainingError(f"{folder / CONFIG}: task is {task[:60]}, but must be one of {named}")
    require(config, folder / CONFIG, {f"{task}.monitor": str, f"{task}.monitor_mode": str})
    require(config, folder / CONFIG, {"trainer.max_epochs": int})
    monitor, epochs = config[task]["monitor"], int(config["trainer"]["max_epochs"])
    curves, curves_fault = _read(_trained_curves, folder / "metrics.csv")
    cases, cases_fault = _read(read_cases, folder / CASES)
    summary, summary_fault = _read(read_summary, folder / SUMMARY)
    job, _ = _read(lambda path: read_job(path.parent), folder / JOB)
    said = None if job is None else state_now(folder, job)
    validated = max((curves or {}).get(monitor, {}), default=-1) + 1
    return Run(
        folder=folder,
        task=task,
        state=_state(said, summary, scored=(folder / "scores.json").is_file(), whole=validated >= epochs),
        settings=read_settings(folder / CONFIG),
        monitor=monitor,
        mode=config[task]["monitor_mode"],
        epochs=epochs,
        curves=curves or {},
        cases=cases or (),
        summary=summary,
        faults=tuple(filter(None, (curves_fault, cases_fault, summary_fault))),
    )


def _runs_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give runs or sweeps, as below outputs/")
    found = run_folders(folder)
    if not found:
        raise UserError(f"{folder}: no run in it, which would have {CONFIG}; give runs or sweeps")
    return found


def _state(said: JobState | None, summary: RunSummary | None, *, scored: bool, whole: bool) -> State:
    """As the run's own files say; a sweep's ledger says more of one that did not come to its end."""
    if said in (JobState.failed, JobState.stopped, JobState.pruned):
        return State(said)
    finished = whole or scored if summary is None else summary.finished
    return State.done if finished else State.unfinished


def _trained_curves(path: Path) -> Curves:
    """The curves without what was logged after training, which Lightning counts as one more epoch."""
    curves = read_curves(path)
    with path.open(newline="") as file:
        trained = [int(row["epoch"]) for row in csv.DictReader(file) if row.get("train/loss")]
    if not trained:  # the first epoch is still on
        return {}
    return {name: {e: v for e, v in curve.items() if e <= max(trained)} for name, curve in curves.items()}


def _read(read: Callable[[Path], Read], path: Path) -> tuple[Read | None, str]:
    """What `read` makes of a file, or None and what is wrong. A file that is not there is no fault."""
    if not path.is_file():
        return None, ""
    try:
        return read(path), ""
    except (UserError, OSError, ValueError) as error:
        return None, str(error) if isinstance(error, UserError) else f"{path}: cannot be read ({error})"
