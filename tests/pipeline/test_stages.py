"""What a network is shown of a scan, and where its answer counts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from brainseg.config.schema import Crop, Intensity, VolumePreprocess
from brainseg.images.volume import Grid, Volume
from brainseg.pipeline.scans import Scans
from brainseg.pipeline.stages import segment

WINDOW = SimpleNamespace(overlap=0.5, blend="gaussian", batch_size=1)
GRID = Grid((16, 16, 16), np.diag([2.0, 2.0, 2.0, 1.0]))


def finds_edema_everywhere(margin_mm: float) -> SimpleNamespace:
    preprocess = VolumePreprocess(["t1"], None, Intensity.zscore_nonzero, Crop.nonzero)
    return SimpleNamespace(
        config=SimpleNamespace(preprocess=preprocess, margin_mm=margin_mm),
        device=torch.device("cpu"),
        logits=lambda image, **_: (
            torch.tensor([0.0, 0.0, 9.0, 0.0]).view(4, 1, 1, 1).expand(4, *image.shape[1:])
        ),
    )


@pytest.fixture
def scans() -> Scans:
    """A head of 12 voxels a side; around it exactly 0, as stripping leaves it."""
    image = np.zeros((1, 16, 16, 16), np.float32)
    image[0, 2:14, 2:14, 2:14] = np.random.default_rng(0).uniform(1, 2, (12, 12, 12))
    return Scans({"t1": Volume(image, GRID)}, "t1", [])


@pytest.mark.parametrize("margin_mm", [0.0, 2.0, 5.0])
def test_the_segmenter_s_answer_counts_as_far_beyond_the_mask_as_it_was_trained(scans, margin_mm):
    brain = np.zeros(GRID.shape, bool)
    brain[6:9, 7:9, 8] = True
    found = segment(scans, brain, finds_edema_everywhere(margin_mm), WINDOW).classes
    places = np.argwhere(np.ones(GRID.shape, bool))
    distance_mm = 2.0 * np.linalg.norm(places[:, None] - np.argwhere(brain)[None], axis=2).min(axis=1)
    np.testing.assert_array_equal(found.ravel() > 0, distance_mm <= margin_mm)


def test_where_the_scan_is_empty_nothing_is_found(scans):
    found = segment(scans, np.ones(GRID.shape, bool), finds_edema_everywhere(8.0), WINDOW).classes
    np.testing.assert_array_equal(found > 0, scans.images["t1"].data[0] > 0)
