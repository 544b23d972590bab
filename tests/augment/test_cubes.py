"""Cubes are laid in all 48 orientations, and what shows nothing goes on showing nothing."""

import torch

from brainseg.augment import VolumeAugment
from brainseg.augment.cubes import ORIENTATIONS, CubeAugment, laid
from brainseg.preprocess.cubes import in_cube


def test_the_48_orientations_differ():
    cube = torch.arange(27.0).reshape(1, 3, 3, 3)
    assert len({tuple(laid(cube, n).flatten().tolist()) for n in range(len(ORIENTATIONS))}) == 48


def test_changed_intensities_leave_air_and_absent_sequences_at_0():
    cube = torch.zeros(2, 16, 16, 16)
    cube[0, 4:12, 4:12, 4:12] = torch.rand(8, 8, 8) + 1
    changes = VolumeAugment(intensity=1.0, brightness=1.0, noise=0.5, flip=0.5, affine=1.0)
    changed = CubeAugment(changes, turns=1.0)(cube, torch.Generator().manual_seed(0))
    assert changed.shape == cube.shape
    assert not changed[1].any(), "a sequence that is not there is not made"
    assert changed[0].ne(0).float().mean() < 0.3, "the air stays empty"
    assert changed[0].std() > 0


def test_a_cube_holds_the_middle_of_what_is_there():
    image = torch.zeros(1, 40, 12, 9)
    image[0, 30:38, 2:6, 3:5] = 1
    cube = in_cube(image, 16)
    assert cube.shape == (1, 16, 16, 16)
    assert cube.sum() == image.sum(), "all of it fits"
    middle = cube[0].nonzero().float().mean(dim=0)
    assert torch.allclose(middle, torch.full((3,), 7.5), atol=1.0)


def test_what_is_larger_than_the_cube_loses_its_ends():
    image = torch.ones(1, 40, 20, 16)
    assert in_cube(image, 16).eq(1).all()
