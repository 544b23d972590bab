"""How Lightning writes and reads checkpoints: through `brainseg.runs.checkpoint_file`."""

from collections.abc import Callable
from typing import Any

from pytorch_lightning.plugins.io import CheckpointIO

from brainseg.runs.checkpoint_file import load_checkpoint, remove_checkpoint, write_checkpoint


class CheckpointFiles(CheckpointIO):
    """Whole files or none, beside the target and not by way of the system's temporary folder."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        write_checkpoint(checkpoint, path)

    def load_checkpoint(
        self,
        path: Any,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        content: dict[str, Any] = load_checkpoint(path)  # plain data on the CPU, whatever is asked for
        return content

    def remove_checkpoint(self, path: Any) -> None:
        remove_checkpoint(path)
