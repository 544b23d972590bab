"""A sweep of the classifier: which jobs were asked for, and how far each has come."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from pathlib import Path
from types import NoneType
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from brainseg.config.errors import UserError
from brainseg.runs.config import CONFIG, require, run_folders
from brainseg.runs.overrides import OVERRIDES, read_overrides
from brainseg.study.grid.cell_runs import (
    CellRun,
    State,
    cell_of,
    read_cell_config,
    read_cell_run,
    settings_of,
)
from brainseg.study.published import Cell
from brainseg.sweeps.identity import is_part

Job = tuple[str, ...]  # its overrides, as in its .hydra/overrides.yaml
MOST_JOBS = 10_000
CELL_KEYS = ("classifier.backbone", "classifier.loss", "classifier.optimizer")
# The keys of Hydra's own section that are read here.
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "hydra.sweeper._target_": str,
    "hydra.sweeper.params": (dict, NoneType),
    "hydra.launcher._target_": str,
    "hydra.overrides.task": list,
}


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep folder."""

    folder: Path
    runs: tuple[CellRun, ...]  # those that were asked for, in their order; then others in the folder
    n_asked: int | None  # how many runs were asked for; None where the sweeper chooses its jobs as it goes
    settings: dict[str, str]  # of the sweep's own config; used while no run has started
    remarks: tuple[str, ...]

    def count(self, state: State) -> int:
        return sum(run.state is state for run in self.runs)


def read_sweep(folder: Path) -> Sweep:
    """The sweep below `folder`, whether it has ended or not.

    Raises:
        UserError: The folder is not that of a sweep of the classifier.
    """
    config = _read_multirun(folder / "multirun.yaml")
    jobs = _asked_jobs(config)
    named = config["hydra"]["sweeper"]["_target_"].endswith(".GridSweeper")
    found, remarks = _runs_by_job(folder, named=named)
    jobs = jobs and [_as_asked(job, named) for job in jobs]
    swept = _swept_keys(jobs or [*found])
    runs = [
        replace(found.pop(job) if job in found else _not_started(job, config), varied=_varied(job, swept))
        for job in jobs or []
    ]
    if config["hydra"]["launcher"]["_target_"].endswith(".BasicLauncher"):
        runs = _failed_where_passed(runs)
    others = [replace(run, varied=_varied(job, swept)) for job, run in found.items()]
    if not runs and not others:
        raise UserError(f"{folder}: no job has started yet; try again when one has")
    if others and jobs is not None:
        remarks.append(f"Runs in this folder that the sweep's last start did not ask for: {len(others)}")
    remarks += [fault for run in (*runs, *others) for fault in run.faults]
    return Sweep(
        folder, (*runs, *others), None if jobs is None else len(jobs), settings_of(config), tuple(remarks)
    )


def read_runs(folder: Path) -> list[CellRun]:
    """All runs of the classifier at or below a folder.

    Raises:
        UserError: There is none.
    """
    runs = list(_runs_by_job(folder)[0].values())
    if not runs:
        raise UserError(f"{folder}: no run of the classifier there; give the folder of a run or of a sweep")
    return runs


def _read_multirun(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(
            f"{path} is not there; give the folder of a sweep (train.py -m ...), as below outputs/sweeps"
        )
    config = read_cell_config(path)
    require(config, path, _NEEDED)
    words = config["hydra"]["overrides"]["task"]
    if not all(isinstance(word, str) for word in words):
        raise UserError(f"{path}: hydra.overrides.task does not name the sweep's overrides; restore the file")
    return config


def _asked_jobs(config: dict[str, Any]) -> list[Job] | None:
    """The jobs that Hydra's own sweeper makes from the same overrides; None for other sweepers."""
    sweeper = config["hydra"]["sweeper"]
    if not sweeper["_target_"].endswith((".BasicSweeper", ".GridSweeper")):
        return None
    params = [f"{key}={value}" for key, value in (sweeper["params"] or {}).items()]
    try:
        overrides = OverridesParser.create().parse_overrides([*params, *config["hydra"]["overrides"]["task"]])
        _refuse_endless(overrides)
        batches = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    except HydraException as error:
        raise UserError(f"the sweep's overrides cannot be read: {error}") from error
    return [tuple(job) for batch in batches for job in batch]


def _refuse_endless(overrides: Sequence[Override]) -> None:
    """Three words can ask for more jobs than fit in memory: range(0,1000000000)."""
    swept = [one.sweep_string_iterator() for one in overrides if one.is_sweep_override()]
    if prod(len(list(islice(values, MOST_JOBS + 1))) for values in swept) > MOST_JOBS:
        raise UserError(f"the sweep asks for more than {MOST_JOBS} jobs; give the folder of a smaller one")


def _as_asked(job: Sequence[str], named: bool) -> Job:
    """A job's overrides; of a sweep with a ledger without those that name it or say how it is run."""
    return tuple(one for one in job if not named or is_part(_key_value(one)[0], but=("name", "group")))


def _runs_by_job(folder: Path, *, named: bool = False) -> tuple[dict[Job, CellRun], list[str]]:
    """The runs below a folder by their overrides, and what is wrong with the runs that were left out."""
    runs: dict[Job, CellRun] = {}
    remarks = []
    for found in run_folders(folder):
        try:
            run = read_cell_run(found)
            job = _as_asked(read_overrides(found / OVERRIDES), named)
        except UserError as error:
            remarks.append(str(error))
        except OSError as error:
            remarks.append(f"{found / OVERRIDES} cannot be read ({type(error).__name__})")
        else:
            if job in runs:
                remarks.append(f"{run.folder} ran the same job as {runs[job].folder}; only the former counts")
            runs[job] = run
    return runs, remarks


def _not_started(job: Job, config: dict[str, Any]) -> CellRun:
    """The run of a job without a folder: what its overrides say, and else the sweep's config."""
    values = dict(_key_value(override) for override in job)
    named = [values.get(key, default) for key, default in zip(CELL_KEYS, cell_of(config), strict=True)]
    return CellRun(Cell(*named), int(values.get("seed", config["seed"])))


def _key_value(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), value.strip("'\"")


def _swept_keys(jobs: Sequence[Job]) -> set[str]:
    """The keys that differ between jobs, but for those of cell and seed."""
    values = defaultdict(set)
    for job in jobs:
        for key, value in map(_key_value, job):
            values[key].add(value)
    return {key for key, found in values.items() if len(found) > 1} - {*CELL_KEYS, "seed"}


def _varied(job: Job, swept: set[str]) -> str:
    return " ".join(override for override in job if _key_value(override)[0] in swept)


def _failed_where_passed(runs: list[CellRun]) -> list[CellRun]:
    """Where jobs run one after another, an unfinished one has failed if a later one was started after it."""
    started = [(place, _started(run)) for place, run in enumerate(runs) if run.folder is not None]
    return [
        replace(run, state=State.failed)
        if run.state is State.unfinished and any(p > place and t >= _started(run) for p, t in started)
        else run
        for place, run in enumerate(runs)
    ]


def _started(run: CellRun) -> float:
    assert run.folder is not None
    return (run.folder / CONFIG).stat().st_mtime
