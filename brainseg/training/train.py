"""One training run, from config to best checkpoint."""

import json
import logging
import os
import platform
import shlex
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import LambdaCallback
from pytorch_lightning.utilities import rank_zero_only

from brainseg.callbacks import CheckpointFiles, Compiled
from brainseg.callbacks.loggers.route import refuse_unreachable
from brainseg.callbacks.pruning import pruning_of
from brainseg.checkpoint import begin_with, load_model, store_fitted
from brainseg.config import ConfigError, chosen, plain, record
from brainseg.data import data_of
from brainseg.data.handover import handover_of
from brainseg.files.atomic import sweep_files, writing
from brainseg.runs.checkpoint_file import remove_checkpoint
from brainseg.runs.config import LAST, SPLIT
from brainseg.runs.lock import only_training_in
from brainseg.sweeps.job import Pruned, note_epoch, recorded
from brainseg.sweeps.ledger import is_job, refresh
from brainseg.system.signals import is_first_process
from brainseg.system.terminal import say
from brainseg.system.versions import TRAINING, git_commit, versions_of
from brainseg.tasks import TASKS, TaskModule
from brainseg.trained import Model
from brainseg.training.command_line import keep_command_line
from brainseg.training.computing import computing_of, lightning_name
from brainseg.training.cores import cores_shared_out, in_words
from brainseg.training.loggers import keep_models, opened_loggers
from brainseg.training.resume import Resumed, resumed_run, split_hash

_say = rank_zero_only(say)  # of several processes one speaks


def train(cfg: DictConfig) -> float:
    """Train the task that `cfg` names and score its best checkpoint on the test split.

    Returns:
        The best value of the monitored metric, for sweepers that optimise.
    """
    _quieten()
    refuse_unreachable(cfg)
    if cfg.paths.run is None or not is_first_process():
        try:
            return _train(cfg)
        except Pruned as end:
            return end.value
    run = Path(cfg.paths.run)
    with only_training_in(run):
        if is_job(run):
            if cfg.overwrite and cfg.resume is None:
                remove_checkpoint(run / LAST)  # a kill in the first epoch would go on with the old one
            return recorded(run, cfg, lambda: _train_new_or_on(cfg, run), refresh)
        return _train_new_or_on(cfg, run)


def _train_new_or_on(cfg: DictConfig, run: Path) -> float:
    _refuse_to_replace(cfg, run)
    return _train(cfg)


def _refuse_to_replace(cfg: DictConfig, run: Path) -> None:
    """A new run replaces the checkpoints of an earlier one in its folder only where it is told to."""
    if cfg.resume is None and not cfg.overwrite and (run / LAST).is_file():
        raise ConfigError(
            f"{run} holds a run already; go on with it by resume={run}, replace it by overwrite=true, or "
            "give another hydra.run.dir"
        )


def _train(cfg: DictConfig) -> float:
    resumed = None if cfg.resume is None else resumed_run(cfg)
    with cores_shared_out(cfg, None if resumed is None else resumed.run.get("computed")):
        return _begin(cfg, resumed)


def _begin(cfg: DictConfig, resumed: Resumed | None) -> float:
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    module = TASKS[cfg.task](
        config=plain(cfg[cfg.task]),
        loss=chosen(cfg, "loss"),
        optimizer=chosen(cfg, "optimizer"),
        scheduler=chosen(cfg, "scheduler"),
    )
    started_from = _initialise(cfg, module) if resumed is None else resumed.run.get("started_from")
    data = data_of(plain(cfg.data), module.config)
    data.handover = handover_of(
        cfg.trainer.accelerator, cfg.trainer.half_images, cfg.trainer.augment_on_device
    )
    if resumed is not None:
        data.recorded = resumed.recorded_split()
    data.check_split()  # before any scan is prepared for it
    data.prepare_data()
    data.setup("fit")  # faults in the data show here, before a trainer or a logger exists
    if resumed is not None:
        resumed.refuse_other_subjects(data.split)
        data.beginning = resumed.position
        _say(f"going on with {cfg.resume}: {resumed.position}")
    way = computing_of(cfg, module, data, None if resumed is None else resumed.run.get("computed", {}))
    module.layout = way.layout
    module.provenance = record(cfg) | {
        "facts": data.facts,
        "split": split_hash(data.split),
        "versions": {"python": platform.python_version(), **versions_of(TRAINING)},
        "commit": git_commit(),
        "started_from": started_from,
        "computed": {"threads": torch.get_num_threads(), **asdict(way)},
    }
    if cfg.paths.run is not None:
        _prepare_folder(Path(cfg.paths.run), data)
    return _run(cfg, module, data, lightning_name(way.precision))


def _initialise(cfg: DictConfig, module: TaskModule) -> dict[str, Any] | None:
    """Give a fresh run its first weights; the record of the run that they are of, if of one."""
    if cfg.start_from is None:
        module.initialise()
        return None
    if getattr(module.config, "pretrained", False):
        raise ConfigError(
            f"pretrained=true and start_from={cfg.start_from} both give the first weights; drop one"
        )
    run, otherwise, left_out = begin_with(module, cfg.start_from)
    without = f", without {', '.join(left_out)}" if left_out else ""
    said = f", trained with {', '.join(otherwise)}" if otherwise else ""
    _say(f"starting from {cfg.start_from}{without}{said}")
    return run


