"""From an error of Hydra or OmegaConf to one line that says what to change."""

import difflib

from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from brainseg.config.choices import TASKS


def explain(error: HydraException | OmegaConfBaseException) -> str:
    """One line for a mistake on the command line, with the nearest valid key where one is unknown."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return f"{group}={option}: no such {group}; there are {', '.join(error.options)}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if not isinstance(cause, OmegaConfBaseException):
        return _joined(str(error))
    if isinstance(cause, MissingMandatoryValue) and str(cause.key) in TASKS:
        return f"{cause.key}.* is set, but another model is trained; add model={cause.key}"
    what = _joined(str(cause.msg or cause).split("\n")[0])
    known = _siblings(cause)
    if cause.full_key and known is not None and str(cause.key) not in known:
        near = difflib.get_close_matches(str(cause.key), known, n=1)
        there = f"did you mean {near[0]}?" if near else f"known there: {', '.join(known)}"
        return f"{cause.full_key}: unknown key {str(cause.key)!r}; {there}"
    return f"{cause.full_key}: {what}" if cause.full_key else what


def _siblings(error: OmegaConfBaseException) -> list[str] | None:
    parent = error.parent_node
    if parent is None or not OmegaConf.is_dict(parent):
        return None
    return sorted(str(key) for key in parent)


def _joined(text: str) -> str:
    return "; ".join(line.strip() for line in text.strip().splitlines() if line.strip())
