"""Where a result comes from: enough to find any byte that changed, and to make it again.

`SHA256SUMS` in a subject's folder is as coreutils writes it (`sha256sum -c SHA256SUMS`); result.json, which
it covers too, names the inputs, the models, the settings and the code.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import brainseg
from brainseg.config import OTSU, PredictConfig, plain
from brainseg.config.errors import DataError, UnreadableError
from brainseg.files.atomic import sha256, writing
from brainseg.files.plain import read_json
from brainseg.images.source import Source
from brainseg.system.device import cpu_name

SUMS = "SHA256SUMS"
RESULT = "result.json"
UNREADABLE = "unreadable"  # the verdict on a result.json that says nothing
PACKAGES = ("brainseg", "torch", "monai", "numpy", "scipy", "nibabel", "simpleitk", "pydicom", "timm")
# Settings that change nothing in it.
NOT_OF_THE_RESULT = ("input", "output", "derivatives", "overwrite", "forecast")
PATHS = ("input", "output", "derivatives", "skullstripper", "classifier", "segmenter")  # among the settings


def input_of(source: Source) -> dict[str, Any]:
    """The file of a scan and its hash; of a DICOM series its folder, each slice's, and one of all of them.

    Of the series' headers nothing but number and description is told.
    """
    where = {"file": os.path.abspath(source.path), "channel": source.channel}
    if source.series is None:
        return {**where, "sha256": sha256(source.path)}
    folder = source.path.absolute()
    slices = {path.absolute().relative_to(folder).as_posix(): sha256(path) for path in sorted(source.files)}
    joined = "".join(f"{digest}  {name}\n" for name, digest in slices.items())
    series = {"number": source.series.number, "description": source.series.description}
    digest = hashlib.sha256(joined.encode()).hexdigest()
    return {**where, "sha256": digest, "series": series, "slices": slices}


def settings_of(options: PredictConfig) -> dict[str, Any]:
    """All settings as plain values, paths from the root, with a hash of those that the result depends on."""
    values = plain(OmegaConf.structured(options))
    values |= {name: _from_the_root(values[name]) for name in PATHS}
    counted = {name: value for name, value in values.items() if name not in NOT_OF_THE_RESULT}
    digest = hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()
    return {"values": values, "sha256": digest}


def _from_the_root(path: Any) -> Any:
    """A path as it holds in any working folder, of a list each; what is no path stays."""
    if isinstance(path, list):
        return [_from_the_root(one) for one in path]
    return path if path in (None, OTSU) else os.path.abspath(path)


@lru_cache(maxsize=1)
def code() -> dict[str, str]:
    """The version and a hash of every file of the package: a changed line is another code."""
    package = Path(brainseg.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)} {sha256(path)}\n".encode())
    return {"version": version("brainseg"), "sha256": digest.hexdigest()}


def machine() -> dict[str, Any]:
    """What the same code may give other last bits on."""
    return {"processor": cpu_name(), "system": platform.system(), "python": platform.python_version()}


def versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def write_sums(folder: Path) -> None:
    """Of all files in a finished folder."""
    write_sums_of(folder, [path.name for path in folder.iterdir() if path.name != SUMS])


def write_sums_of(folder: Path, names: Iterable[str]) -> None:
    """Write the sums of these files, named from the folder on."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in sorted(names)]
    with writing(folder / SUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str]:
    """The sha256 of each file that the folder's SHA256SUMS names.

    Raises:
        DataError: It is not there, or no longer what was written.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / SUMS}: cannot be read ({error})") from error


def result_folders(folder: Path) -> list[Path]:
    """A subject's folder, or those of all subjects in one.

    Raises:
        DataError: There is no result.
    """
    found = [folder] if (folder / RESULT).is_file() else subject_folders(folder)
    if not found:
        raise DataError(f"{folder}: holds no {RESULT}; give a folder that predict.py wrote")
    return found


def subject_folders(output: Path) -> list[Path]:
    """Those with a result; hidden ones are unfinished, of a run that goes on beside or was killed."""
    return sorted(path.parent for path in output.glob(f"*/{RESULT}") if not path.parent.name.startswith("."))


def read_result(folder: Path) -> dict[str, Any]:
    """What result.json says.

    Raises:
        DataError: It is not there, or no longer what was written.
    """
    try:
        result: dict[str, Any] = read_json(folder / RESULT)
    except OSError as error:
        raise DataError(f"{folder / RESULT}: cannot be read ({error}); predict the subject again") from error
    except UnreadableError as error:
        raise DataError(f"{error}; predict the subject again") from error
    return result


def all_results(output: Path) -> list[dict[str, Any]]:
    """Of every subject's folder, of this run and of earlier ones.

    One that cannot be read is there with its folder's name, the verdict UNREADABLE and the reason.
    """
    found = []
    for folder in subject_folders(output):
        try:
            result = read_result(folder)
            if {"subject", "verdict"} - set(result):
                raise DataError(f"{folder / RESULT}: cannot be read (it names no subject and verdict)")
        except DataError as error:
            result = {"subject": folder.name, "verdict": UNREADABLE, "error": str(error)}
        found.append(result)
    return found


def changes(folder: Path) -> list[str]:
    """Every file of a result, of its inputs and of its models that is not what it was, a line each."""
    problems = [*changed_files(folder), *foreign_files(folder)]
    try:
        result = read_result(folder)
        known = dict(_files_of(result))
    except (DataError, KeyError, TypeError, AttributeError) as error:
        return [*problems, f"{folder / RESULT}: does not name its inputs and models ({error})"]
    for path, digest in known.items():
        if what := _change(path, digest):
            problems.append(f"{path}: {what}" + (" since it was used" if what == "has changed" else ""))
    return problems


def changed_files(folder: Path) -> list[str]:
    """Every file that a folder's SHA256SUMS names and that is not what it was, a line each."""
    try:
        known = read_sums(folder)
    except DataError as error:
        return [str(error)]
    return [
        f"{folder / name}: {what}" for name in sorted(known) if (what := _change(folder / name, known[name]))
    ]


def foreign_files(folder: Path) -> list[str]:
    """What someone has put beside the files of a subject's result, a line each."""
    try:
        known = read_sums(folder)
    except DataError:  # which `changed_files` says
        return []
    names = sorted(path.name for path in folder.iterdir() if path.name not in {SUMS, *known})
    return [f"{folder / name}: is not of this result" for name in names]


def _change(path: Path, digest: str) -> str | None:
    if not path.is_file():
        return "is not there any more"
    return "has changed" if sha256(path) != digest else None


def _files_of(result: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for entry in result.get("inputs", {}).values():
        if "slices" in entry:
            yield from ((Path(entry["file"]) / name, digest) for name, digest in entry["slices"].items())
        else:
            yield Path(entry["file"]), entry["sha256"]
    for model in result.get("models", {}).values():
        for entry in model if isinstance(model, list) else [model]:
            if "file" in entry:
                yield Path(entry["file"]), entry["sha256"]
