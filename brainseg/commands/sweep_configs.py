"""`-m --cfg job`: the config of each job of a sweep, which Hydra itself refuses to show."""

import argparse
import sys
from collections.abc import Sequence

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from brainseg.config import conf_dir
from brainseg.sweeps.identity import Pairs, identity_of, jobs_of, overrides_of
from brainseg.sweeps.search import corners, space_of
from brainseg.system.terminal import say
from brainseg.training.sweep import name_of, named, sweep_folder


def asks_for_configs(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for the configs of a sweep and for no run."""
    return bool({"-m", "--multirun"} & set(arguments)) and any(
        one in ("-c", "--cfg") or one.startswith("--cfg=") for one in arguments
    )


def show_configs(program: str, arguments: Sequence[str]) -> None:
    """Print the config of each job, after a comment with its overrides, as documents of YAML.

    Args:
        program: train or predict.
        arguments: The command line, with --cfg and what belongs to it.

    Raises:
        HydraException: A key or a choice is unknown.
        ConfigError: A key is swept over a range without steps, or there are too many jobs.
    """
    given, overrides = _parsed(arguments)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration(program, overrides, run_mode=RunMode.MULTIRUN)
        swept = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
        asked = OverridesParser.create(config_loader=loader).parse_overrides([*swept, *overrides])
        is_grid = config.hydra.sweeper._target_.endswith(".GridSweeper")  # which names the jobs
        for number, pairs in enumerate(_jobs(config, asked)):
            job = overrides_of(asked, pairs)
            cfg = loader.load_sweep_config(config, job)
            if is_grid:
                cfg.merge_with(named(cfg, sweep_folder(config, identity_of(asked)), pairs, name_of(pairs)))
            config_of_job = _shown(cfg, given.cfg, resolve=given.resolve)
            say(f"--- # job {number}: {' '.join(job)}", *config_of_job.splitlines())


def _jobs(config: DictConfig, asked: Sequence[Override]) -> list[Pairs]:
    """The jobs of a grid; those of a search that are checked before its first trial."""
    if config.hydra.sweeper._target_.endswith(".OptunaSweeper"):
        return corners(space_of(asked))
    return jobs_of(asked)


def _shown(cfg: DictConfig, kind: str, *, resolve: bool) -> str:
    """The part that is asked for; what only a running job knows stays as it is written."""
    with read_write(cfg), open_dict(cfg):
        if kind == "hydra":
            return OmegaConf.to_yaml(OmegaConf.masked_copy(cfg, "hydra"))
        if kind == "job":
            del cfg["hydra"]
        if resolve and "paths" in cfg:
            cfg.paths.run = None
    return OmegaConf.to_yaml(cfg, resolve=resolve)


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog=sys.argv[0], add_help=False, allow_abbrev=False)
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--cfg", "-c", choices=("job", "hydra", "all"), required=True)
    parser.add_argument("--resolve", action="store_true")
    return parser.parse_known_args(list(arguments))
