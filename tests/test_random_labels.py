"""Labels that mean nothing: what a split lets through, a network that learns by heart will show."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from brainseg.config import TUMOR_TYPES
from brainseg.reporting.curves import read_curves
from brainseg.training.train import train

ORIGINALS, EPOCHS = 120, 20
CHANGES = ("flip", "rotate_degrees", "scale", "shift", "contrast", "brightness", "noise")


@pytest.fixture(scope="module")
def copied_slices(tmp_path_factory):
    """Blobs in a disc, each saved twice, as they are and darker and compressed; a class drawn for each."""
    root, rng = tmp_path_factory.mktemp("random"), np.random.default_rng(0)
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    disc = x**2 + (y / 0.8) ** 2 < 0.9
    for i in range(ORIGINALS):
        blobs = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 4)
        grey = np.where(disc, 130 + 45 * blobs / blobs.std(), 0).clip(0, 255)
        folder = root / TUMOR_TYPES[int(rng.integers(4))]
        folder.mkdir(exist_ok=True)
        Image.fromarray(grey.astype(np.uint8)).save(folder / f"{i:03d}.png")
        Image.fromarray((0.8 * grey).astype(np.uint8)).save(folder / f"{i:03d}_copy.jpg", quality=70)
    return root


@pytest.mark.slow
def test_random_labels_give_chance_where_copies_stay_together_and_far_more_where_not(
    composed, copied_slices, tmp_path
):
    def accuracy(split):
        train(
            composed(
                f"data.root={copied_slices}",
                f"data.split={split}",
                "classifier.backbone=test_resnet",
                "classifier.preprocess.size=64",
                "classifier.preprocess.crop=none",
                f"classifier.epochs={EPOCHS}",
                *(f"classifier.augment.{change}=0" for change in CHANGES),
                "menu.optimizer.adamw.lr=5e-3",
                "callbacks.panels=null",
                "test=false",
                "overwrite=true",
            )
        )
        last = read_curves(tmp_path / "metrics.csv")["val/accuracy"]  # the best epoch would be chance's own
        return last[EPOCHS - 1]

    # 48 validation slices. Grouped: 24 clusters, 0.25 with a standard deviation of 0.09. Random: the copy
    # of most was trained on.
    assert accuracy("grouped") < 0.45
    assert accuracy("random") > 0.6
