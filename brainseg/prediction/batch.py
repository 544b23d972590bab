"""The files beside the folders of subjects: volumes.csv, files.csv, index.html, and the sums of all results.

The SHA256SUMS here names these files and each subject's own SHA256SUMS, so that it covers all that was
written below the output.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from brainseg.files.atomic import sha256
from brainseg.images.fates import FileFate
from brainseg.reporting.index_page import write_index_page
from brainseg.results.files import write_files
from brainseg.results.names import FILES, VOLUMES
from brainseg.results.places import BESIDE
from brainseg.results.read import all_results, subject_folders
from brainseg.results.replacing import keep_aside
from brainseg.results.sums import SUMS, sums_if_readable, write_sums_of
from brainseg.results.table import write_volumes


def write_batch(output: Path, fates: Sequence[FileFate] = (), *, page: bool) -> None:
    """Write all results of the output as tables, and as a page where one is asked for.

    A table or a page that someone has edited is kept under another name.

    Args:
        output: The folder of the results.
        fates: What became of every file below the input.
        page: Whether to write one.
    """
    before = {path.name for path in _ours(output)}
    written = BESIDE if page else (VOLUMES, FILES)
    for name in written:
        if os.path.lexists(output / name) and name not in before:
            keep_aside(output / name)
    results = all_results(output)
    write_volumes(output, results)
    write_files(output, fates, results)
    if page:
        write_index_page(output, results)
    sums = [f"{folder.name}/{SUMS}" for folder in subject_folders(output) if (folder / SUMS).is_file()]
    write_sums_of(output, [*before.union(written), *sums])


def _ours(output: Path) -> list[Path]:
    """The tables and the page that are still as they were written."""
    listed = sums_if_readable(output)
    paths = [output / name for name in BESIDE if name in listed]
    return [path for path in paths if path.is_file() and sha256(path) == listed[path.name]]
