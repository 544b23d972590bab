import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from brainseg.config import SEQUENCES, TUMOR_TYPES
from brainseg.config.errors import ConfigError, GeometryError
from brainseg.images.volume import Grid, Volume, to_ras
from brainseg.phantom import make_subject
from brainseg.phantom.head import Pose, build_head
from brainseg.phantom.parts import Tissue
from brainseg.phantom.subject import WHOLE_HEAD, _lattice, head_grid
from brainseg.phantom.writers import as_stored, brats_grid

SEEDS = range(5)

# sha256 of labels, brain and the four images as int16, of seed 7 at 4 mm.
GOLDEN = {
    "glioma": "280b397f68bcea51a7d60dc23da88ed3a1db70aa704f2dbaea3071952b927f28",
    "meningioma": "bc025c97d0ab29c474e6f5f0db248f4dd4add9ce2effcb985e0f196c4bd2e291",
    "notumor": "9680731137a3268e5b8565fed3c693e2f15b62db808dee07286387eed9afb0ce",
    "pituitary": "60bbc036bdfb90b18c4e23d7e28c0efcfae5a5d04b1c9ae4802c19160de4850b",
}


def digest(subject) -> str:
    parts = [subject.labels, subject.brain, *(as_stored(subject.images[name]) for name in SEQUENCES)]
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


@pytest.mark.parametrize("tumor_type", TUMOR_TYPES)
def test_a_seed_names_the_very_same_voxels_for_ever(subject, tumor_type):
    assert digest(subject(7, tumor_type)) == GOLDEN[tumor_type]


def test_what_was_made_before_does_not_change_a_subject(subject):
    first = digest(subject(7, "glioma"))
    make_subject(99, tumor_type="pituitary", spacing_mm=6.0, contrast="random")
    assert digest(make_subject(7, tumor_type="glioma", spacing_mm=4.0)) == first


@pytest.mark.slow
def test_another_process_with_other_threads_makes_the_same_voxels(subject):
    code = (
        "import sys; from brainseg.phantom import make_subject; "
        "s = make_subject(7, tumor_type='glioma', spacing_mm=4.0); "
        "sys.stdout.buffer.write(s.labels.tobytes() + b''.join(i.tobytes() for i in s.images.values()))"
    )
    threads = "1" if os.environ.get("OMP_NUM_THREADS") != "1" else "2"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
    ).stdout
    s = subject(7, "glioma")
    assert other == s.labels.tobytes() + b"".join(image.tobytes() for image in s.images.values())


def test_another_seed_is_another_head(subject):
    a, b = subject(0, "notumor").brain, subject(1, "notumor").brain
    assert (a ^ b).sum() > 0.03 * a.sum()


def test_a_sequence_is_the_same_whether_the_others_are_made_or_not(subject):
    alone = make_subject(3, tumor_type="glioma", spacing_mm=4.0, sequences=("t2",))
    assert list(alone.images) == ["t2"]
    np.testing.assert_array_equal(alone.images["t2"], subject(3, "glioma").images["t2"])


def test_the_type_is_drawn_from_all_four_when_not_given():
    drawn = {make_subject(seed, spacing_mm=8.0, sequences=()).tumor_type for seed in range(24)}
    assert drawn == set(TUMOR_TYPES)


@pytest.mark.parametrize("tumor_type", TUMOR_TYPES)
@pytest.mark.parametrize("seed", SEEDS)
def test_arrays_share_the_grid_and_hold_what_they_promise(subject, seed, tumor_type):
    s = subject(seed, tumor_type)
    assert s.brain.shape == s.labels.shape == s.grid.shape == (48, 56, 48)
    assert (s.brain.dtype, s.labels.dtype) == (np.bool_, np.uint8)
    for image in s.images.values():
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0
        assert 150 < np.median(image[s.brain]) < 3000


@pytest.mark.parametrize("seed", range(12))
def test_a_brain_holds_between_1_and_1_8_litres(subject, seed):
    assert 1.0 < subject(seed, "notumor", sequences=()).brain.sum() * 4.0**3 / 1e6 < 1.85


