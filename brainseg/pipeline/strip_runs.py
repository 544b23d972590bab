"""`brainseg report skullstrip`: trained strippers on heads that were kept from them, scored in two ways."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.progress import track

from brainseg.checkpoint import load_model
from brainseg.config import UserError, as_section
from brainseg.config.schema import Blend, SkullStripperConfig, WindowConfig
from brainseg.data import NFBSVolumes, PhantomData
from brainseg.data.volumes import Case
from brainseg.device import best_device
from brainseg.images.atomic import writing
from brainseg.images.volume import Volume, to_ras
from brainseg.metrics import brain_scores, soft_dice, soft_iou
from brainseg.pipeline.evaluation import SCORES, median_interval
from brainseg.pipeline.scans import Scans
from brainseg.pipeline.stages import Otsu, sequences_of, strip
from brainseg.reporting.strip_page import (
    OTSU_NAME,
    OtsuCase,
    PatchScores,
    StripperScores,
    write_strip_page,
)
from brainseg.tasks import SkullStripper

WINDOW = WindowConfig(overlap=0.5, blend=Blend.gaussian, batch_size=2)  # as conf/predict.yaml has it


@dataclass(frozen=True)
class StripRun:
    """A run of model=skullstripper, with its heads."""

    folder: Path
    config: DictConfig
    model: SkullStripper
    data: NFBSVolumes
    part: str  # test, or val where there is no test part
    cases: list[Case]


@dataclass(frozen=True)
class StripSummary:
    """What is said on the command line."""

    lines: tuple[str, ...]
    page: Path


def write_strip_report(
    folders: Sequence[Path], output: Path | None, checkpoint: str, patches: int, device: str = "auto"
) -> StripSummary:
    """Score the runs and write skullstrip.html, .md and .json.

    Args:
        folders: Runs, or sweeps of them.
        output: Where the files go; None: <first folder>/report.
        checkpoint: "best" or "last".
        patches: Random ones of each head, for the report's way of scoring.
        device: As predict.py has it.

    Raises:
        UserError: There is no such run, its data is gone, or the runs were judged by different heads.
    """
    runs = [_opened(found, checkpoint, device) for folder in folders for found in _runs_below(folder)]
    _refuse_different_heads(runs)
    names = _names(runs)
    scored = [_scored(run, name, checkpoint, patches) for run, name in zip(runs, names, strict=True)]
    otsu, figure_1 = _baseline(runs[0])
    folder = folders[0] / "report" if output is None else output
    page = write_strip_page(folder, scored, otsu, figure_1, _which_heads(runs[0], checkpoint))
    with writing(folder / "skullstrip.json") as temporary:
        temporary.write_text(json.dumps([asdict(one) for one in (*scored, otsu)], indent=1) + "\n")
    return StripSummary(tuple(_line(one) for one in (*scored, otsu)), page)


def _runs_below(folder: Path) -> list[Path]:
    """The folders of the strippers' runs at or below one."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give runs of model=skullstripper, or a sweep of them")
    found = sorted(path.parent.parent for path in folder.glob("**/.hydra/config.yaml"))
    strippers = [path for path in found if _config(path).get("task") == "skullstripper"]
    if not strippers:
        raise UserError(f"{folder}: no run of model=skullstripper there, or its .hydra folder is gone")
    return strippers


def _config(folder: Path) -> DictConfig:
    path = folder / ".hydra" / "config.yaml"
    try:
        config = OmegaConf.load(path)
    except (OSError, ValueError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path}: cannot be read ({type(error).__name__})") from error
    if not isinstance(config, DictConfig):
        raise UserError(f"{path}: is no config of a run")
    return config


def _opened(folder: Path, checkpoint: str, device: str) -> StripRun:
    config = _config(folder)
    model = load_model(
        folder / "checkpoints" / f"{checkpoint}.ckpt", best_device(device), task="skullstripper"
    )
    assert isinstance(model, SkullStripper)
    section = OmegaConf.to_container(config.skullstripper, resolve=True)
    assert isinstance(section, dict)
    config.skullstripper = as_section(
        SkullStripperConfig, {str(key): value for key, value in section.items()}
    )
    data = instantiate(config.data, _convert_="object")
    if isinstance(data, PhantomData):
        data.write()
        data = data.inner
    if not isinstance(data, NFBSVolumes):
        raise UserError(
            f"{folder}: learnt from {type(data).__name__}, which keeps no scans; score it on real ones with "
            "python predict.py input=DIR skullstripper=CHECKPOINT and brainseg evaluate DIR RESULTS"
        )
    data.setup("fit")
    part = "test" if data.split.test else "val"
    _refuse_other_split(folder, data, part)
    ids = set(getattr(data.split, part))
    return StripRun(folder, config, model, data, part, [case for case in data.cases() if case.id in ids])


def _refuse_other_split(folder: Path, data: NFBSVolumes, part: str) -> None:
    """Heads that have come or gone since the training move others to another part."""
    path = folder / "split.json"
    if not path.is_file():
        raise UserError(f"{path} is not there, so which heads the run has not seen is not known")
    if sorted(json.loads(path.read_text())[part]) != sorted(getattr(data.split, part)):
        raise UserError(f"{path} names other {part} heads than {data.root} has now; restore that folder")


def _refuse_different_heads(runs: Sequence[StripRun]) -> None:
    def heads(run: StripRun) -> tuple[Path, list[str]]:
        return run.data.root.resolve(), sorted(case.id for case in run.cases)

    for run in runs[1:]:
        if heads(run) != heads(runs[0]):
            raise UserError(
                f"{run.folder} and {runs[0].folder} were judged by different heads, so their scores cannot "
                "stand side by side; report each alone"
            )


