"""Every job of a sweep is checked before the first one starts: a value out of bounds costs no run."""

import sys
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from brainseg.config.check import check
from brainseg.config.errors import USAGE_ERROR, ConfigError
from brainseg.terminal import say


class CheckSweep(Callback):
    """Hydra composes every job first, by which it refuses unknown keys and choices; this adds our bounds."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Exit with code 2 and one line if any job of Hydra's own sweeper has a value out of bounds.

        Other sweepers choose their jobs as they go.
        """
        if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
            return
        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
        overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
        loader = GlobalHydra.instance().config_loader()
        for batch in BasicSweeper.split_arguments(overrides, max_batch_size=None):
            for job in batch:
                try:
                    check(loader.load_sweep_config(config, list(job)))
                except (HydraException, OmegaConfBaseException):
                    return  # Hydra composes the jobs next, and says this itself
                except ConfigError as error:
                    # Hydra makes a warning of a callback's exception, but lets it exit.
                    say(f"error: {error} (in the job {' '.join(job)}; none was started)", error=True)
                    sys.exit(USAGE_ERROR)