@pytest.mark.parametrize("tumor_type", ["notumor", "pituitary"])
@pytest.mark.parametrize("seed", range(6))
def test_the_sella_belongs_to_the_brain_mask_and_hangs_together_with_it(subject, seed, tumor_type):
    """Else the stages that look at the brain alone never see a pituitary tumour."""
    brain = subject(seed, tumor_type, sequences=()).brain
    assert ndimage.label(brain, np.ones((3, 3, 3)))[1] == 1
    without_sella = build_head(seed, _lattice(head_grid(4.0)), WHOLE_HEAD).tissue == Tissue.BRAIN
    added_ml = (brain & ~without_sella).sum() * 4.0**3 / 1000
    assert 1.0 < added_ml < (4.0 if tumor_type == "notumor" else 20.0)


@pytest.mark.parametrize("spacing_mm", [3.0, 6.0, (2.0, 2.0, 6.0)])
def test_volumes_do_not_depend_on_the_voxel_size(spacing_mm, subject):
    fine = subject(2, "glioma", sequences=())
    other = make_subject(2, tumor_type="glioma", spacing_mm=spacing_mm, sequences=())
    for array in ("brain", "labels"):
        fine_mm3 = (getattr(fine, array) > 0).sum() * np.prod(fine.grid.spacing_mm)
        other_mm3 = (getattr(other, array) > 0).sum() * np.prod(other.grid.spacing_mm)
        assert other_mm3 == pytest.approx(fine_mm3, rel=0.08)


def test_a_head_stored_lps_is_the_head_stored_ras():
    ras = head_grid(6.0)
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = np.array(ras.shape[:2]) - 1
    lps = Grid(ras.shape, ras.affine @ flip)
    a = make_subject(1, tumor_type="glioma", grid=ras, sequences=("t1",))
    b = make_subject(1, tumor_type="glioma", grid=lps, sequences=("t1",))
    assert b.grid.orientation == "LPS"
    np.testing.assert_array_equal(to_ras(Volume(b.images["t1"][None], lps)).data[0], a.images["t1"])
    np.testing.assert_array_equal(to_ras(Volume(b.labels[None], lps)).data[0], a.labels)


def test_a_thick_slice_is_the_mean_of_thin_ones():
    thin = make_subject(4, tumor_type="notumor", spacing_mm=(4.0, 4.0, 4.0), sequences=("t2",))
    thick = make_subject(4, tumor_type="notumor", spacing_mm=(4.0, 4.0, 12.0), sequences=("t2",))
    assert thick.grid.shape == (48, 56, 16)
    means = thin.images["t2"].reshape(48, 56, 16, 3).mean(axis=3)
    within = thick.brain
    assert np.corrcoef(means[within], thick.images["t2"][within])[0, 1] > 0.95


def test_without_a_face_the_brain_stays_and_the_eyes_go():
    whole = make_subject(5, tumor_type="notumor", spacing_mm=4.0, sequences=("t1",))
    bare = make_subject(
        5,
        tumor_type="notumor",
        spacing_mm=4.0,
        sequences=("t1",),
        pose=Pose(offset_mm=(0, -12, 16), face=False),
    )
    np.testing.assert_array_equal(whole.brain, bare.brain)
    gone = (bare.images["t1"] < 100) & (whole.images["t1"] > 300)
    front_low = np.argwhere(gone).mean(axis=0)
    assert gone.sum() * 64 / 1000 > 100  # ml
    assert front_low[1] > 38 and front_low[2] < 24  # noqa: PT018


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tumor_type": "metastasis"}, "tumor_type is 'metastasis'; it must be one of glioma"),
        ({"sequences": ("t1", "dwi")}, "sequences has 'dwi'; phantoms have t1, t1ce, t2, flair"),
        ({"contrast": "vivid"}, "contrast is 'vivid'; it must be realistic or random"),
    ],
)
def test_a_wrong_value_is_named_with_the_choices(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_subject(0, **settings)


def test_an_oblique_grid_is_refused():
    affine = np.array(brats_grid(6.0).affine)
    affine[0, 1] = 3.0
    with pytest.raises(GeometryError, match="oblique"):
        make_subject(0, grid=Grid((40, 40, 26), affine))


def test_a_grid_without_the_brain_is_refused_where_a_tumour_is_wanted():
    with pytest.raises(GeometryError, match="give a grid that holds the brain"):
        make_subject(0, tumor_type="glioma", grid=Grid((8, 8, 8), np.diag([4.0, 4.0, 4.0, 1.0])))
