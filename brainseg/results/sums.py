"""SHA256SUMS: the sha256 of every file of a folder, as coreutils writes it (`sha256sum -c SHA256SUMS`)."""

from collections.abc import Iterable
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.files.atomic import sha256, writing

SUMS = "SHA256SUMS"
Sum = tuple[str, str]  # a file's name, from the folder on, and its sha256


def write_sums(folder: Path) -> None:
    """Write the sums of all files in a finished folder."""
    write_sums_of(folder, [path.name for path in folder.iterdir() if path.name != SUMS])


def write_sums_of(folder: Path, names: Iterable[str]) -> None:
    """Write the sums of these files, named from the folder on."""
    write_known_sums(folder, [(name, sha256(folder / name)) for name in names])


def write_known_sums(folder: Path, sums: Iterable[Sum]) -> None:
    """Write sums that are known already."""
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums))
    with writing(folder / SUMS) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str]:
    """The sha256 of each file that the folder's SHA256SUMS names.

    Raises:
        DataError: The list is not there, or it is not what was written.
    """
    return dict(read_all_sums(folder))


def read_all_sums(folder: Path) -> list[Sum]:
    """Every line of the folder's SHA256SUMS; a file that was being replaced may have two.

    Raises:
        DataError: As `read_sums`.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        return [(name, digest) for digest, name in (line.split("  ", 1) for line in lines)]
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / SUMS}: cannot be read ({error})") from error


def sums_if_readable(folder: Path) -> dict[str, str]:
    """The same as `read_sums`, but empty where the list cannot be read: no file is known to be ours then."""
    try:
        return read_sums(folder)
    except DataError:
        return {}
