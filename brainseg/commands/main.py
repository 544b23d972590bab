"""What train.py and predict.py run: compose the config, check it, train or predict."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from brainseg.commands.leftovers import remove_if_unused, remove_record
from brainseg.commands.one_line import MENDABLE, exit_if_mendable
from brainseg.commands.sweep_configs import asks_for_configs, show_configs
from brainseg.config import ConfigError, PredictConfig, check, check_predict, conf_dir, register_schemas
from brainseg.config.arguments import quoted_paths, refuse_no_choice
from brainseg.config.beside import without_foreign_data
from brainseg.prediction.early import refuse_early as refuse_prediction_early
from brainseg.runs.config import LAST
from brainseg.system.pseudonyms import KEEP
from brainseg.system.signals import asked_to_stop, heed
from brainseg.system.terminal import say
from brainseg.system.verdicts import verdicts
from brainseg.training.early import refuse_early as refuse_training_early


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def _train(cfg: DictConfig) -> float:
    with _ending_in_one_line():
        check(cfg)
        refuse_training_early(cfg)
        from brainseg.training.train import train  # loads torch, so only once the config is known to be good

        return train(cfg)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="predict")
def _predict(cfg: DictConfig) -> None:
    with _ending_in_one_line():
        options = check_predict(cfg)
        if options.names != KEEP:
            remove_record()
        _refuse_shard_alone(options)
        if options.dry_run:
            _end_dry_run(options)
        refuse_prediction_early(options)
        from brainseg.prediction.run import run

        verdicts.append(run(options))


def _refuse_shard_alone(options: PredictConfig) -> None:
    if options.shard is not None and options.output == HydraConfig.get().runtime.output_dir:
        raise ConfigError(
            f"shard={options.shard} needs output=DIR, the one folder that all shards write into"
        )


def _end_dry_run(options: PredictConfig) -> NoReturn:
    from brainseg.prediction.dry_run import dry_run  # without torch: it answers in a second

    code = dry_run(options)
    remove_if_unused()
    sys.exit(code)


@contextmanager
def _ending_in_one_line() -> Iterator[None]:
    """End a single run with one line where the user can mend its error; a sweep goes on with its next job.

    A stop signal ends both. The folder that Hydra made for a single run is removed if nothing is in it.
    """
    single = HydraConfig.get().mode == RunMode.RUN
    try:
        yield
        heed()
    except BaseException as error:
        if asked_to_stop():
            _end_stopped(error, single=single)
        elif single and isinstance(error, MENDABLE):
            remove_if_unused()
            exit_if_mendable(error)
        raise


def _end_stopped(error: BaseException, *, single: bool) -> None:
    if single:
        _say_how_to_go_on()
        remove_if_unused()
    if isinstance(error, Exception):  # what a library made of the signal; Hydra would begin the next job
        heed()


def _say_how_to_go_on() -> None:
    run = Path(HydraConfig.get().runtime.output_dir)
    if (run / LAST).is_file():
        resume = shlex.quote(f"resume={os.path.relpath(run)}")
        say(f"go on with python train.py {resume}", error=True)


def _train_or_go_on() -> None:
    refuse_no_choice("train", sys.argv[1:])
    if any(one.lstrip("+").startswith("resume=") for one in sys.argv[1:]):
        from brainseg.training.command_line import resumed_arguments

        sys.argv[1:] = resumed_arguments(sys.argv[1:])
    else:
        sys.argv[1:], said = without_foreign_data(sys.argv[1:])
        say(*said)
    if any(one.lstrip("+").startswith("start_from=") for one in sys.argv[1:]):
        from brainseg.training.beginning import arguments_with_start

        sys.argv[1:] = arguments_with_start(sys.argv[1:])
    _run_or_show("train", _train)


def _predict_or_show() -> None:
    refuse_no_choice("predict", sys.argv[1:])
    _run_or_show("predict", _predict)


def train_main() -> None:
    """`python train.py [key=value ...]`: exit code 0 if trained to the end, 2 for what the user can mend.

    The exit codes of a run that is stopped, 130, 143 and 129, are in `brainseg.system.signals`.
    """
    _one_line_errors(_train_or_go_on)


def predict_main() -> None:
    """`python predict.py input=PATH [key=value ...]`: exit code 0 if all passed, 3 to review, 4 failed."""
    _one_line_errors(_predict_or_show)
    if code := max(verdicts, default=0):
        sys.exit(code)


def _run_or_show(program: str, main: Callable[[], Any]) -> None:
    if asks_for_configs(sys.argv[1:]):
        show_configs(program, sys.argv[1:])
    else:
        main()


def _one_line_errors(main: Callable[[], Any]) -> None:
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing and exiting
    sys.argv[1:] = quoted_paths(sys.argv[1:])
    register_schemas()
    try:
        main()
    except MENDABLE as error:
        exit_if_mendable(error)
        raise
