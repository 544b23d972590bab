import base64
import gzip

import numpy as np
import pytest

from brainseg.images.volume import Grid
from brainseg.reporting.montage import compose
from brainseg.reporting.viewer import BRAIN, GREYS, VOXELS, niivue, volumes_of


def unpacked(text, shape):
    return np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8).reshape(shape, order="F")


def grid_of(image, spacing_mm):
    return Grid(image.shape, np.diag([*spacing_mm, 1.0]))


@pytest.fixture
def scene():
    """A block of 20 x 30 x 10 voxels, brighter to the right, with a mask and a tumour."""
    image = np.zeros((24, 34, 14), np.float32)
    image[2:22, 2:32, 2:12] = np.linspace(0.5, 1, 20)[:, None, None]
    brain = image > 0
    labels = np.zeros(image.shape, np.uint8)
    labels[10:14, 10:14, 5:8] = 2
    return compose({"t1": image, "flair": image[:, ::-1]}, grid_of(image, (1.0, 1.0, 2.0)), brain, labels)


def test_each_voxel_is_where_it_was_and_carries_class_and_brain(scene):
    shown = volumes_of(scene)
    x, y, z = shown["shape"]
    assert shown["spacing_mm"] == 1.0
    assert (x, y, z) == (scene.shape[0], scene.shape[1], 2 * scene.shape[2])
    overlay = unpacked(shown["overlay"], (x, y, z))
    np.testing.assert_array_equal(overlay[:, :, ::2] % BRAIN, scene.labels)
    np.testing.assert_array_equal(overlay[:, :, 1::2] >= BRAIN, scene.brain)
    grey = unpacked(shown["sequences"]["t1"], (x, y, z))
    assert grey.max() == GREYS - 1
    inside = grey[:, 10, 10][scene.brain[:, 10, 5]].astype(int)
    assert (np.diff(inside) >= 0).all()  # brighter to the right, as it came


def test_a_scan_of_too_many_voxels_is_brought_to_what_a_page_can_hold():
    image = np.random.default_rng(0).random((200, 220, 190)).astype(np.float32)
    shown = volumes_of(compose({"t1": image, "t2": image}, grid_of(image, (0.5, 0.5, 0.5)), None, None))
    assert np.prod(shown["shape"]) * 2 == pytest.approx(VOXELS, rel=0.03)
    assert shown["spacing_mm"] == pytest.approx((200 * 220 * 190 * 0.125 * 2 / VOXELS) ** (1 / 3), rel=1e-3)
    assert not shown["has_tumor"]
    assert not shown["has_brain"]


def test_niivue_is_a_module_that_exports_its_viewer_with_its_licence():
    script = niivue()
    text = gzip.decompress(base64.b64decode(script.packed)).decode()
    assert text.rstrip().endswith(" as Niivue};")
    name = text.rstrip().rsplit("{", 1)[1].split(" ")[0]
    assert f"={name}=class" in text or f"class {name}" in text or f"{name}=class" in text
    assert "BSD 2-Clause" in script.licence
    assert "Redistribution" in script.licence


def test_without_the_package_there_is_no_script(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("brainseg.reporting.viewer.distribution", missing)
    assert niivue.__wrapped__() is None
