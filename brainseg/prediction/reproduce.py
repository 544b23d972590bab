"""A prediction made again from what its result names, and compared with it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brainseg.config import PredictConfig, as_section
from brainseg.config.errors import DataError
from brainseg.files.atomic import sha256
from brainseg.images.layouts import Subject, find_subjects
from brainseg.images.preference import Choice
from brainseg.prediction.job import job_of
from brainseg.prediction.run import predict_or_name
from brainseg.reporting.subject_page import PAGE
from brainseg.results.read import RESULT, read_result
from brainseg.results.result import Result
from brainseg.results.sums import SUMS
from brainseg.system.pseudonyms import KEEP

NOT_COMPARED = {SUMS, PAGE}  # a page has its date and the seconds that it took
VOLATILE = ("seconds", "peak_memory_mb")  # keys of result.json that differ from run to run


def reproduce(folder: Path) -> list[str]:
    """Predict again with the same settings, and return a line for each file that differs in any bit.

    Raises:
        UserError: Inputs or models are not there any more, or result.json cannot be read.
    """
    result = read_result(folder)
    options = _options(result, folder)
    subject = _subject(result, folder, options)
    with tempfile.TemporaryDirectory() as place:
        predict_or_name(subject, job_of(options), Path(place))
        return list(_differences(folder, Path(place) / subject.id))


def _options(result: Result, folder: Path) -> PredictConfig:
    if result.settings is None:
        raise DataError(f"{folder / RESULT}: does not say its settings; predict the subject again")
    if result.settings.values.get("names", KEEP) != KEEP:
        raise DataError(
            f"{folder / RESULT}: names are hidden in it, so its scans cannot be found; predict them again"
        )
    try:
        return as_section(PredictConfig, result.settings.values)
    except Exception as error:  # whatever stands there instead of settings
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{folder / RESULT}: its settings cannot be used ({said})") from error


def _subject(result: Result, folder: Path, options: PredictConfig) -> Subject:
    for subject in find_subjects(Path(options.input), options.sequence, Choice.of(options.choose)):
        if subject.id == result.subject:
            return subject
    raise DataError(f"{options.input}: does not hold {result.subject} any more, from which {folder} was made")


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
        elif sha256(before / name) != sha256(now / name):
            yield f"{name}: differs"


def _lasting(result: Result) -> dict[str, Any]:
    return {key: value for key, value in result.to_json().items() if key not in VOLATILE}
