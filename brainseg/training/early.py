"""What is refused of a training before torch is loaded: names and paths, in a second."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brainseg.config import ConfigError, plain
from brainseg.config.backbones import refuse_unknown_backbone
from brainseg.config.data_sets import DATA_SETS, name_of, names_for
from brainseg.files.there import refuse_no_folder, refuse_no_table, refuse_no_weights
from brainseg.runs.models import refuse_no_checkpoint
from brainseg.training.look import kinds_at


def refuse_early(cfg: DictConfig) -> None:
    """Refuse a checked config that names what is not there; a lack of anything else is found later.

    Raises:
        ConfigError: The backbone is unknown, or the data are of another model.
        DataError: A folder or a table of data is not there.
        CheckpointError: A checkpoint or a file of weights is not there.
    """
    recipe = cfg[cfg.task]
    if cfg.task == "classifier":
        refuse_unknown_backbone(recipe.backbone)
        if recipe.pretrained and recipe.weights is not None:
            refuse_no_weights(recipe.weights)
    for path in filter(None, (cfg.resume, cfg.start_from)):
        refuse_no_checkpoint(path)
    refuse_bad_data(cfg)


def refuse_bad_data(cfg: DictConfig) -> None:
    """Refuse data that are of another model, or that are not at data.root.

    Raises:
        ConfigError: No model of this task learns from such data.
        DataError: There is no such folder or table.
    """
    name = name_of(str(OmegaConf.select(cfg, "data._target_")))
    if name is None:
        return  # said when it is built
    data: dict[str, Any] = plain(cfg.data)
    if cfg.task not in DATA_SETS[name].tasks:
        raise ConfigError(
            f"data={name} has no truth for model={cfg.task}; set model={DATA_SETS[name].tasks[0]}, or "
            f"data={' or data='.join(names_for(cfg.task))}"
        )
    if not DATA_SETS[name].where_from:
        return  # it is made
    refuse_no_folder(str(data.get("root")), DATA_SETS[name].where_from)
    _refuse_other_kind(Path(str(data.get("root"))), name)
    if data.get("groups") is not None:
        refuse_no_table(data["groups"])


def _refuse_other_kind(root: Path, name: str) -> None:
    """Refuse a folder that holds another data set, and nothing that could be of this one."""
    kinds = kinds_at(root)
    if not kinds or name in kinds:
        return
    other = kinds[0]
    task = DATA_SETS[other].tasks[0]
    raise ConfigError(
        f"{root}: holds {DATA_SETS[other].holds}, but data={name} needs {DATA_SETS[name].holds}; set "
        f"model={task} data={other}, or data.root to a folder of these"
    )
