"""Phantoms of all contrasts look like what they are or like nothing sure, and never like another sequence."""

from dataclasses import replace

import numpy as np
import pytest

from brainseg.gates.content import Contrast, brighter, contrast_of
from brainseg.gates.placing import BRAIN, place_in_head, template
from brainseg.images.layouts import find_subjects
from brainseg.images.source import read
from brainseg.images.volume import Grid, Volume
from brainseg.phantom.cohort import write_cohort
from brainseg.prediction.scans import brain_if_stripped

CLEAR = Contrast(fit=0.9, csf=0.65, gray=0.8, darkest=0.4, brightest=1.0, slope=0.4)


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """A whole head's four sequences."""
    folder = tmp_path_factory.mktemp("content")
    write_cohort(folder, layout="bids", subjects=1, seed=5, spacing_mm=3.0, types=["notumor"])
    (subject,) = find_subjects(folder)
    return {name: read(source) for name, source in subject.images.items()}


@pytest.fixture(scope="module")
def brains(tmp_path_factory):
    """Four sequences of a brain alone."""
    folder = tmp_path_factory.mktemp("stripped")
    write_cohort(folder, layout="brats", subjects=1, seed=9, spacing_mm=3.0, types=["glioma"])
    (subject,) = find_subjects(folder)
    return {name: read(source) for name, source in subject.images.items()}


def looks(volume):
    return contrast_of(volume, brain_if_stripped(volume)).looks_like


def test_heads_look_like_what_they_are(heads):
    assert {name: looks(volume) for name, volume in heads.items()} == {
        "t1": "t1",
        "t1ce": "t1",
        "t2": "t2",
        "flair": "flair",
    }


def test_brains_alone_are_right_or_unsure(brains):
    found = {name: looks(volume) for name, volume in brains.items()}
    assert found["t1"] == found["t1ce"] == "t1"
    assert found["t2"] in ("t2", None)
    assert found["flair"] in ("flair", None)


def test_the_one_with_contrast_agent_is_the_brighter(heads, brains):
    for some in (heads, brains):
        one, other = some["t1ce"], some["t1"]
        assert brighter(one, other, brain_if_stripped(one)) is True
        assert brighter(other, one, brain_if_stripped(other)) is False
        assert brighter(one, one, brain_if_stripped(one)) is None


def test_two_heads_are_not_compared(heads, brains):
    assert brighter(heads["t1ce"], heads["t2"], None) is None
    apart = np.diag([3.0, 3, 3, 1])
    apart[:3, 3] = 900
    moved = Volume(heads["t1"].data, Grid(heads["t1"].grid.shape, apart))
    assert brighter(heads["t1ce"], moved, None) is None


def test_noise_looks_like_nothing():
    noise = np.random.default_rng(0).random((1, 50, 60, 50)).astype(np.float32)
    found = contrast_of(Volume(noise, Grid((50, 60, 50), np.diag([4.0, 4, 4, 1]))), None)
    assert found.looks_like is None
    assert found.in_words


@pytest.mark.parametrize("shape", [(20, 20, 1), (2, 2, 2), (30, 28, 26)])
@pytest.mark.parametrize("kind", ["negative", "dots", "ramp", "half"])
def test_no_image_stops_the_others(kind, shape):
    ramp = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    image = {
        "negative": -ramp - 1,
        "dots": np.where(ramp % 7 == 0, ramp, 0),
        "ramp": ramp,
        "half": np.where(ramp > ramp.mean(), ramp, 0),
    }[kind].astype(np.float32)
    volume = Volume(image[None], Grid(shape, np.diag([4.0, 4, 4, 1])))
    for brain in (None, image > image.mean()):
        found = contrast_of(volume, brain)
        assert np.isfinite([found.fit, found.csf, found.slope]).all()
        assert brighter(volume, volume, brain) is None


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        ({}, "t1"),
        ({"slope": 0.1}, None),
        ({"slope": 0.25, "gray": 0.9, "darkest": 0.3}, None),  # an old FLAIR
        ({"slope": 0.25, "gray": 0.9, "darkest": 0.6}, "t1"),
        ({"slope": 0.0, "gray": 1.05}, "flair"),
        ({"slope": 0.0, "gray": 1.05, "csf": 1.0}, None),
        ({"slope": -0.3, "gray": 1.3, "csf": 2.0, "darkest": 1.0, "brightest": 2.5}, "t2"),
        ({"slope": -0.3, "gray": 1.3, "csf": 1.1, "darkest": 1.0, "brightest": 1.4}, None),  # proton density
        ({"fit": 0.6}, None),
    ],
)
def test_what_lies_between_two_sequences_is_neither(other, wanted):
    assert replace(CLEAR, **other).looks_like == wanted


def test_the_template_fills_the_brain_of_a_head(heads):
    volume = heads["t1"]
    image = np.ascontiguousarray(volume.data[0][:, :, :], dtype=np.float32)
    assert volume.grid.orientation == "RAS"
    placed = place_in_head(image, volume.grid.spacing_mm)
    litres = len(template().points[BRAIN]) * 0.004**3 * 1000 * abs(np.linalg.det(placed.turn))
    assert 0.9 < litres < 1.9
    assert placed.fit > 0.75


@pytest.mark.data
def test_real_scans_look_like_what_they_are(real_data):
    for folder in sorted((real_data / "open_ms").glob("patient*")):
        for subject in find_subjects(folder):
            for name, source in subject.images.items():
                assert looks(read(source)) == name
