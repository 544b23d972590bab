"""A study of Optuna: its space in Hydra's own syntax, its data base, its trials and who runs them."""

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from brainseg.config.errors import ConfigError
from brainseg.files.atomic import host
from brainseg.sweeps.identity import Pairs
from brainseg.sweeps.names import job_name

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

FILE = "study.db"  # in the sweep's folder, where no other data base is given
_WORKER, _PRUNER = "worker", "pruner"  # attributes of a trial, of a study
_BUSY_S = 120  # so long a process waits for others that write into the file

Space = dict[str, "BaseDistribution"]


@dataclass(frozen=True)
class Settings:
    """How trials are chosen and ended early.

    Args:
        seed: Of the sampler.
        random_trials: The first trials, whose values are drawn at random.
        pruner: The name of one of `choices.Pruner`.
        pruner_settings: Of Optuna's class of that name, none for `none`.
    """

    seed: int
    random_trials: int
    pruner: str
    pruner_settings: Mapping[str, Any]


def space_of(overrides: Iterable[Override]) -> Space:
    """The space that swept overrides span, by key: a,b choice() range() interval() tag(log, ...).

    Raises:
        ConfigError: Optuna knows no such space.
    """
    need_optuna()
    space: Space = {}
    for one in overrides:
        if one.is_sweep_override():
            try:
                space[one.get_key_element()] = _distribution(one)
            except ValueError as error:
                raise ConfigError(f"{one.input_line}: {error}") from error
    return space


def corners(space: Space) -> list[Pairs]:
    """Jobs that between them have each choice and both ends of each interval."""
    ends = {key: _ends(one) for key, one in space.items()}
    first = {key: values[0] for key, values in ends.items()}
    made = [first | {key: value} for key, values in ends.items() for value in values]
    return [dict(one) for one in dict.fromkeys(tuple(sorted(one.items())) for one in made)]


def pairs_of(params: Mapping[str, Any]) -> Pairs:
    """A trial's values as they stand in a command line."""
    return {key: value if isinstance(value, str) else repr(value) for key, value in params.items()}


def trial_name(number: int, params: Mapping[str, Any]) -> str:
    """The name of a trial's folder: its number, and its values in four digits."""
    short = {key: f"{one:.4g}" if isinstance(one, float) else str(one) for key, one in params.items()}
    return f"{number:03d}_{job_name(short)}"


