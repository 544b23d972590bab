"""What a prediction leaves on disk: a folder for each subject, with its result.json."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.results.names import RESULT
from brainseg.results.places import is_plain
from brainseg.results.replacing import known_files, replacement
from brainseg.results.result import Result
from brainseg.results.sums import write_sums


@contextmanager
def folder_for(output: Path, name: str) -> Iterator[Path]:
    """A new folder `output/name`, complete or not there at all: it is moved into place at the end.

    Files of an earlier one are removed only if its SHA256SUMS names them and they are as they were written.
    """
    if not is_plain(name):
        raise DataError(f"{name!r} cannot name a folder in {output}; give the scans names of their own")
    with replacement(output / name, known_files) as folder:
        yield folder


def write_result(folder: Path, result: Result) -> None:
    """result.json, and the sums of all that the folder then holds."""
    (folder / RESULT).write_text(json.dumps(result.hidden().to_json(), indent=2) + "\n", encoding="utf-8")
    write_sums(folder)
