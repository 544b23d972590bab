"""Where a result comes from: its inputs, settings, code, machine and packages, enough to make it again."""

import hashlib
import json
import os
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

import brainseg
from brainseg.config import OTSU, PredictConfig, plain
from brainseg.config.arguments import PREDICTION_PATHS
from brainseg.config.builtin import is_builtin
from brainseg.config.choices import BUILTIN
from brainseg.files.atomic import sha256
from brainseg.images.source import Source
from brainseg.results.parts import Code, InputFile, Machine, SeriesName, Settings
from brainseg.system.device import cpu_name
from brainseg.system.pseudonyms import current, hide
from brainseg.system.versions import PREDICTION, versions_of

PREFETCH = "prefetch"  # of the pipeline, which changes nothing in a result either
# Settings that change nothing in a result.
NOT_OF_THE_RESULT = (
    "input",
    "output",
    "derivatives",
    "overwrite",
    "forecast",
    "dry_run",
    "only",
    "shards",
    "shard",
    "threads",
)


def input_of(source: Source) -> InputFile:
    """The file of a scan and its hash.

    For a DICOM series, and for pictures of slices that make a volume, these are the folder, the hash of each
    slice, and one hash of all of them. The number and description of a series are kept, and nothing else of
    its headers.
    """
    where = hide(os.path.abspath(source.path))
    if source.series is None and not source.pictures:
        others = {hide(path.name): sha256(path) for path in source.files if path != source.path}
        return InputFile(where, source.channel, sha256(source.path), beside=others or None)
    folder = source.path.absolute()
    slices = {path.absolute().relative_to(folder).as_posix(): sha256(path) for path in sorted(source.files)}
    joined = "".join(f"{digest}  {name}\n" for name, digest in slices.items())
    named = source.series
    series = None if named is None else SeriesName(named.number, hide(named.description))
    digest = hashlib.sha256(joined.encode(errors="surrogateescape")).hexdigest()
    if current() is not None:
        slices = {f"{k:04d}": one for k, one in enumerate(slices.values(), start=1)}
    return InputFile(where, source.channel, digest, series, slices)


def settings_of(options: PredictConfig) -> Settings:
    """All settings as plain values with absolute paths, and a hash of those that the result depends on."""
    values = plain(OmegaConf.structured(options))
    values |= {name: _from_the_root(values[name]) for name in PREDICTION_PATHS}
    counted = {name: value for name, value in values.items() if name not in NOT_OF_THE_RESULT}
    counted["pipeline"] = {name: one for name, one in values["pipeline"].items() if name != PREFETCH}
    digest = hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()
    return Settings({name: _hidden(value) for name, value in values.items()}, digest)


def _hidden(value: Any) -> Any:
    """A setting as it may be written; only paths and lists of them are texts of the user's."""
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    return hide(value) if isinstance(value, str) else value


def _from_the_root(path: Any) -> Any:
    """The absolute path, or those of a list; None, "otsu" and models of brainseg are no paths."""
    if isinstance(path, list):
        return [_from_the_root(one) for one in path]
    if is_builtin(path):
        return BUILTIN  # which is found again wherever brainseg is installed
    return path if path in (None, OTSU, BUILTIN) else os.path.abspath(path)


@lru_cache(maxsize=1)
def code() -> Code:
    """The version and a hash of every file of the package: a changed line is another code."""
    package = Path(brainseg.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)} {sha256(path)}\n".encode())
    return Code(version("brainseg"), digest.hexdigest())


def machine() -> Machine:
    """The processor, system, Python and threads, with which the last bits of a result may differ."""
    return Machine(cpu_name(), platform.system(), platform.python_version(), torch.get_num_threads())


def versions() -> dict[str, str]:
    """The versions of the packages that a prediction depends on."""
    return versions_of(PREDICTION)
