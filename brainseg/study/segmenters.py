"""`brainseg report segmentation`: trained segmenters on scans that were kept from them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from brainseg.config.choices import PROTOCOLS, Crop
from brainseg.files.atomic import writing
from brainseg.images.volume import Volume, to_ras
from brainseg.metrics import score_case
from brainseg.prediction.scans import Scans, brain_if_stripped
from brainseg.prediction.stages import segment
from brainseg.preprocess.volumes import report_box
from brainseg.reporting.curves import Curves, read_curves
from brainseg.study.segmenters_page import SegmenterScores, summary_of, write_segment_page
from brainseg.study.trained_runs import WINDOW, VolumeRun, named_apart, open_runs
from brainseg.tasks import Ensemble
from brainseg.tasks.preview import Preview
from brainseg.tasks.volumes import preview_of

ADVICE = "score it with python predict.py input=DIR segmenter=CHECKPOINT and brainseg evaluate DIR RESULTS"


@dataclass(frozen=True)
class SegmentSummary:
    """What is said on the command line."""

    lines: tuple[str, ...]
    page: Path


def write_segment_report(
    folders: Sequence[Path], output: Path | None, checkpoint: str, device: str = "auto"
) -> SegmentSummary:
    """Score the runs and write segmentation.html, .md and .json.

    Args:
        folders: Runs, or sweeps of them, of folds for instance.
        output: Where the files go; None: <first folder>/report.
        checkpoint: "best" or "last".
        device: As predict.py has it.

    Raises:
        UserError: There is no such run, or its data is gone. Where only some have no checkpoint that can be
            used, the report is of the others and says which.
    """
    runs, missing = open_runs(folders, "segmenter", checkpoint, device, ADVICE)
    scored = [_scored(run, name, checkpoint) for run, name in zip(runs, named_apart(runs), strict=True)]
    folder = folders[0] / "report" if output is None else output
    about = _which_scans(runs, checkpoint)
    page = write_segment_page(folder, scored, about, folds=_are_folds(runs), missing=missing)
    content = [*(_plain(one) for one in scored), *({"missing": one} for one in missing)]
    with writing(folder / "segmentation.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return SegmentSummary((*(_line(one) for one in scored), *missing), page)


def _are_folds(runs: Sequence[VolumeRun]) -> bool:
    ids = [case.id for run in runs for case in run.cases]
    return len(runs) > 1 and len(ids) == len(set(ids))


def _which_scans(runs: Sequence[VolumeRun], checkpoint: str) -> str:
    n, roots = sum(len(run.cases) for run in runs), sorted({str(run.data.root) for run in runs})
    part = {"test": "test part", "val": "validation part"}[runs[0].part]
    chosen = ", which also chose the best epoch" if (runs[0].part, checkpoint) == ("val", "best") else ""
    return f"{n} scans of {', '.join(roots)}: each run's {part}{chosen}. Predicted as predict.py does."


def _scored(run: VolumeRun, name: str, checkpoint: str) -> SegmenterScores:
    scores: dict[str, dict[str, dict[str, float]]] = {protocol: {} for protocol in PROTOCOLS}
    cut_off: dict[str, float] = {}
    pictures: dict[str, Preview] = {}
    for case, scans, truth, guess in _predicted(run, name):
        for protocol in PROTOCOLS:
            scores[protocol][case], _ = score_case(truth, guess, scans.grid.spacing_mm, protocol)
        if run.model.config.preprocess.crop is Crop.report:
            cut_off[case] = _share_beyond_crop(truth, scans)
        dice = scores["brats-legacy"][case]["dice/whole_tumor"]
        pictures[case] = _picture(f"{case}, Dice {dice:.3f}", scans, truth, guess)
    order = sorted(pictures, key=lambda case: -scores["brats-legacy"][case]["dice/whole_tumor"])
    shown = list(dict.fromkeys([order[0], order[len(order) // 2], order[-1]]))
    return SegmenterScores(
        name,
        _settings(run, checkpoint),
        scores,
        run.model.fitted,
        cut_off,
        _curves(run.folder),
        (run.model.config.monitor, str(run.model.config.monitor_mode)),
        [pictures[case] for case in shown],
    )


def _predicted(
    run: VolumeRun, name: str
) -> Iterator[tuple[str, Scans, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Each case with its true and its predicted classes, on the scan's own grid."""
    model = Ensemble({str(run.folder): run.model})
    modalities = list(run.model.config.preprocess.modalities)
    for case in track(run.cases, name, transient=True):
        image, truth = run.data.read(case)
        channels = zip(modalities, image.data, strict=True)
        scans = Scans({m: Volume(data[None], image.grid) for m, data in channels}, modalities[0], [])
        brain = brain_if_stripped(scans.images[scans.reference])
        yield case.id, scans, truth.data[0], segment(scans, brain, model, WINDOW).classes


def _share_beyond_crop(truth: NDArray[np.uint8], scans: Scans) -> float:
    """Share of the tumour's voxels that the report's crop leaves out; 0 without a tumour."""
    ras = to_ras(Volume(truth[None], scans.grid))
    whole = np.count_nonzero(ras.data)
    return 1 - np.count_nonzero(ras.data[0][report_box(ras.grid)]) / whole if whole else 0.0


def _picture(caption: str, scans: Scans, truth: NDArray[np.uint8], guess: NDArray[np.uint8]) -> Preview:
    name = "flair" if "flair" in scans.images else scans.reference
    stacked = np.concatenate([scans.images[name].data, truth[None], guess[None]]).astype(np.float32)
    image, true, found = torch.from_numpy(np.ascontiguousarray(to_ras(Volume(stacked, scans.grid)).data))
    shown = preview_of(image[None], true.to(torch.uint8), found.to(torch.uint8))
    return Preview(shown.image, f"{caption}: {name}, {shown.caption}", shown.truth, shown.guess)


def _curves(folder: Path) -> Curves:
    path = folder / "metrics.csv"
    return read_curves(path) if path.is_file() else {}


def _settings(run: VolumeRun, checkpoint: str) -> dict[str, str]:
    recipe = run.model.config
    return {
        "network": str(recipe.net),
        "channels": " ".join(map(str, recipe.channels)),
        "parameters": f"{sum(p.numel() for p in run.model.net.parameters()):,}",
        "sequences": " ".join(recipe.preprocess.modalities),
        "output": str(recipe.output),
        "loss": str(recipe.loss),
        "optimizer, schedule": f"{recipe.optimizer}, {recipe.scheduler}",
        "epochs": str(run.config["trainer"]["max_epochs"]),
        "patches of each scan an epoch": str(recipe.patches_per_volume),
        "patch, voxels": " ".join(map(str, recipe.patch)),
        "batch size": str(recipe.batch_size),
        "voxels, mm": " ".join(f"{s:g}" for s in recipe.preprocess.spacing_mm or []) or "the scan's own",
        "scans to learn from": str(len(run.data.split.train)),
        "checkpoint": checkpoint,
    }


def _plain(one: SegmenterScores) -> dict[str, Any]:
    return {
        "name": one.name,
        "settings": dict(one.settings),
        "scores": {protocol: dict(cases) for protocol, cases in one.scores.items()},
        "cut_off": dict(one.cut_off),
    }


def _line(one: SegmenterScores) -> str:
    said = []
    for short, region in (("ET", "enhancing_tumor"), ("TC", "tumor_core"), ("WT", "whole_tumor")):
        summary = summary_of(one, "brats-legacy", f"dice/{region}")
        said.append(f"{short} {summary.mean:.3f} (median {summary.median:.3f})")
    return f"{one.name}: Dice {', '.join(said)}"
