"""start_from=MODEL on a command line: its network, its preparation and its sequences come along."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brainseg.config import ConfigError, plain
from brainseg.config.beside import composed, parsed, written
from brainseg.config.choices import REGION_LOSSES
from brainseg.runs.config import BEST
from brainseg.runs.models import refuse_no_checkpoint
from brainseg.system.terminal import say

# What belongs to the network without being seen in the shapes of its weights, and what it sees.
_ALONG = (
    *("dropout", "drop_path", "batch_norm_eps", "batch_norm_momentum"),
    *("margin_mm", "patch", "subset_share"),
)


def arguments_with_start(arguments: Sequence[str]) -> list[str]:
    """The command line of a run that starts from a model, with what comes along from it in front.

    What is given on the command line goes over it. Said is what comes along otherwise than the run would have
    it without the model. A sweep over several models is left as it is.

    Raises:
        CheckpointError: There is no such model, or it cannot be used.
        ConfigError: It is of another task than the one that is named.
    """
    given = {one.key_or_group: one for one in parsed(arguments)}
    start = given.get("start_from")
    if start is None or start.is_sweep_override() or not isinstance(start.value(), str) or "resume" in given:
        return list(arguments)
    path = Path(str(start.value()))
    file = path / BEST if path.is_dir() and (path / BEST).is_file() else path
    refuse_no_checkpoint(file)
    from brainseg.checkpoint import load_model  # loads torch, so only once the file is known to be there

    model = load_model(file)
    others = [str(one.input_line) for one in given.values() if not _is_left_out(one)]
    own = [] if {"model", "experiment"} & given.keys() else [f"model={model.task}"]
    try:
        cfg = composed([*own, *others])
    except (HydraException, OmegaConfBaseException):
        return [*own, *arguments]  # Hydra says what is wrong
    theirs = plain(OmegaConf.structured(model.config))
    if (cfg.task, model.task) == ("volume_classifier", "segmenter"):
        theirs = _of_encoder(theirs)
    elif cfg.task != model.task:
        raise ConfigError(
            f"start_from={path} is a {model.task}, but model={cfg.task} is trained; set model={model.task}"
        )
    coming = _along(theirs, cfg)
    along = {key: one for key, one in coming.items() if key not in given and _at(cfg, key) != one}
    if along:
        said = ", ".join(f"{key.partition('.')[2]}={_short(value)}" for key, value in along.items())
        say(f"start_from={path} brings along {said}")
    moved = [] if file == path else [f"start_from={written(str(file))}"]
    rest = [one for one in arguments if not (moved and one.startswith("start_from="))]
    return [*own, *(f"{key}={written(value)}" for key, value in along.items()), *rest, *moved]


def _of_encoder(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What a classifier of volumes takes from a segmenter whose way down it begins with."""
    names = ("channels", "margin_mm", "subset_share", "preprocess")
    return {"net": "unet_encoder", **{name: theirs[name] for name in names}}


def _along(theirs: Mapping[str, Any], cfg: DictConfig) -> dict[str, Any]:
    """The keys that come along, with the model's values."""
    from brainseg.checkpoint import NETWORK

    task = cfg.task
    found = {f"{task}.{name}": theirs[name] for name in (*NETWORK, *_ALONG) if name in theirs}
    found |= {f"{task}.preprocess.{name}": value for name, value in theirs["preprocess"].items()}
    if "pretrained" in theirs:
        found |= {f"{task}.pretrained": False, f"{task}.weights": None}  # these are the first weights
    if "output" in theirs and (theirs["output"] == "regions") != (
        str(cfg[task].loss) in map(str, REGION_LOSSES)
    ):
        found[f"{task}.loss"] = theirs["loss"]
    return found


def _is_left_out(override: Any) -> bool:
    return override.is_sweep_override() or override.key_or_group.startswith("hydra")


def _at(cfg: DictConfig, key: str) -> Any:
    try:
        value = OmegaConf.select(cfg, key)
    except OmegaConfBaseException:  # it refers to what is known to a running job only
        return None
    return plain(value) if OmegaConf.is_config(value) else getattr(value, "name", value)


def _short(value: Any) -> str:
    said = written(value).replace("'", "")
    return said if len(said) <= 60 else f"{said[:57]}..."
