"""Errors for the person at the keyboard: one line each with what, its value, where, and the mend."""

USAGE_ERROR = 2  # exit code for anything that the user can mend


class UserError(Exception):
    """Something the user can mend. The command line prints the message alone, without a traceback."""


class ConfigError(UserError, ValueError):
    """A key has a value that cannot work. The message names the key, the value and what would do."""


class ImageError(UserError):
    """A file with an image cannot be used."""


class GeometryError(ImageError):
    """Grids do not fit together, or are not what an operation needs."""


class LabelError(ImageError):
    """A label map has values that no, or more than one, convention explains."""


class DataError(UserError):
    """A data folder does not hold what its reader needs."""


class StorageError(UserError):
    """What we made cannot be kept: a disk is full, or a folder read-only. No input is at fault."""


class UnreadableError(DataError, ValueError):
    """A file of plain values, JSON or YAML, does not hold what it should."""


class CheckpointError(UserError):
    """A file is not a checkpoint that this version of brainseg can use."""
