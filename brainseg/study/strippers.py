"""`brainseg report skullstrip`: trained strippers on heads that were kept from them, scored in two ways."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from brainseg.config import UserError
from brainseg.config.defaults import default_window
from brainseg.evaluation.brains import SCORES, median_interval
from brainseg.files.atomic import writing
from brainseg.images.volume import Volume, to_ras
from brainseg.inference import Windows
from brainseg.metrics import brain_scores, soft_dice, soft_iou
from brainseg.prediction.scans import Scans
from brainseg.prediction.strip import NetworkStripper, OtsuStripper, strip
from brainseg.study.strippers_page import (
    OTSU_NAME,
    OtsuCase,
    PatchScores,
    StripperScores,
    write_strip_page,
)
from brainseg.study.trained_runs import VolumeRun, named_apart, open_runs

ADVICE = (
    "score it on real ones with python predict.py input=DIR skullstripper=CHECKPOINT and "
    "brainseg evaluate DIR RESULTS"
)


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
        UserError: There is no such run, its data is gone, or the runs were judged by different heads. Where
            only some have no checkpoint that can be used, the report is of the others and says which.
    """
    runs, missing = open_runs(folders, "skullstripper", checkpoint, device, ADVICE)
    _refuse_different_heads(runs)
    names = named_apart(runs)
    scored = [_scored(run, name, checkpoint, patches) for run, name in zip(runs, names, strict=True)]
    otsu, figure_1 = _baseline(runs[0])
    folder = folders[0] / "report" if output is None else output
    page = write_strip_page(folder, scored, otsu, figure_1, _which_heads(runs[0], checkpoint), missing)
    content = [*(asdict(one) for one in (*scored, otsu)), *({"missing": one} for one in missing)]
    with writing(folder / "skullstrip.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return StripSummary((*(_line(one) for one in (*scored, otsu)), *missing), page)


def _refuse_different_heads(runs: Sequence[VolumeRun]) -> None:
    def heads(run: VolumeRun) -> tuple[Path, list[str]]:
        return run.data.root.resolve(), sorted(case.id for case in run.cases)

    for run in runs[1:]:
        if heads(run) != heads(runs[0]):
            raise UserError(
                f"{run.folder} and {runs[0].folder} were judged by different heads, so their scores cannot "
                "stand side by side; report each alone"
            )


def _which_heads(run: VolumeRun, checkpoint: str) -> str:
    part = {"test": "test part", "val": "validation part"}[run.part]
    chosen = ", which chose the best epoch" if (run.part, checkpoint) == ("val", "best") else ""
    return f"{len(run.cases)} heads of {run.data.root}: the {part}{chosen}."


def _scored(run: VolumeRun, name: str, checkpoint: str, patches: int) -> StripperScores:
    windows, stripper = Windows.of(default_window()), NetworkStripper(run.model)
    heads = {
        head: brain_scores(truth, strip(scans, stripper, windows).mask, scans.grid.spacing_mm)
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
            "epochs": str(run.config["trainer"]["max_epochs"]),
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


def _heads(run: VolumeRun, about: str) -> Iterator[tuple[str, Scans, NDArray[np.bool_]]]:
    """Each head with its true mask, on the scan's own grid."""
    sequence = NetworkStripper(run.model).sequence or "t1"
    for case in track(run.cases, about, transient=True):
        image, truth = run.data.read(case)
        yield case.id, Scans({sequence: image}, sequence), truth.data[0] > 0


def _medians(heads: dict[str, dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    return {name: median_interval([scores[name] for scores in heads.values()]) for name in SCORES}


@torch.no_grad()
def _on_patches(run: VolumeRun, patches: int, about: str) -> PatchScores:
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


def _random_patches(run: VolumeRun, patches: int) -> Iterator[Any]:
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


def _baseline(run: VolumeRun) -> tuple[StripperScores, list[OtsuCase]]:
    """Otsu's threshold on the same heads, and its best and its worst head."""
    windows = Windows.of(default_window())
    cases = []
    heads = {}
    for head, scans, truth in _heads(run, OTSU_NAME):
        guess = strip(scans, OtsuStripper(), windows).mask
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
