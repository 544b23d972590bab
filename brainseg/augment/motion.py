"""A head that moved while it was scanned: ghosts and blur in the image, while the labels stay.

Lines of k-space are measured at different times, so those of one stretch are taken from an image that is
turned and shifted (Shaw et al., "MRI k-space motion artefact augmentation", MIDL 2019). While the middle of
k-space is measured, which holds most of the image, nothing has moved.
"""

from itertools import pairwise

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from brainseg.augment.geometry import random_turn

MOVES = 2


def random_motion(image: Tensor, generator: Generator, *, degrees: float, voxels: float) -> Tensor:
    """An image (C, X, Y, Z) of a head that changed its position twice.

    Args:
        image: Its values.
        generator: Draws the random numbers.
        degrees: Turned by at most that about each axis.
        voxels: Shifted by at most that along each axis.
    """
    axis = 1 + int(torch.randint(3, (), generator=generator))
    n = image.shape[axis]
    cuts = [0, *sorted((torch.rand(MOVES, generator=generator) * n).long().tolist()), n]
    lines = torch.fft.fftfreq(n).argsort().to(image.device)  # from the lowest frequency up, 0 in the middle
    mixed = torch.fft.fftn(image, dim=(1, 2, 3))
    for first, last in pairwise(cuts):
        if first <= n // 2 < last or first == last:
            continue
        moved = _moved(image, generator, degrees, voxels)
        stretch = lines[first:last]
        spectrum = torch.fft.fftn(moved, dim=(1, 2, 3)).index_select(axis, stretch)
        mixed.index_copy_(axis, stretch, spectrum)
    result: Tensor = torch.fft.ifftn(mixed, dim=(1, 2, 3)).real
    return result.to(image.dtype)


def _moved(image: Tensor, generator: Generator, degrees: float, voxels: float) -> Tensor:
    """Turned about its middle and shifted; beyond its border its edge goes on."""
    turn = random_turn(generator, rotate_degrees=degrees, scale=0)
    half = torch.tensor(image.shape[1:]).flip(0) / 2  # Z Y X, as affine_grid counts
    shift = voxels * (2 * torch.rand(3, generator=generator) - 1)
    matrix = torch.cat([turn * half[None] / half[:, None], (shift / half)[:, None]], dim=1)
    places = F.affine_grid(matrix[None].to(image.device), [1, *image.shape], align_corners=False)
    return F.grid_sample(image[None], places, padding_mode="border", align_corners=False)[0]
