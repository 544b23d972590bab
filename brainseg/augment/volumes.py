"""A random patch of a training volume (C, X, Y, Z) and its labels (X, Y, Z), changed at random.

It is made on the CPU, in the processes that load data; or these draw and read only, and the rest is done on
the device (on_device.py). Draws happen in a fixed order, so that one seed gives one sample.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from brainseg.augment.geometry import bend_of, random_nodes, random_turn
from brainseg.augment.intensities import (
    random_bias_field,
    random_brightness,
    random_contrast,
    random_gamma,
    random_noise,
)
from brainseg.augment.motion import random_motion
from brainseg.augment.patches import Triple, crop, happens, pad_to, random_flip, random_start, turned_crop


@dataclass(frozen=True)
class Drawn:
    """Where a patch lies in its volume: its size and first voxel, and how it is turned and bent, if it is."""

    patch: Triple
    start: Triple
    turn: Tensor | None = None  # (3, 3), from places in the patch to places in the volume
    nodes: Tensor | None = None  # displacements of control points, (3, i, j, k), voxels


@dataclass(frozen=True)
class VolumeAugment:
    """A random patch of a volume, turned, flipped and with other intensities; of plain numbers."""

    patch: Triple | None = None  # voxels; None takes the volume whole
    foreground_share: float = 0.0  # of patches that are centred on a labelled voxel
    affine: float = 0.0  # probability of a rotation and scaling
    rotate_degrees: float = 15.0  # at most, about each axis
    scale: float = 0.1  # from 1 - scale to 1 + scale, the same for all axes
    elastic: float = 0.0  # probability of a smooth displacement
    bend: float = 4.0  # voxels, at most, along each axis
    flip: float = 0.0  # probability for each of flip_axes
    flip_axes: tuple[int, ...] = (0,)  # of X, Y, Z; 0 is left for right
    motion: float = 0.0  # probability of a head that moved while it was scanned
    motion_degrees: float = 10.0  # at most, about each axis
    motion_voxels: float = 5.0  # at most, along each axis
    intensity: float = 0.0  # probability for each of the changes below
    bias: float = 0.3  # logarithm of the strongest field, at most
    gamma: float = 0.3  # logarithm of the exponent, at most
    contrast: float = 0.25  # share by which values spread about their mean, at most
    brightness: float = 0.1  # shift in standard deviations, at most
    noise: float = 0.1  # standard deviation in standard deviations of the channel, at most

    def __call__(self, image: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """A patch (C, *patch) in float32 and its labels, from an image (C, X, Y, Z), half precision too."""
        image, labels, drawn = self.drawn(image, labels, generator)
        if drawn.turn is not None:
            bend = None if drawn.nodes is None else bend_of(drawn.nodes, drawn.patch)
            image, labels = turned_crop(image, labels, drawn.start, drawn.patch, drawn.turn, bend)
        else:
            image, labels = crop(image, labels, drawn.start, drawn.patch)
        image, labels = random_flip(image, labels, generator, probability=self.flip, axes=self.flip_axes)
        image = image.to(torch.float32, copy=drawn.turn is None)  # the intensities are changed in place
        if self.motion and happens(self.motion, generator):
            image = random_motion(image, generator, degrees=self.motion_degrees, voxels=self.motion_voxels)
        return self._intensities(image, generator), labels

    def drawn(self, image: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Drawn]:
        """Where the patch lies, in the image and labels made as large as it where they are smaller."""
        patch = self.patch or (labels.shape[0], labels.shape[1], labels.shape[2])
        image, labels = pad_to(image, labels, patch)
        start = random_start(labels, patch, generator, foreground_share=self.foreground_share)
        turned, bent = happens(self.affine, generator), self.elastic and happens(self.elastic, generator)
        if not (turned or bent):
            return image, labels, Drawn(patch, start)
        turn = random_turn(generator, rotate_degrees=self.rotate_degrees * turned, scale=self.scale * turned)
        nodes = random_nodes(patch, generator, strength=self.bend) if bent else None
        return image, labels, Drawn(patch, start, turn, nodes)

    def _intensities(self, image: Tensor, generator: Generator) -> Tensor:
        for change, strength in (
            (random_bias_field, self.bias),
            (random_gamma, self.gamma),
            (random_contrast, self.contrast),
            (random_brightness, self.brightness),
            (random_noise, self.noise),
        ):
            if happens(self.intensity, generator):
                image = change(image, generator, strength=strength, out=image)
        return image
