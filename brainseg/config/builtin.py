"""The models that come with brainseg: where their files are, and which there are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from brainseg.config.choices import BUILTIN, TASKS
from brainseg.config.errors import ConfigError
from brainseg.config.prediction import PredictConfig

FOLDER = Path(__file__).resolve().parents[1] / "models"
FOR_PICTURES = "classifier"  # the one that answers for pictures of slices alone: its card says why


def builtin_file(task: str) -> Path:
    """The weights of the model for a task; its contract and its card lie beside them."""
    return FOLDER / f"{task}.safetensors"


def builtin_tasks() -> list[str]:
    """The tasks that brainseg has a model for."""
    return [task for task in TASKS if builtin_file(task).is_file()]


def is_builtin(path: Any) -> bool:
    """Whether a path is that of a model which comes with brainseg."""
    return isinstance(path, str) and path in [str(builtin_file(task)) for task in TASKS]


def with_builtin(options: PredictConfig) -> PredictConfig:
    """The options with a file in the place of each `builtin`, but for the classifier.

    That of the classifier stays until it is known that pictures of slices are asked for: `for_pictures`.

    Raises:
        ConfigError: There is no such model in this installation.
    """
    asked = {task: (getattr(options, task), _with_files(task, getattr(options, task))) for task in TASKS}
    found = {task: file for task, (given, file) in asked.items() if (task, given) != (FOR_PICTURES, BUILTIN)}
    return replace(options, **found)


def for_pictures(options: PredictConfig) -> PredictConfig:
    """The options with the file of the classifier that comes with brainseg, where that is asked for."""
    return replace(options, classifier=_with_files(FOR_PICTURES, options.classifier))


def _with_files(task: str, given: Any) -> Any:
    if isinstance(given, list):
        return [_with_files(task, one) for one in given]
    if given != BUILTIN:
        return given
    if not builtin_file(task).is_file():
        raise ConfigError(
            f"{task}={BUILTIN}: brainseg comes with no such model, only for {', '.join(builtin_tasks())}; "
            f"give {task}=CHECKPOINT, or {task}=null to leave it out"
        )
    return str(builtin_file(task))