def _names(runs: Sequence[StripRun]) -> list[str]:
    names = [str(run.config.name) for run in runs]
    return [
        name if names.count(name) == 1 else f"{name} ({run.folder.name})"
        for run, name in zip(runs, names, strict=True)
    ]


def _which_heads(run: StripRun, checkpoint: str) -> str:
    part = {"test": "test part", "val": "validation part"}[run.part]
    chosen = ", which chose the best epoch" if (run.part, checkpoint) == ("val", "best") else ""
    return f"{len(run.cases)} heads of {run.data.root}: the {part}{chosen}."


def _scored(run: StripRun, name: str, checkpoint: str, patches: int) -> StripperScores:
    heads = {
        head: brain_scores(truth, strip(scans, run.model, WINDOW).mask, scans.grid.spacing_mm)
        for head, scans, truth in _heads(run, f"{name}: heads")
    }
    recipe = run.model.config
    network = str(recipe.net)
    return StripperScores(
        name,
        {
            "network": network,
            "channels": " ".join(map(str, recipe.channels)),
            "parameters": f"{sum(p.numel() for p in run.model.net.parameters()):,}",
            "loss": str(recipe.loss),
            "schedule": str(recipe.scheduler),
            "epochs": str(run.config.trainer.max_epochs),
            "patches of each head an epoch": str(recipe.patches_per_volume),
            "batch size": str(recipe.batch_size),
            "voxels, mm": " ".join(f"{s:g}" for s in recipe.preprocess.spacing_mm or []) or "the scan's own",
            "heads to learn from": str(len(run.data.split.train)),
            "checkpoint": checkpoint,
        },
        heads,
        _medians(heads),
        _on_patches(run, patches, f"{name}: patches"),
        (network, bool(recipe.optional_skip)) if network.startswith("residual_unet3d") else None,
    )


def _heads(run: StripRun, about: str) -> Iterator[tuple[str, Scans, NDArray[np.bool_]]]:
    """Each head with its true mask, on the scan's own grid."""
    sequence = next(iter(sequences_of(run.model)), "t1")
    for case in track(run.cases, about, transient=True):
        image, truth = run.data.read(case)
        yield case.id, Scans({sequence: image}, sequence, []), truth.data[0] > 0


def _medians(heads: dict[str, dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    return {name: median_interval([scores[name] for scores in heads.values()]) for name in SCORES}


@torch.no_grad()
def _on_patches(run: StripRun, patches: int, about: str) -> PatchScores:
    """As the original validates: half of the training's batch size, patches drawn evenly, heads in order."""
    batch_size = max(1, run.model.config.batch_size // 2)
    scores: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]
    scores = {"mse": torch.nn.functional.mse_loss, "dice": soft_dice, "iou": soft_iou}
    values: dict[str, list[float]] = {name: [] for name in scores}
    shares = []
    drawn = list(_random_patches(run, patches))
    batches = [drawn[first : first + batch_size] for first in range(0, len(drawn), batch_size)]
    for batch in track(batches, about, transient=True):
        image, truth = (
            torch.from_numpy(np.stack(part)) for part in zip(*(cut() for cut in batch), strict=True)
        )
        guess, truth = run.model(image.float().to(run.model.device)).float().cpu().sigmoid(), truth.float()
        for name, score in scores.items():
            values[name].append(float(score(truth, guess[:, 0])))
        shares.append(float(truth.mean()))
    return PatchScores(
        {name: float(np.mean(found)) for name, found in values.items()},
        len(batches), batch_size, patches, float(np.mean(shares)), shares.count(0.0),
    )  # fmt: skip


def _random_patches(run: StripRun, patches: int) -> Iterator[Any]:
    """A function for each patch that cuts it: memory holds a batch of them. Every start is as likely."""
    rng = np.random.default_rng(0)
    size = run.model.config.patch
    for case in run.cases:
        arrays = run.data.arrays[case.id]
        wide = [(0, max(p - n, 0)) for p, n in zip(size, arrays["truth"].shape, strict=True)]
        image, truth = np.pad(arrays["image"], [(0, 0), *wide]), np.pad(arrays["truth"], wide)
        for _ in range(patches):
            start = [int(rng.integers(n - p + 1)) for p, n in zip(size, truth.shape, strict=True)]
            box = tuple(slice(first, first + p) for first, p in zip(start, size, strict=True))
            yield lambda image=image, truth=truth, box=box: (image[(slice(None), *box)], truth[box])


def _baseline(run: StripRun) -> tuple[StripperScores, list[OtsuCase]]:
    """Otsu's threshold on the same heads, and its best and its worst head."""
    cases = []
    heads = {}
    for head, scans, truth in _heads(run, OTSU_NAME):
        guess = strip(scans, Otsu(), WINDOW).mask
        heads[head] = brain_scores(truth, guess, scans.grid.spacing_mm)
        in_ras = to_ras(Volume(np.stack([scans.images[scans.reference].data[0], truth, guess]), scans.grid))
        image, true_mask, mask = in_ras.data
        cases.append(OtsuCase(head, heads[head]["dice"], image, true_mask > 0, mask > 0, in_ras.grid))
        cases = [
            max(cases, key=lambda c: c.dice),
            *([min(cases, key=lambda c: c.dice)] if len(cases) > 1 else []),
        ]
    return StripperScores(OTSU_NAME, {}, heads, _medians(heads)), cases


def _line(one: StripperScores) -> str:
    median, low, high = one.medians["dice"]
    said = f"{one.name}: Dice of whole heads {median:.4f} ({low:.4f} to {high:.4f})"
    if one.patches is None:
        return said
    means = one.patches.means
    return (
        f"{said}; the report's way: MSE {means['mse']:.6f}, Dice {means['dice']:.4f}, IoU {means['iou']:.4f}"
    )
