"""Painted tumours as a picture, and their measures beside those of 368 real label maps.

python benchmarks/painted_tumours.py docs/pictures/tumours.png
python benchmarks/painted_tumours.py FILE.png --lgg DIR/kaggle_3m     real heads on the right, for your eyes

Each row is two paintings: T1, T1ce, T2 and FLAIR with the outlines of the whole tumour (blue), the core
(orange) and enhancing tumour (white). Real ones are T1, T1ce and FLAIR of patients of the LGG set, with
skull.
The real measures are those of the training cases of BraTS 2020; the painted ones are of gliomas that are
not of low grade, as nearly all of those are.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.images.labels import EDEMA, ENHANCING_TUMOR, NECROTIC_CORE
from brainseg.images.lgg import read_patient
from brainseg.images.volume import to_ras
from brainseg.phantom.anatomy import anatomy_of
from brainseg.phantom.gliomas import grow_anew
from brainseg.phantom.painted_tumours import paint_tumour
from brainseg.phantom.scanners import Random
from brainseg.phantom.templates import make_template
from brainseg.phantom.tissues import tissues_of

SEQUENCES = ["t1", "t1ce", "t2", "flair"]
# 5, 25, 50, 75 and 95 % of 368 cases
REAL = {
    "whole tumour, ml": (21, 50, 90, 144, 200),
    "oedema, ml": (9, 25, 50, 80, 134),
    "enhancing, ml": (0, 4, 15, 30, 58),
    "core without enhancement, ml": (0.3, 4, 11, 25, 90),
    "enhancing share of the core": (0.00, 0.43, 0.62, 0.78, 0.94),
    "its border that is enhancing": (0.00, 0.49, 0.74, 0.88, 0.96),
}


def measures(labels: NDArray[np.uint8], spacing_mm: float) -> list[float]:
    """Those of `REAL`, in its order; the last is nan where there is no core without enhancement."""
    ml = spacing_mm**3 / 1000
    core, oedema, enhancing = (
        float((labels == value).sum() * ml) for value in (NECROTIC_CORE, EDEMA, ENHANCING_TUMOR)
    )
    dead = labels == NECROTIC_CORE
    border = ndimage.binary_dilation(dead) & ~dead
    rim = float((labels[border] == ENHANCING_TUMOR).mean()) if core > 0.4 else np.nan
    share = enhancing / (core + enhancing) if core + enhancing else np.nan
    return [core + oedema + enhancing, oedema, enhancing, core, share, rim]


def print_measures(n: int, spacing_mm: float) -> None:
    """The quantiles of n gliomas beside the real ones."""
    templates = [make_template(1000 + k, spacing_mm, 0.0) for k in range(4)]
    found = []
    for seed in range(n):
        rng = Random(seed)
        _, glioma = grow_anew(anatomy_of(tissues_of(templates[seed % 4]), rng), rng)
        if glioma.kind in ("ring", "patchy"):
            found.append(measures(glioma.labels.numpy(), spacing_mm))
    print(f"| measure ({len(found)} painted) | painted: 5 % | 25 % | median | 75 % | 95 % | real median |")
    for (name, real), values in zip(REAL.items(), zip(*found, strict=True), strict=True):
        quantiles = " | ".join(f"{q:.3g}" for q in np.nanpercentile(values, (5, 25, 50, 75, 95)))
        print(f"| {name} | {quantiles} | {real[2]} |")


def painted_rows(n: int, seed: int, spacing_mm: float) -> list[tuple[list[NDArray], NDArray]]:
    """The slices of n paintings, and their labels."""
    rows = []
    for k in range(n):
        images, labels = paint_tumour(make_template(seed + k, spacing_mm, 0.0), seed + k, SEQUENCES)
        z = int((labels > 0).sum(axis=(0, 1)).argmax()) if labels.any() else labels.shape[2] // 2
        rows.append(([image[:, :, z] for image in images], labels[:, :, z]))
    return rows


def real_rows(root: Path, n: int) -> list[tuple[list[NDArray], NDArray]]:
    """The same of real patients, whose tumour has no parts."""
    rows = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir())[:n]:
        volume, tumour = read_patient(folder, ["t1", "t1ce", "flair"])
        images = to_ras(volume).data
        (labels,) = to_ras(type(volume)(tumour[None].astype(np.uint8) * EDEMA, volume.grid)).data
        z = int(labels.sum(axis=(0, 1)).argmax())
        rows.append(([image[::2, ::2, z] for image in images], labels[::2, ::2, z]))
    return rows


def draw(rows: list[tuple[list[NDArray], NDArray]], beside: list[tuple[list[NDArray], NDArray]]) -> Figure:
    """A row of pictures for each."""
    height, wide = max(len(rows), 1), 8 + 3 * bool(beside)
    figure = Figure(figsize=(1.3 * wide, 1.5 * ((height + 1) // 2)), facecolor="black", layout="tight")
    half = (height + 1) // 2
    axes = figure.subplots(half, wide, squeeze=False)
    for one in axes.flat:
        one.axis("off")
    for k, (images, labels) in enumerate(rows):
        for column, image in enumerate(images):
            _show(axes[k % half][column + 4 * (k // half)], image, labels)
    for k, (images, labels) in enumerate(beside[:half]):
        for column, image in enumerate(images):
            _show(axes[k][8 + column], image, labels)
    return figure


def _show(axes, image: NDArray, labels: NDArray) -> None:
    top = np.percentile(image[image > 0], 99.5) if (image > 0).any() else 1
    axes.imshow(np.flipud(image.T), cmap="gray", vmin=0, vmax=top)
    for mask, colour in (
        (labels > 0, "deepskyblue"),
        ((labels == NECROTIC_CORE) | (labels == ENHANCING_TUMOR), "orange"),
        (labels == ENHANCING_TUMOR, "white"),
    ):
        if mask.any() and not mask.all():
            axes.contour(np.flipud(mask.T), levels=[0.5], colors=colour, linewidths=0.6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--spacing", type=float, default=2.0, help="mm")
    parser.add_argument("--measured", type=int, default=200, help="gliomas that are measured; 0: none")
    parser.add_argument("--lgg", type=Path, help="folder of the LGG set, drawn beside")
    given = parser.parse_args()
    torch.set_num_threads(1)
    beside = real_rows(given.lgg, (given.rows + 1) // 2) if given.lgg else []
    draw(painted_rows(given.rows, given.seed, given.spacing), beside).savefig(given.picture, dpi=110)
    if given.measured:
        print_measures(given.measured, given.spacing)


if __name__ == "__main__":
    main()
