"""The program without torch has its own ways to do what we do: each gives the same as ours."""

import ast
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from brainseg.config import SlicePreprocess, VolumePreprocess
from brainseg.config.choices import Blend, Crop, Intensity, Normalise, SliceCrop
from brainseg.export.joined import MODULES, joined
from brainseg.export.standalone import naming, networks, outlining, preparing, voting, voxels
from brainseg.images.labels import CLASSES
from brainseg.images.masks import with_margin
from brainseg.images.regrid import with_cubes
from brainseg.images.tissue import tissue_of
from brainseg.images.volume import Grid, Volume, resample_to, to_ras
from brainseg.inference import Cleaning, Windows, fill_holes, largest_component, predict_windows, vote_slices
from brainseg.inference.components import remove_small
from brainseg.preprocess.cubes import in_cube
from brainseg.preprocess.noise import noise_share, smoothed
from brainseg.preprocess.slices import network_input, prepare_slice
from brainseg.preprocess.volumes import prepare_volume

LPS = np.array([[-1.1, 0, 0.05, 30], [0, 0, -2.0, 20], [0.05, 0.9, 0, -40], [0, 0, 0, 1]])  # oblique, turned


@pytest.fixture
def blobs():
    """(X, Y, Z) masks with parts that touch at faces, edges and corners, holes, and the border."""
    rng = np.random.default_rng(3)
    return [rng.random((12, 13, 14)) < share for share in (0.02, 0.1, 0.2, 0.35, 0.6, 0.9)]


@pytest.fixture
def head():
    """A bright ellipsoid with structure and noise in dark air, (1, 30, 26, 28), on an oblique grid."""
    rng = np.random.default_rng(5)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (30, 26, 28)), indexing="ij")
    inside = x**2 / 0.6 + y**2 / 0.5 + z**2 / 0.7 < 1
    image = np.where(inside, 100 + 40 * np.sin(5 * x) * np.cos(4 * z), 0) + inside * rng.normal(0, 6, x.shape)
    return Volume(image[None].astype(np.float32), Grid(image.shape, LPS))


def theirs(volume: Volume) -> voxels.Volume:
    return voxels.Volume(volume.data, volume.grid.affine)


def test_the_exported_program_is_one_file_that_needs_three_packages_alone():
    tree = ast.parse(joined())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert imported - set(sys.stdlib_module_names) == {"numpy", "nibabel", "onnxruntime", "PIL"}
    at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "PIL" not in {getattr(node, "module", None) for node in at_top}
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert len(names) == len(set(names))  # none hides another module's
    assert MODULES[-1] == "run"
    assert ast.get_docstring(tree).startswith("An exported model of brainseg")


def test_parts_holes_and_margins_of_masks(blobs):
    for mask in blobs:
        sizes = [np.sort(np.bincount(voxels.parts_of(mask, faces=False)[0].ravel())[1:])]
        assert voxels.large(mask, 4).tolist() == remove_small(mask, 4).tolist()
        assert voxels.filled(mask).tolist() == fill_holes(mask).tolist()
        assert len(sizes[0]) == len(voxels.parts_of(mask, faces=False)[1])
        assert voxels.largest(mask).sum() == largest_component(mask).sum()
        for margin in (0, 1.0, 3.7):
            found = voxels.with_margin(mask, margin, np.array([1.0, 0.7, 2.0]))
            assert found.tolist() == with_margin(mask, margin, (1.0, 0.7, 2.0)).tolist()
    empty = np.zeros((3, 4, 5), bool)
    assert not voxels.largest(empty).any()
    assert not voxels.filled(empty).any()


@pytest.mark.parametrize("crop", ["none", "nonzero", "head"])
@pytest.mark.parametrize("intensity", list(Intensity))
@pytest.mark.parametrize("spacing", [None, [1.5, 1.5, 1.5], [0.8, 2.5, 3.0]])
def test_a_scan_is_prepared_and_brought_back(head, crop, intensity, spacing):
    marks = [np.linspace(0, 100, 11).tolist()]
    settings = VolumePreprocess(["t1"], spacing, intensity, Crop(crop))
    brain = head.data[0] > 60
    for mask in (None, brain):
        wanted = prepare_volume(head, settings, mask, marks)
        how = {
            "crop": {"rule": crop, "margin_mm": 8.0},
            "spacing_mm": spacing,
            "intensity": str(intensity),
            "landmarks": {"t1": marks[0]} if intensity is Intensity.landmarks else None,
        }
        found = preparing.prepare(theirs(head), how, ["t1"], mask)
        assert found.image.shape == wanted.image.shape
        assert np.allclose(found.affine, wanted.grid.affine)
        assert np.abs(found.image - wanted.image).max() < 1e-4
        assert found.origin == list(wanted.origin)
        back = found.paste(voxels.linear(found.image, found.covered()[1]), -1)
        assert np.abs(back - wanted.undo(wanted.image, nearest=False, outside=-1)).max() < 1e-4
        assert (found.cut(brain) == wanted.cut(brain)).all()


def test_a_scan_on_another_grid(head):
    centre, half = head.grid.corners_mm().mean(axis=0), np.array([11, 12, 13])
    turned = np.array([[0, 1.2, 0, 0], [1.1, 0, 0.1, 0], [0, 0, 1.4, 0], [0, 0, 0, 1.0]])
    turned[:3, 3] = centre - turned[:3, :3] @ half
    grid = Grid((22, 24, 26), turned)
    wanted = resample_to(head, grid, nearest=False).data
    found = voxels.on_grid(theirs(head), voxels.Volume(np.zeros((1, *grid.shape)), turned), "t1").data
    assert (wanted > 0).mean() > 0.2
    assert np.abs(found - wanted).max() < 1e-3
    far = turned.copy()
    far[0, 3] = 500
    with pytest.raises(voxels.Fault, match="t1: less than half"):
        voxels.on_grid(theirs(head), voxels.Volume(np.zeros((1, *grid.shape)), far), "t1")


