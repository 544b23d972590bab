"""What the sweepers and launchers of `conf/hydra/` take. Their defaults and meanings stand there."""

from dataclasses import dataclass, fields
from typing import Any, Optional

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainseg.config.bounds import at_least
from brainseg.config.check import as_section
from brainseg.config.choices import Pruner
from brainseg.config.errors import ConfigError
from brainseg.config.explain import explain


@dataclass
class GridSettings:
    """hydra/sweeper=grid."""

    max_batch_size: Optional[int] = MISSING

    def __post_init__(self) -> None:
        if self.max_batch_size is not None:
            at_least("max_batch_size", self.max_batch_size, 1)


@dataclass
class MedianSettings:
    """Optuna's MedianPruner."""

    n_startup_trials: int = MISSING
    n_warmup_steps: int = MISSING
    interval_steps: int = MISSING
    n_min_trials: int = MISSING

    def __post_init__(self) -> None:
        at_least("pruner_settings.median.n_startup_trials", self.n_startup_trials, 0)
        at_least("pruner_settings.median.n_warmup_steps", self.n_warmup_steps, 0)
        at_least("pruner_settings.median.interval_steps", self.interval_steps, 1)
        at_least("pruner_settings.median.n_min_trials", self.n_min_trials, 1)


@dataclass
class HyperbandSettings:
    """Optuna's HyperbandPruner."""

    min_resource: int = MISSING
    max_resource: Any = MISSING
    reduction_factor: int = MISSING
    bootstrap_count: int = MISSING

    def __post_init__(self) -> None:
        key = "pruner_settings.hyperband"
        at_least(f"{key}.min_resource", self.min_resource, 1)
        at_least(f"{key}.reduction_factor", self.reduction_factor, 2)
        at_least(f"{key}.bootstrap_count", self.bootstrap_count, 0)
        if self.max_resource == "auto":
            if self.bootstrap_count:
                raise ConfigError(f"{key}.bootstrap_count needs a number as {key}.max_resource, not auto")
            return
        if not isinstance(self.max_resource, int) or self.max_resource < self.min_resource:
            raise ConfigError(
                f"{key}.max_resource must be auto, or a whole number from min_resource={self.min_resource} "
                f"up, got {self.max_resource}"
            )


@dataclass
class PrunerSettings:
    median: MedianSettings = MISSING
    hyperband: HyperbandSettings = MISSING


@dataclass
class SearchSettings:
    """hydra/sweeper=optuna."""

    n_trials: int = MISSING
    n_jobs: int = MISSING
    seed: int = MISSING
    random_trials: int = MISSING
    pruner: Pruner = MISSING
    pruner_settings: PrunerSettings = MISSING
    storage: Optional[str] = MISSING
    study_name: Optional[str] = MISSING

    def __post_init__(self) -> None:
        at_least("n_trials", self.n_trials, 1)
        at_least("n_jobs", self.n_jobs, 1)
        at_least("seed", self.seed, 0)
        at_least("random_trials", self.random_trials, 0)


@dataclass
class ParallelSettings:
    """hydra/launcher=local_parallel."""

    n_jobs: Optional[int] = MISSING
    devices: Any = MISSING

    def __post_init__(self) -> None:
        if not (self.devices is None or isinstance(self.devices, list)):
            raise ConfigError(f"devices must be a list, as [0,1] or [[0,1],[2,3]], got {self.devices}")
        if self.n_jobs is not None:
            at_least("n_jobs", self.n_jobs, 1)


@dataclass
class SlurmSettings:
    """hydra/launcher=slurm; what is added by + goes to sbatch as it is."""

    timeout_min: int = MISSING
    signal_delay_s: int = MISSING
    max_num_timeout: int = MISSING
    array_parallelism: int = MISSING
    nodes: int = MISSING
    tasks_per_node: int = MISSING
    cpus_per_task: Optional[int] = MISSING
    mem_gb: Optional[float] = MISSING
    setup: Optional[list[str]] = MISSING

    def __post_init__(self) -> None:
        at_least("timeout_min", self.timeout_min, 1)
        at_least("signal_delay_s", self.signal_delay_s, 1)
        at_least("max_num_timeout", self.max_num_timeout, 0)
        at_least("array_parallelism", self.array_parallelism, 1)
        at_least("nodes", self.nodes, 1)
        at_least("tasks_per_node", self.tasks_per_node, 1)
        if self.cpus_per_task is not None:
            at_least("cpus_per_task", self.cpus_per_task, 1)
        if self.mem_gb is not None:
            at_least("mem_gb", self.mem_gb, 0)
        if self.signal_delay_s >= 60 * self.timeout_min:
            raise ConfigError(
                f"signal_delay_s={self.signal_delay_s} seconds must be less than the "
                f"timeout_min={self.timeout_min} minutes of an attempt"
            )


def check_launching(part: str, schema: type, values: Any) -> Any:
    """The settings of a sweeper or a launcher as their class.

    Args:
        part: sweeper or launcher.
        schema: The class.
        values: With what it takes, and perhaps more, which is left out.

    Raises:
        ConfigError: A value is of another type or out of bounds; the message begins with its full key.
    """
    names = {one.name for one in fields(schema)}
    given = {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in values.items()
        if key in names
    }
    try:
        return as_section(schema, given)
    except ConfigError as error:
        raise ConfigError(f"hydra.{part}.{error}") from None
    except OmegaConfBaseException as error:
        raise ConfigError(f"hydra.{part}.{explain(error)}") from None
