"""Skull strippers on heads that they were not trained on: scores of patches and of whole heads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.config import UserError
from brainseg.config.defaults import default_window
from brainseg.evaluation.brains import SCORES, median_interval
from brainseg.images.volume import Grid, Volume, to_ras
from brainseg.inference import Windows
from brainseg.metrics import brain_scores, soft_dice, soft_iou
from brainseg.prediction.scans import Scans
from brainseg.prediction.strip import NetworkStripper, OtsuStripper, strip
from brainseg.study.held_out import VolumeRun
from brainseg.system.terminal import followed

OTSU_NAME = "Otsu's threshold"
Median = tuple[float, float, float]  # followed by the ends of its interval of 95 %


@dataclass(frozen=True)
class PatchScores:
    """How the student report scores: the sigmoid on random patches, as a mean over their batches."""

    means: Mapping[str, float]  # mse, dice and iou
    batches: int
    batch_size: int
    patches_per_head: int
    brain_share: float  # of the patches' voxels
    empty: int  # batches without a voxel of brain


@dataclass(frozen=True)
class StripperScores:
    """The scores of a skull stripper on heads that it was not trained on."""

    name: str
    settings: Mapping[str, str]
    heads: Mapping[str, Mapping[str, float]]  # head -> score -> value
    medians: Mapping[str, Median]
    patches: PatchScores | None = None  # Otsu's threshold has none
    network: tuple[str, bool] | None = (
        None  # followed by its optional_skip; for networks of the student report
    )


@dataclass(frozen=True)
class OtsuCase:
    """A head and the brain mask that Otsu's threshold gives it: arrays (X, Y, Z) in RAS."""

    name: str
    dice: float
    image: NDArray[np.float32]
    truth: NDArray[np.bool_]
    guess: NDArray[np.bool_]
    grid: Grid


def refuse_different_heads(runs: Sequence[VolumeRun]) -> None:
    """Refuse runs whose scores cannot be compared.

    Raises:
        UserError: Two runs are scored on different heads.
    """

    def heads(run: VolumeRun) -> tuple[Path, list[str]]:
        return run.data.root.resolve(), sorted(case.id for case in run.cases)

    for run in runs[1:]:
        if heads(run) != heads(runs[0]):
            raise UserError(
                f"{run.folder} and {runs[0].folder} are scored on different heads, so their scores cannot be "
                "compared; make a page for each run alone"
            )


def stripper_scores(run: VolumeRun, *, name: str, checkpoint: str, patches: int) -> StripperScores:
    """Score the model of a run on its heads.

    Args:
        run: A run of the skull stripper.
        name: What the page calls it.
        checkpoint: "best" or "last".
        patches: Random ones of each head.
    """
    windows, stripper = Windows.of(default_window()), NetworkStripper(run.model)
    heads = {
        head: brain_scores(truth, strip(scans, stripper, windows).mask, scans.grid.spacing_mm)
        for head, scans, truth in _heads(run, f"{name}: heads")
    }
    recipe = run.model.config
    network = str(recipe.net)
    return StripperScores(
        name,
        _settings(run, checkpoint),
        heads,
        _medians(heads),
        _on_patches(run, f"{name}: patches", patches=patches),
        (network, bool(recipe.optional_skip)) if network.startswith("residual_unet3d") else None,
    )


def _settings(run: VolumeRun, checkpoint: str) -> dict[str, str]:
    recipe = run.model.config
    return {
        "network": str(recipe.net),
        "channels": " ".join(map(str, recipe.channels)),
        "parameters": f"{sum(p.numel() for p in run.model.net.parameters()):,}",
        "loss": str(recipe.loss),
        "schedule": str(recipe.scheduler),
        "epochs": str(run.config["trainer"]["max_epochs"]),
        "patches of each head an epoch": str(recipe.patches_per_volume),
        "batch size": str(recipe.batch_size),
        "voxels, mm": " ".join(f"{s:g}" for s in recipe.preprocess.spacing_mm or []) or "the scan's own",
        "heads to learn from": str(len(run.data.split.train)),
        "checkpoint": checkpoint,
    }


def _heads(run: VolumeRun, about: str) -> Iterator[tuple[str, Scans, NDArray[np.bool_]]]:
    """Each head as a scan with its true mask, on the scan's own grid."""
    sequence = NetworkStripper(run.model).sequence or "t1"
    for case in followed(run.cases, about):
        image, truth = run.data.read(case)
        yield case.id, Scans({sequence: image}, sequence), truth.data[0] > 0


def _medians(heads: dict[str, dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    return {name: median_interval([scores[name] for scores in heads.values()]) for name in SCORES}


@torch.no_grad()
def _on_patches(run: VolumeRun, about: str, *, patches: int) -> PatchScores:
    """The scores as the student report's code computes them.

    A batch has half of the training's batch size; patches start anywhere with equal chance, heads in order.
    """
    batch_size = max(1, run.model.config.batch_size // 2)
    scores: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]
    scores = {"mse": torch.nn.functional.mse_loss, "dice": soft_dice, "iou": soft_iou}
    values: dict[str, list[float]] = {name: [] for name in scores}
    shares = []
    drawn = list(_random_patches(run, patches))
    batches = [drawn[first : first + batch_size] for first in range(0, len(drawn), batch_size)]
    for batch in followed(batches, about):
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


def _random_patches(run: VolumeRun, patches: int) -> Iterator[Any]:
    """For each patch a function that cuts it, so that memory holds one batch. Any start is equally likely."""
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


def otsu_scores(run: VolumeRun) -> tuple[StripperScores, list[OtsuCase]]:
    """The scores of Otsu's threshold on a run's heads, with the best and the worst head for figure 1."""
    cases = []
    heads = {}
    for head, scans, truth in _heads(run, OTSU_NAME):
        guess = strip(scans, OtsuStripper(), Windows.of(default_window())).mask
        heads[head] = brain_scores(truth, guess, scans.grid.spacing_mm)
        in_ras = to_ras(Volume(np.stack([scans.images[scans.reference].data[0], truth, guess]), scans.grid))
        image, true_mask, mask = in_ras.data
        cases.append(OtsuCase(head, heads[head]["dice"], image, true_mask > 0, mask > 0, in_ras.grid))
        cases = [
            max(cases, key=lambda c: c.dice),
            *([min(cases, key=lambda c: c.dice)] if len(cases) > 1 else []),
        ]
    return StripperScores(OTSU_NAME, {}, heads, _medians(heads)), cases
