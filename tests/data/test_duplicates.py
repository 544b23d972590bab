"""Copies planted among slices are found, whatever was done to them, and nothing else is."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from brainseg.config import TUMOR_TYPES
from brainseg.data import duplicates
from brainseg.data.alignment import turn
from brainseg.data.cache import ArrayCache
from brainseg.data.duplicates import Copy, cached_copies, clusters, find_copies, in_words
from brainseg.phantom import write_cohort

BILINEAR = Image.Resampling.BILINEAR
QUARTERS = [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270]


def saved_anew(image, rng):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(25, 91)))
    return Image.open(file).convert("L")


def resized(image, rng):
    side = int(rng.integers(110, 450))
    return image.resize((side, round(side * image.height / image.width)), BILINEAR)


def other_brightness(image, rng):
    grey = np.asarray(image) * rng.uniform(0.7, 1.3) + rng.uniform(-25, 25)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def mirrored(image, rng):
    return rng.choice([ImageOps.mirror, ImageOps.flip])(image)


def a_quarter(image, rng):
    return image.transpose(QUARTERS[rng.integers(3)])


def a_little_turned(image, rng):
    return image.rotate(rng.uniform(-15, 15), BILINEAR, expand=bool(rng.integers(2)))


def other_margin(image, rng):
    """More black around it, or up to 6 % less of each side."""
    left, top, right, bottom = (round(rng.uniform(-0.06, 0.25) * image.width) for _ in range(4))
    wider = image.crop((-left, -top, image.width + right, image.height + bottom))
    return wider.resize(image.size, BILINEAR)


CHANGES = [saved_anew, resized, other_brightness, mirrored, a_quarter, a_little_turned, other_margin]


def all_at_once(image, rng):
    for change in CHANGES:
        image = change(image, rng) if rng.random() < 0.6 else image
    return image


def plant(originals, folder, n, seed=0):
    """N copies of each change, each of another slice; the paths, and (original's place, change) of each."""
    rng = np.random.default_rng(seed)
    jobs = [change for change in [*CHANGES, all_at_once] for _ in range(n)]
    paths, planted = [], []
    for place, change in zip(rng.permutation(len(originals))[: len(jobs)], jobs, strict=True):
        copy = change(Image.open(originals[place]).convert("L"), rng)
        paths.append(folder / f"{len(paths):04d}_{change.__name__}.jpg")
        copy.save(paths[-1], quality=int(rng.integers(60, 96)))
        planted.append((int(place), change.__name__))
    return paths, planted


def recall_and_precision(originals, folder, n):
    """Of the pairs with a planted copy, over all changes; and the changes that were missed."""
    own = clusters(len(originals), find_copies(originals))
    alone = [path for path, size in zip(originals, np.bincount(own)[own], strict=True) if size == 1]
    copies, planted = plant(alone, folder, n)
    expected = {(place, len(alone) + k): change for k, (place, change) in enumerate(planted)}
    found = {(copy.first, copy.second) for copy in find_copies([*alone, *copies])}
    missed = sorted(change for pair, change in expected.items() if pair not in found)
    return 1 - len(missed) / len(expected), len(found & set(expected)) / len(found), missed


def test_planted_copies_of_phantom_slices(tmp_path):
    root = tmp_path / "kaggle"
    write_cohort(root, layout="kaggle", subjects=30, seed=5, spacing_mm=3.0, slices_per_subject=6)
    recall, precision, missed = recall_and_precision(sorted(root.rglob("*.jpg")), tmp_path, n=16)
    assert recall >= 0.99, missed
    assert precision >= 0.99


def test_planted_copies_of_real_slices(real_data, tmp_path):
    """Without notumor: its slices are copied and sharpened so much that the truth about them is unknown."""
    rng = np.random.default_rng(0)
    files = [
        path
        for kind in TUMOR_TYPES
        if kind != "notumor"
        for path in rng.choice(
            sorted((real_data / "kaggle" / "Training" / kind).iterdir()), 80, replace=False
        )
    ]
    recall, precision, missed = recall_and_precision(sorted(files), tmp_path, n=20)
    assert recall >= 0.99, missed
    assert precision >= 0.99


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (np.eye(3), "saved anew"),
        (np.diag([-1, 1, 1]), "mirrored"),
        (np.diag([1, -1, 1]), "mirrored top to bottom"),
        (turn(90), "rotated by 90 degrees clockwise"),
        (turn(-7), "rotated by 7 degrees anticlockwise"),
        (turn(10) @ np.diag([-1, 1, 1]) * 0.8, "mirrored, rotated by 10 degrees clockwise, scaled to 80 %"),
    ],
)
def test_a_change_in_words(change, words):
    """Places are (x, y), y down."""
    assert in_words(change) == words


def test_copies_are_sought_once_for_the_same_files(tmp_path, monkeypatch):
    grey = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        Image.fromarray(grey).save(path)
    cache = ArrayCache(tmp_path / "cache")
    expected = [Copy(0, 1, "file", "the same", 1.0)]
    assert cached_copies(paths, cache) == expected
    monkeypatch.setattr(duplicates, "find_copies", None)
    assert cached_copies(paths, cache) == expected
    Image.fromarray(255 - grey).save(paths[1])
    with pytest.raises(TypeError):
        cached_copies(paths, cache)
