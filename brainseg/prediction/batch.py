"""The files beside the folders of subjects: volumes.csv, index.html, and the sums of these and all results.

The SHA256SUMS here is as coreutils writes it, too: it names both files and each subject's own SHA256SUMS, so
that it covers all that was written below the output.
"""

import os
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.reporting.index_page import INDEX, write_index_page
from brainseg.results.provenance import (
    SUMS,
    all_results,
    changed_files,
    read_sums,
    sha256,
    subject_folders,
    write_sums_of,
)
from brainseg.results.replacing import keep_aside
from brainseg.results.table import VOLUMES, write_volumes

BESIDE = (VOLUMES, INDEX)


def write_batch(output: Path, *, page: bool) -> None:
    """All results of the output as a table, and as a page where one is asked for.

    A file of such a name that is not what was written there, as a table that someone has edited, is kept
    under another name.
    """
    before = {path.name for path in _ours(output)}
    written = (VOLUMES, INDEX) if page else (VOLUMES,)
    for name in written:
        if os.path.lexists(output / name) and name not in before:
            keep_aside(output / name)
    results = all_results(output)
    write_volumes(output, results)
    if page:
        write_index_page(output, results)
    sums = [f"{folder.name}/{SUMS}" for folder in subject_folders(output) if (folder / SUMS).is_file()]
    write_sums_of(output, [*before.union(written), *sums])


def batch_changes(output: Path) -> list[str]:
    """What beside the results, or which list of a result's files, is not what it was, a line each."""
    beside = [name for name in BESIDE if (output / name).is_file()]
    if not (output / SUMS).is_file():
        return [f"{output / name}: may have changed, there is no {SUMS} beside it" for name in beside]
    listed = _listed(output)
    foreign = [f"{output / name}: is not of these results" for name in beside if name not in listed]
    return [*changed_files(output), *foreign]


def _ours(output: Path) -> list[Path]:
    """The table and the page, where they are as they were written."""
    listed = _listed(output)
    paths = [output / name for name in BESIDE if name in listed]
    return [path for path in paths if path.is_file() and sha256(path) == listed[path.name]]


def _listed(output: Path) -> dict[str, str]:
    try:
        return read_sums(output)
    except DataError:  # there is none, or it says nothing: then nothing is known to be ours
        return {}
