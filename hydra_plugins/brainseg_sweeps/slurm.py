"""The launcher of jobs in Slurm, where Hydra looks for one."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class SlurmLauncher(Launcher):
    """An array of Slurm's jobs. Hydra imports this at each start, so the rest loads later."""

    def __init__(self, **settings: Any) -> None:
        self.settings = {
            key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            for key, value in settings.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what `launch` needs, once it is checked."""
        from brainseg.config.launching import SlurmSettings, check_launching

        check_launching("launcher", SlurmSettings, self.settings)
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; see `brainseg.training.slurm.launch`."""
        from brainseg.training.slurm import launch

        return launch(self, job_overrides, initial_job_idx)
