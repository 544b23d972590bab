"""Copies planted among slices are found, whatever was done to them, and slices of the same head are not taken."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from brainseg.data import duplicates
from brainseg.data.alignment import head_frame, in_frame
from brainseg.data.cache import ArrayCache
from brainseg.data.duplicates import Copy, cached_copies, clusters, find_copies, in_words
from brainseg.phantom import write_cohort

QUARTERS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


def brighter(image, factor, offset):
    return Image.fromarray(np.clip(np.asarray(image) * factor + offset, 0, 255).astype(np.uint8))


def framed(image, margin):
    return ImageOps.expand(image, margin).resize(image.size, Image.Resampling.BILINEAR)


def everything(image):
    turned = ImageOps.mirror(image).transpose(QUARTERS[0]).rotate(-8, Image.Resampling.BILINEAR)
    return brighter(framed(turned, 12), 0.8, 15).resize((120, 120), Image.Resampling.BILINEAR)


CHANGES = {
    "saved anew": lambda image: image,
    "resized": lambda image: image.resize((140, 140), Image.Resampling.BILINEAR),
    "brighter": lambda image: brighter(image, 1.2, 15),
    "darker": lambda image: brighter(image, 0.75, -10),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "a quarter": lambda image: image.transpose(QUARTERS[2]),
    "half a turn": lambda image: image.transpose(QUARTERS[1]),
    "turned by 7": lambda image: image.rotate(7, Image.Resampling.BILINEAR),
    "turned by -14": lambda image: image.rotate(-14, Image.Resampling.BILINEAR, expand=True),
    "more margin": lambda image: framed(image, 20),
    "all at once": everything,
}


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Slices of eight phantoms, some of them next to each other in one head."""
    root = tmp_path_factory.mktemp("heads") / "kaggle"
    write_cohort(root, layout="kaggle", subjects=8, seed=5, spacing_mm=3.0, slices_per_subject=6)
    return sorted(root.rglob("*.jpg"))


@pytest.fixture(scope="module")
def planted(heads, tmp_path_factory):
    """All slices, and behind them four copies of each change of slices that have no copy otherwise.

    Returns the paths, the place of each copy's original, and each copy's change.
    """
    folder = tmp_path_factory.mktemp("copies")
    lonely = np.flatnonzero(np.bincount(clusters(len(heads), find_copies(heads)))[
        clusters(len(heads), find_copies(heads))
    ] == 1)
    chosen = np.random.default_rng(0).choice(lonely, 4 * len(CHANGES), replace=len(lonely) < 4 * len(CHANGES))
    paths, changes = list(heads), [name for name in CHANGES for _ in range(4)]
    for k, (place, change) in enumerate(zip(chosen, changes, strict=True)):
        paths.append(folder / f"{k:02d}.jpg")
        CHANGES[change](Image.open(heads[place]).convert("L")).save(paths[-1], quality=85)
    return paths, chosen.tolist(), changes
