"""What a command line names must be there; these refusals need no library, so they come at once."""

from pathlib import Path

from brainseg.config.errors import CheckpointError, DataError


def refuse_nothing_at(path: str | Path) -> None:
    """Refuse a path at which there is neither a file nor a folder.

    Raises:
        DataError: The message names it.
    """
    if not Path(path).exists():
        raise DataError(f"{path}: no such file or folder; check the path")


def refuse_no_folder(root: str | Path, where_from: str) -> None:
    """Refuse a folder of data that is not there; the message says where such data are to be had.

    Raises:
        DataError: There is none.
    """
    if not Path(root).exists():
        raise DataError(f"{root}: no such folder; {where_from}")


def refuse_no_table(path: str | Path) -> None:
    """Refuse a table of groups that is not there.

    Raises:
        DataError: There is none.
    """
    if not Path(path).is_file():
        raise DataError(f"data.groups={path}: no such file; give a table (file, group)")


def refuse_no_weights(path: str | Path) -> None:
    """Refuse a file of ImageNet weights that is not there.

    Raises:
        CheckpointError: There is none.
    """
    if not Path(path).is_file():
        raise CheckpointError(
            f"{path}: no such file of weights; give classifier.weights a .pth or .safetensors file"
        )
