"""Samples that are changed on a device are those that the CPU makes, but for rounding and grains of noise."""

from dataclasses import replace

import pytest
import torch

from brainseg.augment import VolumeAugment
from brainseg.augment.on_device import made_of, read_uncut

PATCH = (16, 12, 20)
USUAL = VolumeAugment(
    PATCH, 0.5, affine=0.5, elastic=0.5, flip=0.5, flip_axes=(0, 1), motion=0.3, intensity=0.5, noise=0.0
)
SAMPLES = 200


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def scan():
    """Two smooth channels (2, 36, 30, 28) in half precision, one below zero; and three kinds of labels."""
    x, y, z = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in (36, 30, 28)), indexing="ij")
    radius = (x**2 + y**2 + z**2).sqrt()
    image = torch.stack([torch.exp(-3 * radius) + 0.3 * torch.sin(6 * y), x - 2 * z * y])
    labels = (radius < 0.5).to(torch.uint8) + (radius < 0.25).to(torch.uint8)
    return image.half(), labels


def on_cpu(augment, scan, seeds):
    made = [augment(*scan, seeded(seed)) for seed in seeds]
    return tuple(torch.stack(parts) for parts in zip(*made, strict=True))


def on_device(augment, scan, seeds):
    return made_of(augment, [read_uncut(augment, *scan, seeded(seed)) for seed in seeds])


@pytest.mark.parametrize(
    "changes",
    [
        {"affine": 0, "elastic": 0, "motion": 0, "intensity": 0},  # a crop and flips
        {"affine": 1, "elastic": 0, "motion": 0, "intensity": 0},
        {"affine": 1, "elastic": 1, "motion": 0, "intensity": 0},
        {"affine": 0, "elastic": 1, "motion": 0, "intensity": 0, "bend": 8.0},
        {"affine": 0, "elastic": 0, "motion": 1, "intensity": 0},
        {"affine": 0, "elastic": 0, "motion": 0, "intensity": 1},
        {},
    ],
)
def test_without_noise_the_samples_are_the_same_ones(scan, changes):
    augment = replace(USUAL, **changes)
    seeds = range(24)
    (image, labels), (same, same_labels) = (way(augment, scan, seeds) for way in (on_cpu, on_device))
    assert same.dtype == torch.float32
    torch.testing.assert_close(same, image, rtol=1e-3, atol=2e-3)
    assert (same_labels != labels).float().mean() < 1e-4  # a place that lies between two voxels


def test_with_noise_the_distribution_is_the_same(scan):
    augment = replace(USUAL, noise=0.3)
    first, second = (way(augment, scan, range(SAMPLES)) for way in (on_cpu, on_device))
    assert torch.equal(first[1].unique(), second[1].unique())
    for channel in range(2):
        one, other = first[0][:, channel], second[0][:, channel]
        for moment in (
            lambda x: x.mean(dim=(1, 2, 3)),
            lambda x: x.std(dim=(1, 2, 3)),
            lambda x: x.diff(dim=3).std(dim=(1, 2, 3)),  # of the grains, as the scan is smooth
        ):
            torch.testing.assert_close(moment(other), moment(one), rtol=0.05, atol=0.02)
        edges = torch.linspace(float(one.min()), float(one.max()), 33)
        shares = [torch.histogram(x.flatten(), edges).hist / x.numel() for x in (one, other)]
        assert (shares[0] - shares[1]).abs().sum() < 0.01
    grains = second[0] - on_device(USUAL, scan, range(SAMPLES))[0]
    touched = grains[grains.abs().amax(dim=(1, 2, 3, 4)) > 1e-3]
    assert 0.4 < len(touched) / SAMPLES < 0.6  # as often as `intensity` says
    unit = touched[:, 0].flatten(1)
    unit = (unit - unit.mean(1, keepdim=True)) / unit.std(1, keepdim=True)
    assert abs(float((unit**3).mean())) < 0.05
    assert float((unit**4).mean()) == pytest.approx(3, abs=0.1)  # normal


def test_a_sample_does_not_depend_on_those_beside_it_nor_on_what_was_made_before(scan):
    augment = replace(USUAL, noise=0.3)
    together = on_device(augment, scan, range(6))
    alone = on_device(augment, scan, [4])
    torch.testing.assert_close(alone[0][0], together[0][4], rtol=1e-6, atol=1e-6)
    assert torch.equal(alone[1][0], together[1][4])
    again = on_device(augment, scan, range(6))
    assert torch.equal(again[0], together[0])


def test_a_plain_patch_crosses_as_it_is_kept_and_a_turned_one_with_what_it_may_show(scan):
    still = replace(USUAL, affine=0, elastic=0)
    one = read_uncut(still, *scan, seeded(0))
    assert (one.image.dtype, one.labels.dtype) == (torch.float16, torch.uint8)
    assert one.image.shape == (2, *PATCH)
    assert one.image.untyped_storage().nbytes() == one.image.nbytes  # and not the whole scan behind it
    turned = read_uncut(replace(USUAL, affine=1), *scan, seeded(0))
    assert turned.labels.shape != PATCH
    assert all(side <= whole for side, whole in zip(turned.labels.shape, scan[1].shape, strict=True))


def test_a_scan_that_is_smaller_than_the_patch_is_padded(scan):
    small = scan[0][:, :10, :10, :10], scan[1][:10, :10, :10]
    (image, labels), (same, same_labels) = (way(USUAL, small, range(6)) for way in (on_cpu, on_device))
    torch.testing.assert_close(same, image, rtol=1e-3, atol=2e-3)
    assert (same_labels != labels).float().mean() < 1e-3
