"""What an outline says about itself, and every verdict beside every place of a tumour."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from brainseg.config.gates import ContradictionsConfig
from brainseg.gates import Level, atlas, tumor
from brainseg.gates.contradictions import Evidence, contradictions
from brainseg.gates.judge import judge_tumor
from brainseg.gates.tumor import TumorShape, shape_of_tumor
from brainseg.images.masks import box_of
from brainseg.images.volume import Grid

LIMITS = ContradictionsConfig(
    tumor_ml=5,
    no_tumor_ml=0.3,
    meningioma_depth_mm=12,
    pituitary_sella_mm=30,
    glioma_sella_mm=10,
    heat_in_tumor=0.02,
    heat_in_brain=0.3,
)


@pytest.fixture(scope="module")
def brain() -> np.ndarray:
    return np.pad(atlas.atlas().brain, 8)


def ball(shape, centre, radius):
    axes = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) <= radius**2


def grid_of(array, step_mm):
    return Grid(array.shape, np.diag([step_mm] * 3 + [1.0]))


def outlined(brain, place):
    """The shape of an outline of 4 voxels radius at a place (None: there is none)."""
    classes = np.zeros(brain.shape, np.uint8)
    if place is not None:
        classes[ball(brain.shape, place, 3) & (brain | (np.indices(brain.shape)[2] < 20))] = 3
    return shape_of_tumor(classes, (classes > 0) * np.float32(0.95), brain, grid_of(brain, 4.0))


@pytest.fixture(scope="module")
def places(brain):
    middle = np.array(np.argwhere(brain).mean(axis=0))
    white = np.argwhere(np.pad(atlas.atlas().tissues[atlas.WHITE], 8))
    deep = white[np.abs(white - (middle + np.array([7, 2, 4]))).sum(axis=1).argmin()]
    top = np.argwhere(brain[int(middle[0]) + 4, int(middle[1])])[-1][0]
    sella = (atlas.atlas().sella + 8 * 4) / 4
    return {
        "none": None,
        "deep": deep,
        "surface": [int(middle[0]) + 4, int(middle[1]), top - 2],
        "sella": sella,
    }


TABLE = {
    ("notumor", "none"): [],
    ("notumor", "deep"): ["tumor_without_verdict"],
    ("notumor", "surface"): ["tumor_without_verdict"],
    ("notumor", "sella"): ["tumor_without_verdict"],
    ("glioma", "none"): ["verdict_without_tumor"],
    ("glioma", "deep"): [],
    ("glioma", "surface"): [],
    ("glioma", "sella"): ["glioma_in_sella"],
    ("meningioma", "none"): ["verdict_without_tumor"],
    ("meningioma", "deep"): ["deep_meningioma"],
    ("meningioma", "surface"): [],
    ("meningioma", "sella"): [],
    ("pituitary", "none"): ["verdict_without_tumor"],
    ("pituitary", "deep"): ["pituitary_elsewhere"],
    ("pituitary", "surface"): ["pituitary_elsewhere"],
    ("pituitary", "sella"): [],
}


@pytest.mark.parametrize(("verdict", "place"), TABLE)
def test_every_verdict_beside_every_place(brain, places, verdict, place):
    found = contradictions(Evidence(verdict, outlined(brain, places[place])), LIMITS)
    assert [one.gate for one in found] == TABLE[verdict, place]
    assert all(one.level is Level.review for one in found)
    assert all("(limit: at " in one.sentence for one in found)
    assert all(one.sentence.endswith("one of the two may be wrong. Look at the scan.") for one in found)


def test_a_contradiction_names_both_results_the_value_and_the_limit():
    shape = TumorShape(20.0, depth_mm=15.4, sella_mm=60)
    (found,) = contradictions(Evidence("meningioma", shape), LIMITS)
    assert found.sentence == (
        "The classifier says meningioma, which grows on the surface of the brain, but the outlined tumour "
        "lies 15 mm below the surface (limit: at most 12): one of the two may be wrong. Look at the scan."
    )
    (found,) = contradictions(Evidence("glioma", shape, heat_in_tumor=0.0123), LIMITS)
    assert found.sentence == (
        "1.23% of the classifier's Grad-CAM lies in the outlined tumour (limit: at least 2%): it may have "
        "judged by something else. Look at its slice."
    )


@pytest.mark.parametrize(
    ("tumor", "brain_share", "found"),
    [
        (0.01, 0.9, ["heat_outside_tumor"]),
        (0.5, 0.2, ["heat_outside_brain"]),
        (0.5, 0.9, []),
        (None, None, []),
    ],
)
def test_a_classifier_that_looks_elsewhere_is_named(tumor, brain_share, found):
    shape = TumorShape(20.0, depth_mm=1, sella_mm=60)
    evidence = Evidence("glioma", shape, tumor, brain_share)
    assert [one.gate for one in contradictions(evidence, LIMITS)] == found
    assert contradictions(replace(evidence, verdict="notumor", tumor=TumorShape(0.0)), LIMITS) == []


def test_stages_that_said_nothing_do_not_contradict():
    assert contradictions(Evidence(), LIMITS) == []
    assert contradictions(Evidence(tumor=TumorShape(90.0)), LIMITS) == []


def test_an_outline_is_measured_in_ml_pieces_and_mm():
    brain = np.zeros((30, 30, 30), bool)
    brain[5:25, 5:25, 5:25] = True
    classes = np.zeros(brain.shape, np.uint8)
    classes[13:17, 13:17, 13:17] = 3  # 64 voxels, eight from the faces
    classes[23:27, 13:17, 13:17] = 2  # oedema, half of it outside
    shape = shape_of_tumor(
        classes, np.where(classes > 0, 0.9, 0).astype(np.float32), brain, grid_of(brain, 2.0)
    )
    assert shape.ml == pytest.approx(128 * 0.008)
    assert shape.pieces == 2
    border = 1.5 / np.cbrt(8 * 128 * 3 / (4 * np.pi))  # 1 mm along half of the surface of a ball
    assert shape.outside == pytest.approx(32 / 128 - border)
    assert shape.depth_mm == pytest.approx(2 * 9)  # from the core's nearest voxel to the first one outside
    assert shape.unsure == 0
    half = shape_of_tumor(classes, np.full(brain.shape, 0.5, np.float32), None, grid_of(brain, 2.0))
    assert half.unsure == pytest.approx(27000 / 128)
    assert (
        shape_of_tumor(
            np.zeros_like(classes), half.unsure * np.ones(brain.shape), brain, grid_of(brain, 2.0)
        ).ml
        == 0
    )


def test_a_cavity_explains_a_type_without_a_tumour():
    removed = Evidence("glioma", TumorShape(0.0, cavity_ml=8.0))
    assert contradictions(removed, LIMITS) == []
    assert contradictions(replace(removed, tumor=TumorShape(0.0)), LIMITS)[0].gate == "verdict_without_tumor"


@pytest.mark.parametrize("seed", range(6))
def test_the_depth_is_that_of_a_distance_transform(seed):
    rng = np.random.default_rng(seed)
    spacing = (1.0, 1.3, 2.1)
    brain = ndimage.gaussian_filter(rng.random((30, 28, 26)), 4) > 0.49
    core = (ndimage.gaussian_filter(rng.random(brain.shape), 2) > 0.52) & (brain if seed % 2 else True)
    expected = ndimage.distance_transform_edt(np.pad(brain, 1), sampling=spacing)[1:-1, 1:-1, 1:-1][
        core
    ].min()
    around = box_of(core)
    found = tumor._depth_mm(core[around], around, brain, spacing)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("radius_mm", "lost_mm", "said"), [(7, 3, False), (7, 6, True), (23, 3, False), (23, 10, True)]
)
def test_a_border_that_is_hardly_off_is_no_reason_to_look(limits_of_all, radius_mm, lost_mm, said):
    """Tumours of 14 mm and of 46 mm on the edge of a mask, in voxels of 2 mm."""
    axes = np.meshgrid(*(np.arange(40) * 2.0 - 39,) * 3, indexing="ij")
    tumor = sum(a**2 for a in axes) < radius_mm**2
    brain = axes[2] > -radius_mm + lost_mm
    grid = Grid(tumor.shape, np.diag([2.0, 2.0, 2.0, 1]))
    shape = shape_of_tumor(tumor.astype(np.uint8), tumor.astype(np.float32), brain, grid)
    found = [one.gate for one in judge_tumor(shape, limits_of_all) if one.level]
    assert ("tumor_outside" in found) == said
