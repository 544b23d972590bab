"""A prediction made again from what its result names, and compared with it."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from brainseg.config import PredictConfig, as_section
from brainseg.config.builtin import with_builtin
from brainseg.config.defaults import with_defaults
from brainseg.config.errors import DataError
from brainseg.files.packed import unpacked
from brainseg.images.layouts import Subject
from brainseg.prediction.computing import compute_again
from brainseg.prediction.job import job_of
from brainseg.prediction.run import predict_or_name, subjects_at
from brainseg.reporting.subject_page import PAGE
from brainseg.results.names import RESULT
from brainseg.results.read import read_result
from brainseg.results.result import Result
from brainseg.results.sums import SUMS
from brainseg.system.pseudonyms import KEEP
from brainseg.system.threads import computing_with, threads_to_predict

NOT_COMPARED = {SUMS, PAGE}  # a page has its date and the seconds that it took
DICOM = ".dcm"  # says when it was made; the masks and the montage in it are compared as the files beside it
VOLATILE = ("seconds", "peak_memory_mb", "files")  # keys of result.json that say nothing of what was found


def reproduce(folder: Path) -> list[str]:
    """Predict again with the same settings, and give a line for each file with another voxel, pixel or value.

    Raises:
        UserError: Inputs or models are not there any more, or result.json cannot be read.
    """
    result = read_result(folder)
    options, cohort = subjects_at(_options(result, folder))
    subject = _subject(result, folder, cohort.subjects, options.input)
    threads = (result.machine and result.machine.threads) or threads_to_predict(options.threads)
    with tempfile.TemporaryDirectory() as place, computing_with(threads):
        job = job_of(options)
        compute_again(job.stages, result.computed or {})
        predict_or_name(subject, job, Path(place))
        return list(_differences(folder, Path(place) / subject.id))


def _options(result: Result, folder: Path) -> PredictConfig:
    if result.settings is None:
        raise DataError(f"{folder / RESULT}: does not say its settings; predict the subject again")
    if result.settings.values.get("names", KEEP) != KEEP:
        raise DataError(
            f"{folder / RESULT}: names are hidden in it, so its scans cannot be found; predict them again"
        )
    try:
        return with_builtin(as_section(PredictConfig, with_defaults(result.settings.values)))
    except Exception as error:  # whatever stands there instead of settings
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{folder / RESULT}: its settings cannot be used ({said})") from error


def _subject(result: Result, folder: Path, subjects: Iterable[Subject], where: str) -> Subject:
    for subject in subjects:
        if subject.id == result.subject:
            return subject
    raise DataError(f"{where}: does not hold {result.subject} any more, from which {folder} was made")


def _differences(before: Path, now: Path) -> Iterator[str]:
    names = {path.name for place in (before, now) for path in place.iterdir()} - NOT_COMPARED
    for name in sorted(names):
        if not (before / name).is_file():
            yield f"{name}: was not there before"
        elif not (now / name).is_file():
            yield f"{name}: is not made any more"
        elif name == RESULT:
            one, other = (_lasting(read_result(place)) for place in (before, now))
            yield from (
                f"{RESULT}: {key} differs" for key in sorted(one | other) if one.get(key) != other.get(key)
            )
        elif name.endswith(DICOM):
            continue
        elif _content(before / name) != _content(now / name):
            yield f"{name}: differs"


def _content(path: Path) -> bytes:
    """What a file says: how it was packed may differ between two versions of a library."""
    content = path.read_bytes()
    with suppress(OSError, EOFError, ValueError):  # it was damaged since
        if path.suffix == ".gz":
            return unpacked(content)
        if path.suffix == ".png":
            with Image.open(path) as picture:
                return f"{picture.size}".encode() + picture.convert("RGB").tobytes()
    return content


def _lasting(result: Result) -> dict[str, Any]:
    """What stays the same from run to run; a gate's sentence may be worded anew by another version."""
    gates = [replace(gate, sentence="") for gate in result.gates]
    values = replace(result, gates=gates).to_json()
    return {key: value for key, value in values.items() if key not in VOLATILE}
