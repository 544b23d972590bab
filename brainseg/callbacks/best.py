"""The best checkpoint, remembered wherever the run's folder is."""

import logging
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint

log = logging.getLogger("brainseg")


class Best(ModelCheckpoint):
    """Lightning's ModelCheckpoint of one best file, whose score is kept when a run's folder is moved.

    Where that file is not beside the checkpoint that a run goes on from, there is no best one yet.
    """

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__name__, ModelCheckpoint.__name__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not state_dict["best_model_path"]:
            return
        here = {old: self._here(old) for old in [*state_dict["best_k_models"], state_dict["best_model_path"]]}
        best = here[state_dict["best_model_path"]]
        if not Path(best).is_file():
            log.warning(
                "%s is not there, so the best score so far (%.4f) does not count; the best of the next "
                "epochs is kept",
                best,
                float(state_dict["best_model_score"]),
            )
            return
        moved = {
            "dirpath": self.dirpath,
            "best_model_path": best,
            "best_k_models": {here[old]: score for old, score in state_dict["best_k_models"].items()},
            "kth_best_model_path": here.get(state_dict["kth_best_model_path"], ""),
        }
        super().load_state_dict(state_dict | moved)

    def _here(self, path: str) -> str:
        assert self.dirpath is not None
        return str(Path(self.dirpath) / Path(path).name)
