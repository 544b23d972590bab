"""How well the heat of a classifier of whole brains finds the tumour, by kind of Grad-CAM.

python benchmarks/volume_heat.py CHECKPOINT FOLDER

FOLDER holds stripped scans with true tumours in any layout. For each scan whose likeliest class is a tumour,
and which has one, the heat's mean in the true tumour is compared with its mean in the brain, and it is noted
whether its highest place lies within 10 mm of the tumour.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from brainseg.checkpoint import load_model
from brainseg.config.choices import Align
from brainseg.images.labels import is_tumor
from brainseg.images.layouts import find_subjects
from brainseg.images.nifti import read_labels
from brainseg.inference import HEALTHY, grad_cam
from brainseg.prediction.classify_volume import MAPS
from brainseg.prediction.scans import brain_if_stripped, read_scans
from brainseg.prediction.shown import shown_of, usable_sequences
from brainseg.preprocess.cubes import corner_of, out_of_cube

NEAR_MM = 10.0


def main(checkpoint: str, folder: str) -> None:
    model = load_model(checkpoint, "cpu", task="volume_classifier")
    found = defaultdict(list)
    for subject in find_subjects(Path(folder)):
        scans = read_scans(subject, None, Align.resample)
        brain = brain_if_stripped(scans.images[scans.reference])
        if brain is None or subject.truth is None:
            continue
        tumor = is_tumor(read_labels(subject.truth).data[0].astype(np.uint8))
        there = usable_sequences(model, scans.images, subject.id, "volume_classifier")
        shown = shown_of(scans, brain, model, there)
        image = torch.from_numpy(shown.image)
        kind = int(model.probabilities(image, there).argmax())
        if model.config.classes[kind] == HEALTHY or not (tumor & brain).any():
            continue
        away_mm = ndimage.distance_transform_edt(~tumor, scans.grid.spacing_mm)
        for by_place in (False, True):
            cube = grad_cam(model, MAPS, model.seen(image, there), kind, by_place=by_place)
            heat = out_of_cube(cube, corner_of(image, model.config.side), image.shape[1:])
            heat = shown.prepared.undo(heat[None], nearest=False)[0] * brain
            mean = float(heat[brain].mean())
            times = float(heat[tumor & brain].mean()) / mean if mean > 0 else 0.0
            found[by_place].append((times, away_mm.ravel()[heat.argmax()] <= NEAR_MM))
    for by_place, rows in found.items():
        times, near = np.array(rows).T
        least, tenth, median = np.percentile(times, (0, 10, 50))
        name = "by place " if by_place else "by means "
        below = ", ".join(f"below {limit:g} {np.mean(times < limit):.0%}" for limit in (0.5, 1))
        print(
            f"{name} n {len(times)}: least {least:.2f}, 10 % {tenth:.2f}, median {median:.2f}, {below}; "
            f"highest within {NEAR_MM:.0f} mm {near.mean():.0%}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