def need_optuna() -> None:
    """Refuse to go on without the extra.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "hydra/sweeper=optuna needs Optuna; install it by: pip install 'brainseg[optuna]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def opened_study(storage: str, name: str, mode: str, settings: Settings) -> "optuna.Study":
    """The study of that name, made where there is none.

    Raises:
        ConfigError: There is one with another direction, or the data base does not answer.
    """
    import optuna

    direction = {"min": "minimize", "max": "maximize"}[mode]
    pruner = _pruner(settings.pruner, settings.pruner_settings)
    try:
        study = optuna.create_study(
            storage=_storage(storage), study_name=name, direction=direction, load_if_exists=True,
            pruner=pruner,
        )  # fmt: skip
    except Exception as error:  # of SQLAlchemy and of many drivers
        raise ConfigError(f"hydra.sweeper.storage={storage}: {' '.join(str(error).split())[:200]}") from error
    if study.direction.name.lower() != direction:
        raise ConfigError(
            f"{storage}: the study {name} is to {study.direction.name.lower()}, not to {direction}"
        )
    study.set_user_attr(_PRUNER, [settings.pruner, dict(settings.pruner_settings)])
    return study


def refuse_other_space(study: "optuna.Study", space: Space) -> None:
    """Refuse choices that are others than those of the trials so far.

    Raises:
        ConfigError: Optuna cannot compare them.
    """
    from optuna.distributions import check_distribution_compatibility

    for trial in study.get_trials(deepcopy=False)[:1]:
        for key, one in trial.distributions.items():
            try:
                check_distribution_compatibility(one, space[key])
            except (KeyError, ValueError) as error:
                raise ConfigError(
                    f"{key} had other values in the trials of the study {study.study_name}; give those "
                    "again, or begin another study by hydra.sweep.dir=DIR"
                ) from error


def new_trial(study: "optuna.Study", space: Space, settings: Settings) -> "FrozenTrial":
    """A new trial of this process. Its values depend on the seed, its number and the trials so far only."""
    import optuna

    number = len(study.get_trials(deepcopy=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of constant_liar
        study.sampler = optuna.samplers.TPESampler(
            seed=(settings.seed * 100_003 + number) % 2**32,
            n_startup_trials=settings.random_trials,
            constant_liar=True,  # trials that run beside each other keep apart
        )
    trial = study.ask(fixed_distributions=space)
    claim(study, trial)
    return study.get_trials(deepcopy=False)[trial.number]


def claim(study: "optuna.Study", trial: Any) -> None:
    """Note that this process runs a trial."""
    from optuna.trial import Trial

    began = psutil.Process().create_time()
    Trial(study, trial._trial_id).set_user_attr(_WORKER, [os.getpid(), began, host()])


def is_run_by_other(trial: "FrozenTrial") -> bool:
    """Whether another process that lives runs a trial; one of another machine counts as such."""
    number, began, node = trial.user_attrs.get(_WORKER, (0, 0.0, host()))
    if node != host():
        return True
    if number == os.getpid():
        return False
    try:
        return bool(abs(psutil.Process(number).create_time() - began) < 2.0)
    except psutil.Error:
        return False


def trial_of(storage: str, name: str, number: int) -> Any:
    """The trial that a job reports to; None where it has ended.

    Raises:
        ConfigError: There is no such trial.
    """
    need_optuna()
    import optuna

    try:
        study = optuna.load_study(storage=_storage(storage), study_name=name)
        frozen = study.get_trials(deepcopy=False)[number]
    except Exception as error:
        raise ConfigError(
            f"sweep.trial={number} of sweep.study={name} is not in {storage}: {error}"
        ) from error
    kind, settings = study.user_attrs.get(_PRUNER, ["none", {}])
    study.pruner = _pruner(kind, settings)
    return None if frozen.state.is_finished() else optuna.trial.Trial(study, frozen._trial_id)


def storage_in(folder: Path) -> str:
    """The data base in a sweep's folder, as a URL."""
    return f"sqlite:///{folder.absolute() / FILE}"


def without_password(url: str) -> str:
    """A storage's URL as it may be shown and written down.

    Raises:
        ConfigError: It is no URL, or that of a file in no folder.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    key = f"hydra.sweeper.storage={url}"
    try:
        parts = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"{key} is no URL of a data base; write sqlite:////FOLDER/FILE.db, or leave it out for a file in "
            "the sweep's folder"
        ) from error
    if parts.drivername.startswith("sqlite"):
        if not parts.database or parts.database == ":memory:":
            raise ConfigError(f"{key} names no file; write sqlite:////FOLDER/FILE.db")
        if not Path(parts.database).absolute().parent.is_dir():
            raise ConfigError(
                f"{key}: the folder {Path(parts.database).parent} is not there; make it, or give another one"
            )
    return parts.render_as_string(hide_password=True)


def _storage(url: str) -> Any:
    import optuna

    waiting = {"connect_args": {"timeout": _BUSY_S}} if url.startswith("sqlite:") else {}
    return optuna.storages.RDBStorage(url, engine_kwargs=waiting)


def _pruner(kind: str, settings: Mapping[str, Any]) -> Any:
    """What ends trials early: the name of one of `choices.Pruner`, with settings of Optuna's class."""
    import optuna

    classes = {"median": "MedianPruner", "hyperband": "HyperbandPruner", "none": "NopPruner"}
    return getattr(optuna.pruners, classes[kind])(**settings)


def _distribution(override: Override) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        if isinstance(value.start, int) and isinstance(value.end, int):
            return IntDistribution(value.start, value.end, log=log)
        return FloatDistribution(value.start, value.end, log=log)
    if isinstance(value, RangeSweep) and (steps := list(value.range())) and value.step > 0:
        if isinstance(steps[0], int):
            return IntDistribution(steps[0], int(steps[-1]), step=int(value.step), log=log)
        return FloatDistribution(steps[0], steps[-1], step=float(value.step))
    choices = list(override.sweep_string_iterator())
    if not choices:
        raise ValueError("there is nothing to choose from")
    return CategoricalDistribution(choices)


def _ends(distribution: Any) -> list[str]:
    values = getattr(distribution, "choices", None) or (distribution.low, distribution.high)
    return list(pairs_of(dict(enumerate(values))).values())  # type: ignore[arg-type]
