"""What `train.py -m hydra/sweeper=optuna` does: go on with open trials, then ask for others."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from brainseg.config import ConfigError, check
from brainseg.config.arguments import quoted
from brainseg.config.choices import Retry
from brainseg.config.launching import SearchSettings, check_launching
from brainseg.files.waiting import one_at_a_time
from brainseg.sweeps.identity import SEARCH, Identity, identity_of, overrides_of
from brainseg.sweeps.job import State, read_job, state_now
from brainseg.sweeps.ledger import plan, refresh, refuse_other_sweep
from brainseg.sweeps.search import (
    Settings,
    claim,
    corners,
    is_run_by_other,
    need_optuna,
    new_trial,
    opened_study,
    pairs_of,
    refuse_other_space,
    space_of,
    storage_in,
    trial_name,
    without_password,
)
from brainseg.system.terminal import say
from brainseg.training.early import refuse_early
from brainseg.training.sweep import (
    FAILED,
    Planned,
    all_done,
    arguments_again,
    asked_for,
    composed,
    launched,
    refuse_bad,
    said_at_the_end,
    set_key,
    sweep_folder,
)

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_TURN = ".study.lock"  # who asks for trials or claims open ones waits for its turn


def search(sweeper: Any, arguments: Sequence[str]) -> None:
    """Run trials until the study has `sweeper.n_trials`, some at a time.

    Raises:
        ConfigError: The space, a setting, or a job at one of the space's ends cannot work; none was started.
        SystemExit: With `FAILED`, if a job has failed, or was stopped by itself.
    """
    need_optuna()
    _Search(sweeper, arguments).run()


class _Search:
    def __init__(self, sweeper: Any, arguments: Sequence[str]) -> None:
        given: SearchSettings = check_launching("sweeper", SearchSettings, vars(sweeper))
        self.sweeper = sweeper
        self.overrides = asked_for(sweeper, arguments)
        asked = identity_of(self.overrides)
        self.identity = Identity((*asked.fixed, *_what_search(given)), asked.keys)
        self.space = space_of(self.overrides)
        if not self.space:
            raise ConfigError(
                "hydra/sweeper=optuna has nothing to search; give a key several values, as seed=0,1,2"
            )
        self.folder = sweep_folder(sweeper.config, self.identity)
        set_key(sweeper.config, "hydra.sweep.dir", str(self.folder))
        refuse_other_sweep(self.folder, self.identity)
        self.storage = given.storage or storage_in(self.folder)
        self.name = given.study_name or self.folder.name
        self.settings = _settings(given)
        if getattr(sweeper.launcher, "n_jobs", 0) is None and not sweeper.launcher.devices:
            sweeper.launcher.n_jobs = given.n_jobs  # beside each other, on few cores too
        self.mine: set[int] = set()
        self.all_done = True

    def run(self) -> None:
        self._check()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.study = self._opened()
        OmegaConf.save(self.sweeper.config, self.folder / "multirun.yaml")
        with said_at_the_end(self.folder):
            try:
                while batch := self._batch():
                    self._run(batch)
            finally:
                self._say()
        ledger = refresh(self.folder)
        if (ledger is not None and ledger.count(State.failed)) or not self.all_done:
            raise SystemExit(FAILED)

    def _check(self) -> None:
        """Try each choice and the ends of each interval."""
        jobs = [
            composed(self.sweeper, self.folder, one, overrides_of(self.overrides, one))
            for one in corners(self.space)
        ]
        cfg = jobs[0].cfg
        if cfg.overwrite or cfg.sweep.retry is not Retry.none:
            raise ConfigError(
                "hydra/sweeper=optuna repeats no trial, so leave out overwrite and sweep.retry; raise "
                "hydra.sweeper.n_trials, or begin another study by hydra.sweep.dir=DIR"
            )
        refuse_bad(jobs, check)
        refuse_bad(jobs, refuse_early)
        from brainseg.training.preflight import preflight  # loads torch

        refuse_bad(jobs, preflight)
        self.mode = str(cfg[cfg.task].monitor_mode)

    def _opened(self) -> "optuna.Study":
        with one_at_a_time(self.folder / _TURN):  # two processes cannot both make the tables
            study = opened_study(self.storage, self.name, self.mode, self.settings)
        refuse_other_space(study, self.space)
        return study

    def _batch(self) -> list[tuple[int, Planned]]:
        """The next trials: open ones whose process is gone, then new ones."""
        with one_at_a_time(self.folder / _TURN):
            open_trials = [one for one in self.study.get_trials(deepcopy=False) if self._is_open(one)]
            batch = open_trials[: self.sweeper.n_jobs]
            for one in batch:
                claim(self.study, one)
            while len(batch) < self.sweeper.n_jobs and self._count() < self.sweeper.n_trials:
                batch.append(new_trial(self.study, self.space, self.settings))
            self.mine |= {one.number for one in batch}
            jobs = [(one.number, self._job(one)) for one in batch]
            plan(self.folder, self.identity, arguments_again(), [job.entry for _, job in jobs])
        return jobs

    def _is_open(self, trial: "FrozenTrial") -> bool:
        """Whether a trial waits to be gone on with; one that has ended in the meantime is told."""
        if trial.state.is_finished() or trial.number in self.mine:
            return False
        run = self._job(trial).run
        if (job := read_job(run)) is None:
            return not is_run_by_other(trial)
        state = state_now(run, job)
        if state is State.running or is_run_by_other(trial):
            return False
        return not self._tell(trial.number, run)

    def _run(self, batch: Sequence[tuple[int, Planned]]) -> None:
        numbers, jobs = [number for number, _ in batch], [job for _, job in batch]
        said = [f"trial {n}: {' '.join(f'{k}={v}' for k, v in job.pairs.items())}" for n, job in batch]
        say(*said)
        try:
            self.all_done &= all_done(launched(self.sweeper, jobs, numbers[0]))
        finally:
            for number, job in batch:
                self._tell(number, job.run)

    def _tell(self, number: int, run: Path) -> bool:
        """Tell the study how a trial has ended; False where it has not."""
        from optuna.trial import TrialState

        if (job := read_job(run)) is None:
            return False
        state, value = state_now(run, job), job.metric.value
        if state is State.done and value is not None:
            self.study.tell(number, value, skip_if_finished=True)
        elif state is State.pruned:
            self.study.tell(number, state=TrialState.PRUNED, skip_if_finished=True)
        elif state in (State.done, State.failed):
            self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        else:
            return False
        return True

    def _job(self, trial: "FrozenTrial") -> Planned:
        pairs = pairs_of(trial.params)
        own = {"sweep.storage": self.storage, "sweep.study": self.name, "sweep.trial": str(trial.number)}
        given = [
            *overrides_of(self.overrides, pairs),
            *(f"{key}={quoted(value)}" for key, value in own.items()),
        ]
        return composed(self.sweeper, self.folder, pairs, given, trial_name(trial.number, trial.params))

    def _count(self) -> int:
        return len(self.study.get_trials(deepcopy=False))

    def _say(self) -> None:
        states = [one.state.name.lower() for one in self.study.get_trials(deepcopy=False)]
        counts = ", ".join(f"{states.count(one)} {one}" for one in dict.fromkeys(states))
        place = without_password(self.storage)
        say(f"study {self.name} in {place}: {len(states)} of {self.sweeper.n_trials} trials, {counts}")
        with suppress(ValueError):  # none is complete
            best = self.study.best_trial
            command = ["python", "train.py", *overrides_of(self.overrides, pairs_of(best.params))]
            say(f"best trial: {best.number}, {best.value:.4f}; train it again: {shlex.join(command)}")


def _what_search(given: SearchSettings) -> list[str]:
    """What makes a search another sweep than others of the same keys; a folder holds one study's trials."""
    named = {"study_name": given.study_name, "storage": given.storage and without_password(given.storage)}
    return [SEARCH, *(f"hydra.sweeper.{key}={value}" for key, value in named.items() if value)]


def _settings(given: SearchSettings) -> Settings:
    """With those of the pruner that is chosen, out of those of all."""
    of_pruner = getattr(given.pruner_settings, str(given.pruner), None)
    settings = asdict(of_pruner) if of_pruner is not None else {}
    return Settings(given.seed, given.random_trials, str(given.pruner), settings)
