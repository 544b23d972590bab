"""Which errors the user can mend, and the one line that each is answered with."""

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from omegaconf.errors import OmegaConfBaseException

from brainseg.config import UserError, explain
from brainseg.files.atomic import not_written
from brainseg.system.terminal import exit_with_error

MENDABLE = (UserError, HydraException, OmegaConfBaseException, OSError)  # some of these at least


def exit_if_mendable(error: BaseException) -> None:
    """Exit with code 2 and one line, if the user can mend the error; otherwise do nothing.

    Mendable are our own errors, also where Hydra wrapped one while it built an object; a mistake in the
    configuration; a disk that is full.
    """
    for candidate in (error, error.__cause__):
        if isinstance(candidate, UserError):
            exit_with_error(candidate)
    if isinstance(error, HydraException | OmegaConfBaseException):
        if not isinstance(error, InstantiationException):
            exit_with_error(explain(error, sys.argv[1:]))
    elif isinstance(error, OSError) and (full := _not_written(error)) is not None:
        exit_with_error(full)


def _not_written(error: OSError) -> UserError | None:
    """The line for a file that a library could not write, whose name the system does not always tell."""
    if error.filename is not None or HydraConfig.initialized():
        return not_written(Path(error.filename or HydraConfig.get().runtime.output_dir), error)
    if not_written(Path.cwd(), error) is None:
        return None
    return UserError(f"a file could not be written, {error.strerror}; make room or choose another folder")
