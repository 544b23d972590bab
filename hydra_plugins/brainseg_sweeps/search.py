"""The sweeper that searches, where Hydra looks for one. What it does: `brainseg.training.search`."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Trials of a study of Optuna. Hydra imports this at each start, so the rest loads later."""

    max_batch_size = None

    def __init__(self, **settings: Any) -> None:
        self.__dict__.update(settings)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what `sweep` needs."""
        from hydra.core.plugins import Plugins

        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run trials; see `brainseg.training.search.search`."""
        from brainseg.training.search import search

        return search(self, arguments)
