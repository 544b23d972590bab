"""Results that are there: the folders that hold one, and what each result.json says."""

from pathlib import Path

from brainseg.config.errors import DataError, UnreadableError
from brainseg.files.plain import read_json
from brainseg.results.names import RESULT
from brainseg.results.parts import Judgement, Status
from brainseg.results.result import Result


def result_folders(folder: Path) -> list[Path]:
    """The folder itself where it is of one subject, else the folders of all subjects in it.

    Raises:
        DataError: There is no result in it.
    """
    found = [folder] if (folder / RESULT).is_file() else subject_folders(folder)
    if not found:
        raise DataError(f"{folder}: holds no {RESULT}; give a folder that predict.py wrote")
    return found


def subject_folders(output: Path) -> list[Path]:
    """The folders that hold a result. Hidden ones are left out: a run has not finished them."""
    return sorted(path.parent for path in output.glob(f"*/{RESULT}") if not path.parent.name.startswith("."))


def read_result(folder: Path) -> Result:
    """What the result.json of a subject's folder says.

    Raises:
        DataError: It is not there, or no longer what was written; or a newer brainseg has written it.
    """
    path = folder / RESULT
    try:
        return read_result_file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); predict the subject again") from error
    except UnreadableError as error:
        raise DataError(f"{error}; predict the subject again") from error


def read_result_file(path: Path) -> Result:
    """What a file with any name says, as the results/*.json of a BIDS data set.

    Raises:
        OSError: There is no such file, or it may not be read.
        UnreadableError: A key is missing or a value has another type.
        DataError: A newer brainseg has written it.
    """
    return Result.from_json(read_json(path), path)


def all_results(output: Path) -> list[Result]:
    """The result in every subject's folder, of this run and of earlier ones.

    A result that cannot be read has its folder's name, the verdict `unreadable` and the reason as its error.
    """
    return [_result_or_reason(folder) for folder in subject_folders(output)]


def _result_or_reason(folder: Path) -> Result:
    try:
        return read_result(folder)
    except DataError as error:
        return Result(folder.name, Status.failed, Judgement.unreadable, error=str(error))
