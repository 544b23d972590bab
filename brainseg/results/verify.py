"""Whether results, their inputs and their models are still what they were when the results were made."""

from collections.abc import Iterator
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.files.atomic import sha256
from brainseg.results.names import RESULT
from brainseg.results.places import BESIDE
from brainseg.results.read import read_result
from brainseg.results.result import Result
from brainseg.results.sums import SUMS, read_sums, sums_if_readable
from brainseg.runs.model_record import ModelFile
from brainseg.system.pseudonyms import KEEP


def changes(folder: Path) -> list[str]:
    """A line for each file of a result, of its inputs and of its models that is not what it was."""
    problems = [*changed_files(folder), *foreign_files(folder)]
    try:
        result = read_result(folder)
    except DataError as error:
        return [*problems, f"{folder / RESULT}: does not name its inputs and models ({error})"]
    for path, digest in dict(_files_of(result)).items():
        if what := _change(path, digest):
            problems.append(f"{path}: {what}" + (" since it was used" if what == "has changed" else ""))
    return problems


def changed_files(folder: Path) -> list[str]:
    """A line for each file that a folder's SHA256SUMS names and that is not what it was."""
    try:
        known = read_sums(folder)
    except DataError as error:
        return [str(error)]
    return [
        f"{folder / name}: {what}" for name in sorted(known) if (what := _change(folder / name, known[name]))
    ]


def batch_changes(output: Path) -> list[str]:
    """A line for the table, the page or the SHA256SUMS of a subject that is not what it was."""
    beside = [name for name in BESIDE if (output / name).is_file()]
    if not (output / SUMS).is_file():
        return [f"{output / name}: may have changed, there is no {SUMS} beside it" for name in beside]
    listed = sums_if_readable(output)
    foreign = [f"{output / name}: is not of these results" for name in beside if name not in listed]
    return [*changed_files(output), *foreign]


def foreign_files(folder: Path) -> list[str]:
    """A line for each file that someone has put beside the files of a subject's result."""
    known = sums_if_readable(folder)
    if not known:  # as `changed_files` says
        return []
    names = sorted(path.name for path in folder.iterdir() if path.name not in {SUMS, *known})
    return [f"{folder / name}: is not of this result" for name in names]


def _change(path: Path, digest: str) -> str | None:
    if not path.is_file():
        return "is not there any more"
    return "has changed" if sha256(path) != digest else None


def _files_of(result: Result) -> Iterator[tuple[Path, str]]:
    """The inputs and the models of a result, and the sha256 of each."""
    hidden = result.settings is not None and result.settings.values.get("names", KEEP) != KEEP
    for scan in () if hidden else result.inputs.values():  # nobody knows where hidden ones lie
        if scan.slices is None:
            yield Path(scan.file), scan.sha256
            yield from ((Path(scan.file).parent / name, one) for name, one in (scan.beside or {}).items())
        else:
            yield from ((Path(scan.file) / name, digest) for name, digest in scan.slices.items())
    for members in result.models.values():
        yield from ((Path(one.file), one.sha256) for one in members if isinstance(one, ModelFile))
