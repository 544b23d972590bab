"""From an error of Hydra or OmegaConf to one line that says what to change."""

import re
from collections.abc import Sequence

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from brainseg.config.choices import TASKS
from brainseg.config.meant import meant_keys

_TYPED = re.compile(r"override '?([^\s'=]+)")  # in Hydra's message: the key in full


def explain(error: HydraException | OmegaConfBaseException, given: Sequence[str] = ()) -> str:
    """One line for a mistake on the command line, with the key that was meant where one is unknown.

    Args:
        error: As Hydra or OmegaConf raised it.
        given: The whole command line, key=value each: Hydra ends with the first mistake of it.
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return f"{group}={option}: no such {group}; there are {', '.join(error.options)}"
    if isinstance(error, OverrideParseException) and "=" not in str(error.override):
        return f"{error.override}: is no setting; write key=value"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if not isinstance(cause, OmegaConfBaseException):
        return _without_a_place(str(error)) or _joined(str(error))
    if isinstance(cause, MissingMandatoryValue) and str(cause.key) in TASKS:
        return f"{cause.key}.* is set, but another model is trained; add model={cause.key}"
    return _unknown_key(error, cause, given) or _said_of_key(cause)


def _without_a_place(text: str) -> str | None:
    """The line for a choice that the other program has, such as model= for predict.py."""
    if "No match in the defaults list" not in text or not (found := _TYPED.search(text)):
        return None
    return f"{found[1]}: nothing is chosen by this here; leave it out"


def _said_of_key(cause: OmegaConfBaseException) -> str:
    what = _joined(str(cause.msg or cause).split("\n")[0])
    return f"{cause.full_key}: {what}" if cause.full_key else what


def _unknown_key(error: Exception, cause: OmegaConfBaseException, given: Sequence[str]) -> str | None:
    """The line for a key that is not there, or that is looked for within a value; None for other mistakes."""
    found = _TYPED.search(str(error))
    typed = found[1] if found else str(cause.full_key or "")
    parent = cause.parent_node
    if not isinstance(parent, DictConfig) or not cause.full_key:
        return None
    known = sorted(str(key) for key in parent)
    if str(cause.key) not in known:
        what, there = f"unknown key {str(cause.key)!r}", f"known there: {', '.join(known)}"
    elif typed.startswith(f"{cause.full_key}.") and not OmegaConf.is_dict(parent._get_node(cause.key)):
        what, there = f"{cause.full_key} has no keys within", f"set {cause.full_key} itself"
    else:
        return None
    meant = meant_keys(typed, parent, given)
    return f"{typed}: {what}; " + (f"did you mean {' or '.join(meant)}?" if meant else there)


def _joined(text: str) -> str:
    lines = (line.strip() for line in text.strip().splitlines() if not line.startswith("See https://"))
    return "; ".join(line for line in lines if line)