def _run(cfg: DictConfig, module: TaskModule, data: pl.LightningDataModule, precision: str) -> float:
    callbacks = {name: made for name, node in plain(cfg.callbacks).items() if (made := instantiate(node))}
    settings = {**_trainer_settings(cfg), "precision": precision}
    with opened_loggers(cfg, module, data) as loggers:
        _introduce(module, data, settings, in_words(cfg))
        pruning = [] if (made := pruning_of(cfg)) is None else [made]
        accepted = LambdaCallback(on_train_start=lambda *_: keep_command_line(cfg))
        ours = [accepted, Compiled(cfg.trainer.compile)]
        trainer = instantiate(
            settings,
            callbacks=[*callbacks.values(), *ours, *pruning, *_noted(cfg, callbacks.get("best"))],
            logger=loggers,
            plugins=[CheckpointFiles()],
        )
        trainer.fit(module, data, ckpt_path=cfg.resume, weights_only=True)
        best, last = callbacks.get("best"), callbacks.get("last")  # null where a user wants none
        chosen_best = best.best_model_path if best else ""
        paths = [chosen_best, last.path if last else ""]
        _fit_to_validation(trainer, module, data, [Path(path) for path in paths if Path(path).is_file()])
        is_pruned = any(one.pruned for one in pruning)
        if cfg.test and chosen_best and not is_pruned:
            _score(trainer, module, data, chosen_best)
        keep_models(loggers, module, data, {Path(path).stem: Path(path) for path in paths if path})
    value = float("nan") if best is None or best.best_model_score is None else float(best.best_model_score)
    if is_pruned:
        raise Pruned(value)
    return value


def _noted(cfg: DictConfig, best: Any) -> list[pl.Callback]:
    """For the job of a sweep, what notes each epoch that is done, with the best value so far."""
    if cfg.paths.run is None or not is_job(Path(cfg.paths.run)):
        return []

    @rank_zero_only
    def note(trainer: pl.Trainer, *_: Any) -> None:
        score = None if best is None else best.best_model_score
        note_epoch(Path(cfg.paths.run), trainer.current_epoch + 1, None if score is None else float(score))

    return [LambdaCallback(on_train_epoch_end=note)]


@rank_zero_only
def _fit_to_validation(
    trainer: pl.Trainer, module: TaskModule, data: pl.LightningDataModule, checkpoints: Iterable[Path]
) -> None:
    """Let each checkpoint learn from the validation part what it takes to predict well with it."""
    if type(module).fit_to_validation is Model.fit_to_validation:
        return  # nothing to find
    for path in checkpoints:
        model = load_model(path, trainer.strategy.root_device)
        batches = data.val_dataloader()
        # Not trainer.num_val_batches, which is 0 where a run goes on that had no epoch left to train.
        limit = trainer.limit_val_batches
        n = limit if isinstance(limit, int) else int(len(batches) * limit)
        if fitted := model.fit_to_validation(islice(batches, n)):
            store_fitted(path, fitted)


def _score(trainer: pl.Trainer, module: TaskModule, data: Any, checkpoint: str) -> None:
    """The best checkpoint's scores on the test part, or on the validation part where there is no other."""
    if data.split.test:
        trainer.test(module, data, ckpt_path=checkpoint, weights_only=True)
    else:
        _say("no test part (data.test_share is 0): the scores below are of the validation part")
        trainer.validate(module, data, ckpt_path=checkpoint, weights_only=True)
    best = os.path.relpath(checkpoint)
    given = shlex.quote(f"{module.task}={best}")
    _say(f"best checkpoint: {best}", f"predict with it: python predict.py input=PATH {given}")


def _trainer_settings(cfg: DictConfig) -> dict[str, Any]:
    settings: dict[str, Any] = plain(cfg.trainer)
    for name in ("checkpoint_minutes", "early_stopping", "compile", "threads"):
        del settings[name]  # of callbacks, and of the cores
    for name in ("half_images", "augment_on_device"):
        del settings[name]  # of the data
    return settings


def _quieten() -> None:
    """Leave out what Lightning and torch say that no user can act on."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # A run goes on in its own folder, and within an epoch too: our loaders and callbacks see to both.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch")
    # Scoring a checkpoint needs no weights but the averaged ones, which are where it looks for weights.
    warnings.filterwarnings("ignore", message=".*WeightAveraging callback, but loading a checkpoint outside")
    # Where Slurm is installed, a training is no mistake that is none of its jobs.
    warnings.filterwarnings("ignore", message="The `srun` command is available")
    warnings.filterwarnings("ignore", message=".*is smaller than the logging interval")
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.* is deprecated")
    warnings.filterwarnings("ignore", message=".*does not have many workers which may be a bottleneck")


def _introduce(module: TaskModule, data: Any, settings: dict[str, Any], cores: str) -> None:
    millions = sum(parameter.numel() for parameter in module.net.parameters()) / 1e6
    device = f"{settings['accelerator']}, {settings['precision']}; {cores}"
    sizes = ", ".join(f"{len(ids)} {part}" for part, ids in data.split.as_dict().items())
    _say(f"{module.task}: {millions:.2f} million parameters ({device}); {sizes}")


@rank_zero_only
def _prepare_folder(run: Path, data: Any) -> None:
    """Remove what a killed process left half-written in the folder, and write which subject is where."""
    for folder in (run, *(path for path in run.glob("*") if path.is_dir())):
        sweep_files(folder)
    with writing(run / SPLIT) as temporary:
        temporary.write_text(json.dumps(data.split.as_dict(), indent=1) + "\n")
