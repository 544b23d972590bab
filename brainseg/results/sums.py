"""SHA256SUMS: the sha256 of every file of a folder, as coreutils writes it (`sha256sum -c SHA256SUMS`)."""

from collections.abc import Iterable
from pathlib import Path

from brainseg.config.errors import DataError
from brainseg.files.atomic import sha256, writing

SUMS = "SHA256SUMS"


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


def sums_if_readable(folder: Path) -> dict[str, str]:
    """The same; empty where the list is not there or cannot be read, so that no file is known to be ours."""
    try:
        return read_sums(folder)
    except DataError:
        return {}
