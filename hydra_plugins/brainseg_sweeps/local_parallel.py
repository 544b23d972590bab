"""The launcher of jobs beside each other, where Hydra looks for one."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class LocalParallelLauncher(Launcher):
    """A process for each job. Hydra imports this at each start, so the rest loads later."""

    def __init__(self, n_jobs: int | None = None, devices: Sequence[Any] | None = None) -> None:
        self.n_jobs, self.devices = n_jobs, devices

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what `launch` needs, once it is checked."""
        from brainseg.config.launching import ParallelSettings, check_launching

        check_launching("launcher", ParallelSettings, {"n_jobs": self.n_jobs, "devices": self.devices})
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; see `brainseg.training.processes.launch`."""
        from brainseg.training.processes import launch

        return launch(self, job_overrides, initial_job_idx)
