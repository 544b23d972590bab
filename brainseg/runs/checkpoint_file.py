"""Files of checkpoints: written whole or not at all, and read only if they are what was written.

Beside `best.ckpt` lies `best.ckpt.sha256`, as coreutils writes it (`sha256sum -c best.ckpt.sha256`). While a
checkpoint is replaced it names the old content and the new one, so that a process killed at any moment leaves
a checkpoint that can be read. For a checkpoint without that file, the checksums within the zip archive are
compared.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from brainseg.config.errors import CheckpointError
from brainseg.files.atomic import sha256, writing
from brainseg.runs.packed_file import is_packed, load_packed

SUM = ".sha256"  # behind the name of the checkpoint
_SUM_LINE = re.compile(r"([0-9a-fA-F]{64})(\s.*)?")  # of sha256sum, or of another tool that is like it


def write_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint and its sha256; an earlier one stays until the new one is whole on the disk.

    Raises:
        ImageError: The disk is full, or the folder may not be written to; the earlier one is still there.
    """
    path = Path(path)
    with writing(path) as temporary:
        _save(content, temporary)
        digest = sha256(temporary)
        _write_sums(path, [digest, *_sums(path)])
    _write_sums(path, [digest])


def _save(content: dict[str, Any], path: Path) -> None:
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:  # PyTorch's "unexpected pos" hides the system's error, a full disk
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def load_checkpoint(path: str | Path) -> Any:
    """The plain content of a checkpoint or a packed model, on the CPU; nothing in it is executed.

    Raises:
        CheckpointError: The file is not what was written.
        Exception: As torch.load, where it is no checkpoint.
    """
    if is_packed(path):
        return load_packed(path)
    refuse_changed(Path(path))
    return torch.load(path, map_location="cpu", weights_only=True)


def remove_checkpoint(path: str | Path) -> None:
    """Remove a checkpoint and its sha256."""
    for file in (Path(path), _sum_file(Path(path))):
        file.unlink(missing_ok=True)


def refuse_changed(path: Path) -> None:
    """Refuse a checkpoint in which a byte has changed since it was written.

    Raises:
        CheckpointError: Its sha256, or without one a checksum within, is not that of its content.
    """
    sums = _sum_file(path)
    if not sums.is_file():
        if fault := _fault_within(path):
            raise CheckpointError(f"{path} is damaged: {fault}; copy it again from where it came")
    elif not (known := _sums(path)):
        raise CheckpointError(
            f"{sums}: holds no sha256, so whether {path.name} has changed is not known; remove {sums.name} "
            "to go by the checksums within the checkpoint"
        )
    elif sha256(path) not in known:
        raise CheckpointError(
            f"{path} has changed since it was written: its sha256 is not the one in {sums}; copy it again "
            "from where it came, together with that file"
        )


def _fault_within(path: Path) -> str | None:
    """What is wrong with the zip archive that a checkpoint is, as far as its own checksums tell."""
    if not zipfile.is_zipfile(path):
        return None  # for torch.load to refuse
    try:
        with zipfile.ZipFile(path) as archive:
            # PyTorch stores its parts as they are; a packed one can be a thousand times as large.
            packed = next((e.filename for e in archive.infolist() if e.compress_type), None)
            if packed is not None:
                return f"its part {packed} is compressed, which no checkpoint is"
            broken = archive.testzip()
    except Exception as error:  # zipfile raises ten kinds, by which byte was hit
        return f"it is no whole zip archive ({str(error) or type(error).__name__})"
    return None if broken is None else f"the checksum of its part {broken} is wrong"


def _sums(path: Path) -> list[str]:
    """The sha256 sums that a checkpoint may have, from the file beside it."""
    file = _sum_file(path)
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [found[1].lower() for line in lines if (found := _SUM_LINE.fullmatch(line.strip()))]


def _write_sums(path: Path, sums: list[str]) -> None:
    lines = [f"{one}  {path.name}\n" for one in dict.fromkeys(sums)]
    with writing(_sum_file(path)) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _sum_file(path: Path) -> Path:
    return path.with_name(path.name + SUM)
