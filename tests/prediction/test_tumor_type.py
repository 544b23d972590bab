"""How the slices of a volume vote, and what is remembered of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from brainseg.config import TUMOR_TYPES
from brainseg.config.choices import Normalise, SliceCrop
from brainseg.config.training import SlicePreprocess
from brainseg.images.masks import with_margin
from brainseg.images.volume import Grid, Volume
from brainseg.prediction.classify import classify, with_tumor
from brainseg.prediction.scans import Scans

SIDE = 32
GRID = Grid((SIDE, SIDE, SIDE), np.diag([2.0, 2.0, 2.0, 1.0]))
PREPROCESS = SlicePreprocess(SIDE, SliceCrop.none, Normalise.head, stripped=False)


@pytest.fixture
def scans() -> Scans:
    """A head of 24 voxels a side, smooth, with a bright spot at its right, upper front."""
    image = np.zeros((1, SIDE, SIDE, SIDE), np.float32)
    image[0, 4:28, 4:28, 4:28] = 100
    image[0, 20:24, 20:24, 20:24] = 200
    return Scans({"t1": Volume(image, GRID)}, "t1")


def classifier(answer, *, stripped=False, margin_mm=0.0):
    """A stand-in that gives `answer(slices)` as probabilities (B, 4), without a map of features."""
    preprocess = SlicePreprocess(SIDE, SliceCrop.none, Normalise.head, stripped)
    config = SimpleNamespace(preprocess=preprocess, margin_mm=margin_mm, classes=TUMOR_TYPES)
    net = SimpleNamespace(map_stage=lambda size: None)
    return SimpleNamespace(config=config, probabilities=answer, net=net, device=torch.device("cpu"))


def vote(**changes):
    usual = {
        "sequence": "t1",
        "offsets_mm": [0, 10],
        "healthy_at": 0.95,
        "denoise_from": None,
        "denoise_mm": 1.0,
    }
    return SimpleNamespace(**usual | changes)


def sees_the_spot(slices):
    """Glioma where the slice is bright anywhere, else healthy."""
    bright = (slices.flatten(1).max(1).values > 150).numpy()
    return np.where(bright[:, None], [0.9, 0.05, 0.0, 0.05], [0.0, 0.0, 1.0, 0.0])


def as_bytes(image):
    """Voxels as they are: uint8 slices are not scaled by their own range."""
    return image.astype(np.uint8)


@pytest.fixture(autouse=True)
def _slices_keep_their_brightness(monkeypatch):
    from brainseg.prediction import classify as tumor_type

    real = tumor_type.prepare_slice
    monkeypatch.setattr(tumor_type, "prepare_slice", lambda image, settings: real(as_bytes(image), settings))


def test_planes_vote_alone_and_together(scans):
    found = classify(scans, None, classifier(sees_the_spot), vote())
    # The middle is voxel 16; of 16, 21 and 11 in each plane only 21 meets the spot.
    assert [s.voxel for s in found.slices] == [16, 21, 11] * 3
    assert found.probabilities["glioma"] == pytest.approx(0.9 / 3, abs=1e-4)
    assert found.verdict == "glioma"  # healthy in 2 of 3 slices is far from 0.95
    assert {plane: said.verdict for plane, said in found.planes.items()} == {
        "sagittal": "glioma", "coronal": "glioma", "axial": "glioma",
    }  # fmt: skip
    assert found.agreement == 1


def test_a_plane_that_says_otherwise_lowers_the_agreement(scans):
    scans.images["t1"].data[0, 20:24, 20:24, 20:24] = 100
    scans.images["t1"].data[0, 4:28, 4:28, 26:28] = 200  # the top, which no axial slice meets
    found = classify(scans, None, classifier(sees_the_spot), vote())
    assert found.planes["axial"].verdict == "notumor"
    assert found.agreement == pytest.approx(2 / 3)


def test_the_loudest_slice_is_that_of_the_highest_probability_of_the_verdict(scans):
    found = classify(scans, None, classifier(sees_the_spot), vote())
    loudest = found.slices[found.loudest.number]
    assert (loudest.voxel, loudest.probabilities["glioma"]) == (21, 0.9)
    assert found.loudest.heat is None  # the stand-in has no map of features
    assert found.loudest.heat_in_tumor is None


def test_the_segmented_tumor_lies_where_the_slice_shows_it(scans):
    found = classify(scans, None, classifier(sees_the_spot), vote())
    labels = (scans.images["t1"].data[0] == 200).astype(np.uint8)
    tumor = with_tumor(found, labels, GRID).loudest.tumor
    np.testing.assert_array_equal(tumor > 0, found.loudest.image == 200)
    assert (tumor > 0).sum() == 16


@pytest.mark.parametrize(("noise", "filtered"), [(0.02, False), (0.3, True)])
def test_a_scan_is_filtered_where_its_noise_asks_for_it(scans, noise, filtered):
    head = scans.images["t1"].data > 0
    rng = np.random.default_rng(0)
    scans.images["t1"].data[head] += rng.normal(0, 100 * noise, head.sum()).astype(np.float32)
    seen = []

    def remember(slices):
        seen.append(slices)
        return np.tile([0.0, 0.0, 1.0, 0.0], (len(slices), 1))

    found = classify(scans, None, classifier(remember), vote(denoise_from=0.1, denoise_mm=3.0))
    assert found.noise == pytest.approx(noise, rel=0.15)
    assert found.filtered is filtered
    inside = seen[0][0, 10:14, 10:14].float()
    assert bool(inside.std() < 50 * noise) is filtered  # half of what was added


@pytest.mark.parametrize("margin_mm", [0.0, 5.0])
def test_the_classifier_is_shown_the_brain_and_its_margin(scans, margin_mm):
    brain = np.zeros(GRID.shape, bool)
    brain[12:18, 14:18, 16] = True
    grown = with_margin(brain, margin_mm, GRID.spacing_mm)
    cut_out = Scans({"t1": Volume(scans.images["t1"].data * grown, GRID)}, "t1")
    shown = slices_shown(scans, brain, margin_mm)
    torch.testing.assert_close(shown, slices_shown(cut_out, grown, 0.0))


def slices_shown(scans, brain, margin_mm):
    shown = []

    def remember(slices):
        shown.append(slices)
        return np.full((len(slices), 4), 0.25)

    model = classifier(remember, stripped=True, margin_mm=margin_mm)
    classify(scans, brain, model, vote(offsets_mm=[0]))
    return shown[0]


@pytest.mark.parametrize(
    ("healthy_at", "said"),
    [
        (0.95, "mean of 9 slices: glioma 0.30, notumor 0.67 (notumor needs 0.95)"),
        (0.60, "mean of 9 slices: notumor 0.67"),
    ],
)
def test_a_verdict_is_said_with_the_means_that_explain_it(scans, healthy_at, said):
    found = classify(scans, None, classifier(sees_the_spot), vote(healthy_at=healthy_at))
    assert found.reason == said
