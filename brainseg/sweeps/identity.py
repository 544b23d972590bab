"""What a sweep is: what all of its jobs share, and which keys it varies. The values are not part of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product

from hydra.core.override_parser.types import Override

from brainseg.config.errors import ConfigError
from brainseg.sweeps.names import short_hash, sweep_name

MOST_JOBS = 10_000
SEARCH = "hydra/sweeper=optuna"  # a search is another sweep than one of the same keys without it
_NO_PART = ("overwrite", "resume")  # of a sweep: they say how it is run, as do sections beginning so:
_HOW = ("sweep.", "hydra.", "hydra/")
_HARDWARE = (
    *("data.workers", "data.cache", "paths.cache"),
    *("trainer.max_time", "trainer.checkpoint_minutes", "trainer.threads"),
)

Pairs = dict[str, str]  # the swept keys of a job with its values, as in its overrides


@dataclass(frozen=True)
class Identity:
    """A sweep: the overrides that all jobs share, sorted, and the keys that it varies, sorted."""

    fixed: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def digest(self) -> str:
        return short_hash("\n".join([*self.fixed, "", *self.keys]))

    def folder_name(self, task: str) -> str:
        return sweep_name(task, self.keys, self.digest)


def identity_of(overrides: Iterable[Override]) -> Identity:
    """The sweep that overrides ask for."""
    last = _last_of_each(overrides)
    swept = [key for key, one in last.items() if one.is_sweep_override()]
    fixed = [text_of(one) for key, one in last.items() if key not in swept and is_part(key)]
    return Identity(tuple(sorted(fixed)), tuple(sorted(swept)))


def jobs_of(overrides: Sequence[Override]) -> list[Pairs]:
    """The swept keys and values of each job, in Hydra's order: the last key varies fastest.

    Raises:
        ConfigError: They are no list of values, or more jobs than a sweep may have.
    """
    swept = {key: one for key, one in _last_of_each(overrides).items() if one.is_sweep_override()}
    for key, one in swept.items():
        if not one.is_discrete_sweep():
            raise ConfigError(
                f"{key}={one.value()} is a range without steps; list its values, or search it by "
                "hydra/sweeper=optuna"
            )
    values = [list(islice(one.sweep_string_iterator(), MOST_JOBS + 1)) for one in swept.values()]
    jobs = list(islice(product(*values), MOST_JOBS + 1))
    if len(jobs) > MOST_JOBS:
        raise ConfigError(f"the sweep asks for more than {MOST_JOBS} jobs; leave out values")
    return [dict(zip(swept, job, strict=True)) for job in dict.fromkeys(jobs)]


def overrides_of(overrides: Iterable[Override], pairs: Pairs) -> list[str]:
    """The overrides of a job with such swept values, in the order in which they were given."""
    last = _last_of_each(overrides)
    return [f"{key}={pairs[key]}" if key in pairs else text_of(one) for key, one in last.items()]


def is_part(key: str, but: Sequence[str] = ()) -> bool:
    """Whether a key says what a sweep is. Keys that say how it is run do not, nor do those of `but`."""
    bare = key.lstrip("+~")
    return bare not in (*_NO_PART, *_HARDWARE, *but) and not bare.startswith(_HOW)


def text_of(override: Override) -> str:
    """An override as it would be typed: key=value."""
    if override.is_delete():
        return override.input_line or f"~{override.key_or_group}"
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def difference(theirs: Identity, ours: Identity) -> str:
    """What another sweep has that this one has not, and the other way round, in words."""
    said = {
        "it has": set(theirs.fixed) - set(ours.fixed),
        "it has not": set(ours.fixed) - set(theirs.fixed),
        "it varies": set(theirs.keys) - set(ours.keys),
        "it does not vary": set(ours.keys) - set(theirs.keys),
    }
    return "; ".join(f"{how} {', '.join(sorted(what)[:5])}" for how, what in said.items() if what)


def _last_of_each(overrides: Iterable[Override]) -> dict[str, Override]:
    """The last of several overrides of a key holds, in the place of the first, as in Hydra's sweeper."""
    return {one.get_key_element(): one for one in overrides}