def test_noise_and_its_filter(head):
    image = head.data[0]
    assert preparing.noise_share(image) == pytest.approx(noise_share(image, tissue_of(image)), rel=1e-4)
    assert preparing.noise_share(image) > 0.02
    deviations = [2.0 / side for side in head.grid.spacing_mm]
    wanted = smoothed(image, head.grid.spacing_mm, 2.0)
    assert np.abs(preparing.smoothed(image, deviations) - wanted).max() < 1e-3


def test_the_slices_of_a_vote(head):
    brain = head.data[0] > 60
    brain[:14] = False
    ras = to_ras(head)
    cube = resample_to(ras, with_cubes(ras.grid, min(ras.grid.spacing_mm)), nearest=False)
    inside = np.argwhere(brain)
    middle = head.grid.affine @ [*(inside.min(0) + inside.max(0)) / 2, 1]
    centre = np.rint((np.linalg.inv(cube.grid.affine) @ middle)[:3]).astype(int)
    wanted = vote_slices(cube.data[0], centre, cube.grid.spacing_mm, [0, 5, 10, 90])
    found = list(voting.cuts(theirs(head), brain, [0, 5, 10, 90]))
    assert len(found) == len(wanted) > 9
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.image.shape
        assert np.abs(one - other.image).max() < 1e-3


@pytest.mark.parametrize("crop", list(SliceCrop))
@pytest.mark.parametrize("shape", [(50, 40), (64, 64), (200, 321), (31, 90, 3)])
def test_slices_are_prepared_to_the_last_grey_level(crop, shape):
    rng = np.random.default_rng(1)
    image = rng.normal(0, 1, shape)
    image[5:20, 5:30] += 8
    settings = SlicePreprocess(64, crop, Normalise.head, False)
    how = {"size": 64, "crop": str(crop)}
    bright = ((image - image.min()) * 20).astype(np.uint8)
    for one in (image, bright):
        assert (preparing.prepare_slice(one, how) == prepare_slice(one, settings)).all()


@pytest.mark.parametrize("normalise", list(Normalise))
def test_what_the_classifier_gets(normalise):
    slices = np.random.default_rng(2).integers(0, 255, (3, 32, 32), dtype=np.uint8)
    slices[2] = 0
    wanted = network_input(torch.from_numpy(slices), SlicePreprocess(32, SliceCrop.none, normalise, False))
    assert np.abs(preparing.network_input(slices, str(normalise)) - wanted.numpy()).max() < 1e-4


@pytest.mark.parametrize("side", [8, 15, 40])
def test_the_cube_of_a_brain(side):
    image = np.zeros((2, 30, 22, 17), np.float32)
    image[0, 4:25, 3:9, 2:17] = np.random.default_rng(7).normal(0, 1, (21, 6, 15))
    wanted = in_cube(torch.from_numpy(image), side)
    assert (naming.in_cube(image, side) == wanted.numpy()).all()
    assert (naming.in_cube(0 * image, side) == 0).all()


@pytest.mark.parametrize("rule", [(0.0, False, 0.0), (0.02, True, 0.0), (0.05, True, 0.3), (0.0, True, 9.0)])
def test_cleaning(rule):
    rng = np.random.default_rng(4)
    classes = rng.choice(len(CLASSES), (14, 15, 16), p=[0.5, 0.2, 0.2, 0.05, 0.05]).astype(np.uint8)
    names = ("least_part_ml", "fill", "least_enhancing_ml")
    for some in (classes, np.where(rng.random(classes.shape) < 0.1, classes, 0).astype(np.uint8)):
        wanted = Cleaning(*rule)(some, 0.008)
        assert (outlining.cleaned(some, dict(zip(names, rule, strict=True)), 0.008) == wanted).all()


@pytest.mark.parametrize(("shape", "blend"), [((20, 33, 16), "gaussian"), ((9, 16, 40), "constant")])
def test_windows(shape, blend):
    image = np.random.default_rng(6).normal(0, 1, (2, *shape)).astype(np.float32)
    how = {"sides": [16, 16, 16], "overlap": 0.5, "blend": blend, "batch_size": 3}
    wanted = predict_windows(
        torch.from_numpy(image), how["sides"], Windows(0.5, Blend(blend), 3), predict=lambda x: x.cumsum(2)
    )
    found = networks.by_windows(image, how, lambda x: np.cumsum(x, axis=2))
    assert np.abs(found - wanted.numpy()).max() < 1e-4


def test_a_picture_of_a_slice_is_read_as_ours(tmp_path):
    from brainseg.images.jpeg import read_slice

    rng = np.random.default_rng(8)
    for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4)):
        data = rng.integers(0, 255, (20, 24, channels), dtype=np.uint8).squeeze()
        Image.fromarray(data, mode).save(tmp_path / f"{mode}.png")
        found = preparing.grey(voting.picture(str(tmp_path / f"{mode}.png")))
        assert (found == read_slice(tmp_path / f"{mode}.png")).all()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(voxels.Fault, match=r"broken\.png: cannot be read"):
        voting.picture(str(tmp_path / "broken.png"))
