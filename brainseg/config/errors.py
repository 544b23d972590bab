"""Errors for the user. Each message is one line: what is wrong, its value, where, and what to do."""

USAGE_ERROR = 2  # exit code for anything that the user can mend


class UserError(Exception):
    """Something the user can mend. The commands print the message alone, without a traceback."""


class ConfigError(UserError, ValueError):
    """A key has a value that cannot work. The message names the key, the value and values that would work."""


class ImageError(UserError):
    """A file with an image cannot be used."""


class GeometryError(ImageError):
    """Grids do not fit together, or are not what an operation needs."""


class LabelError(ImageError):
    """A label map has values that fit no convention, or more than one."""


class DataError(UserError):
    """A data folder does not hold what its reader needs."""


class StorageError(UserError):
    """A result cannot be written: a disk is full, or a folder is read-only. The inputs are not at fault."""


class UnreadableError(DataError, ValueError):
    """A file of plain values, JSON or YAML, does not hold what it should."""


class CheckpointError(UserError):
    """A file is not a checkpoint that this version of brainseg can use."""
