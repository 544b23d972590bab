"""The models that come with brainseg: where their files are, and which there are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from brainseg.config.choices import BUILTIN, TASKS
from brainseg.config.errors import ConfigError
from brainseg.config.prediction import PredictConfig

FOLDER = Path(__file__).resolve().parents[1] / "models"


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
    """The options with a file in the place of each `builtin`.

    Raises:
        ConfigError: There is no such model in this installation.
    """
    asked = {task: getattr(options, task) for task in TASKS}
    return replace(options, **{task: _with_files(task, given) for task, given in asked.items()})


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
