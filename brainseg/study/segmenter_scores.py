"""Segmenters on scans that they were not trained on: scores by three protocols, and pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.config.choices import PROTOCOLS, Crop
from brainseg.config.defaults import default_window
from brainseg.images.labels import REGIONS, is_tumor
from brainseg.images.volume import Volume, to_ras
from brainseg.inference import Windows
from brainseg.metrics import score_case
from brainseg.metrics.summary import Summary, summarised
from brainseg.prediction.scans import Scans, brain_if_stripped
from brainseg.prediction.segment import segment
from brainseg.preprocess.volumes import report_box
from brainseg.reporting.curves import Curves, read_curves
from brainseg.study.held_out import VolumeRun
from brainseg.system.terminal import followed
from brainseg.tasks.preview import Preview
from brainseg.tasks.volumes import preview_of
from brainseg.trained import Ensemble

Scores = Mapping[str, Mapping[str, float]]  # case -> score ("dice/whole_tumor") -> value


@dataclass(frozen=True)
class SegmenterScores:
    """The scores of a segmenter on scans that it was not trained on."""

    name: str
    settings: Mapping[str, str]
    scores: Mapping[str, Scores]  # by protocol
    fitted: Mapping[str, Any]  # on its validation part, see `trained.validation`
    cut_off: Mapping[str, float] = field(
        default_factory=dict
    )  # case -> share of its tumour beyond the fixed crop
    curves: Curves = field(default_factory=dict)
    monitor: tuple[str, Any] = ("val/dice/mean", "max")
    pictures: Sequence[Preview] = ()

    @property
    def regions(self) -> list[str]:
        """The regions that were scored, which are those that the model tells."""
        first = next(iter(self.scores["brats-legacy"].values()), {})
        return [region for region in REGIONS if f"dice/{region}" in first]


def summary_of(run: SegmenterScores, protocol: str, score: str) -> Summary:
    """A score of a run, such as "dice/whole_tumor", over its cases."""
    return summarised([case[score] for case in run.scores[protocol].values()])


def segmenter_scores(run: VolumeRun, *, name: str, checkpoint: str) -> SegmenterScores:
    """Score the model of a run on its scans.

    Args:
        run: A run of the segmenter.
        name: What the page calls it.
        checkpoint: "best" or "last".
    """
    scores: dict[str, dict[str, dict[str, float]]] = {protocol: {} for protocol in PROTOCOLS}
    cut_off: dict[str, float] = {}
    pictures: dict[str, Preview] = {}
    regions = list(run.model.region_members)
    for case, scans, truth, guess in _predicted(run, name):
        for protocol in PROTOCOLS:
            scores[protocol][case], _ = score_case(truth, guess, scans.grid.spacing_mm, protocol, regions)
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
    """For each case its name, its scans, and its true and predicted classes, on the scan's own grid."""
    model, windows = Ensemble({str(run.folder): run.model}), Windows.of(default_window())
    modalities = list(run.model.config.preprocess.modalities)
    for case in followed(run.cases, name):
        image, truth = run.data.read(case)
        channels = zip(modalities, image.data, strict=True)
        scans = Scans({m: Volume(data[None], image.grid) for m, data in channels}, modalities[0])
        brain = brain_if_stripped(scans.images[scans.reference])
        yield case.id, scans, truth.data[0], segment(scans, brain, model, windows).classes


def _share_beyond_crop(truth: NDArray[np.uint8], scans: Scans) -> float:
    """The share of the tumour's voxels that the student report's crop cuts off; 0 without a tumour."""
    ras = to_ras(Volume(truth[None], scans.grid))
    tumor = is_tumor(ras.data[0])
    whole = np.count_nonzero(tumor)
    return 1 - np.count_nonzero(tumor[report_box(ras.grid)]) / whole if whole else 0.0


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
