"""Random changes of the intensities of training volumes (C, X, Y, Z).

Every function draws from the generator it is given, and changes nothing where its strength is 0. It puts its
result into `out` if that is given, which may be the image itself: new memory costs more than most of what is
computed.
"""

import torch
from torch import Generator, Tensor

ORDER = 3  # of the polynomial of a bias field
TINY = 1e-30  # the logarithm of 0 would take five times as long
LAYERS = 8  # along X, of which an intensity is changed at a time: they too stay in the processor's cache


def random_bias_field(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel times the exponential of a smooth random polynomial within +-strength.

    What is multiplied is the height above the channel's minimum, so that an empty background stays as it is.
    """
    if strength == 0:
        return image
    x, y, z = (torch.linspace(-1, 1, side)[:, None] ** torch.arange(ORDER + 1) for side in image.shape[1:])
    coefficients = 2 * torch.rand(len(image), *(ORDER + 1,) * 3, generator=generator) - 1
    coefficients /= coefficients.abs().sum(
        dim=(1, 2, 3), keepdim=True
    )  # so that the polynomial stays in [-1, 1]
    changed = torch.empty_like(image) if out is None else out
    for channel, into, own in zip(image, changed, strength * coefficients, strict=True):
        lowest = channel.amin()
        plane = torch.einsum("ijk,yj,zk->iyz", own, y, z).flatten(1)
        for layers, new, powers in zip(*(one.split(LAYERS) for one in (channel, into, x)), strict=True):
            field = (powers @ plane).exp_().view_as(layers)
            torch.addcmul(lowest, layers - lowest, field, out=new)
    return changed


def random_gamma(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel, between its own minimum and maximum, to the power of exp(+-strength) at most."""
    if strength == 0:
        return image
    exponents = (strength * _signed_per_channel(image, generator)).exp()
    changed = torch.empty_like(image) if out is None else out
    for channel, into, exponent in zip(image, changed, exponents, strict=True):
        lowest, highest = channel.aminmax()
        extent = (highest - lowest).clamp_min(1e-8)
        for layers, new in zip(channel.split(LAYERS), into.split(LAYERS), strict=True):
            torch.sub(layers, lowest, out=new).div_(extent).clamp_min_(TINY)
            new.log_().mul_(exponent).exp_()  # to the power of the exponent, in half the time of `pow`
            new.mul_(extent).add_(lowest)
    return changed


def random_contrast(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel spread about its mean by a factor from 1 - strength to 1 + strength."""
    if strength == 0:
        return image
    mean = image.mean(dim=(1, 2, 3), keepdim=True)
    factor = 1 + strength * _signed_per_channel(image, generator)
    return torch.addcmul(mean * (1 - factor), image, factor, out=out)


def random_brightness(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel shifted by at most that many of its standard deviations."""
    if strength == 0:
        return image
    shift = strength * _signed_per_channel(image, generator) * _deviation(image)
    return torch.add(image, shift, out=out)


def random_noise(
    image: Tensor, generator: Generator, *, strength: float, out: Tensor | None = None
) -> Tensor:
    """Each channel with Gaussian noise of at most that many of its standard deviations."""
    if strength == 0:
        return image
    amounts = strength * torch.rand(len(image), 1, 1, 1, generator=generator) * _deviation(image)
    changed, noise = torch.empty_like(image) if out is None else out, torch.empty_like(image[0, :LAYERS])
    for channel, into, amount in zip(image, changed, amounts, strict=True):
        for layers, new in zip(channel.split(LAYERS), into.split(LAYERS), strict=True):
            torch.addcmul(layers, noise[: len(layers)].normal_(generator=generator), amount, out=new)
    return changed


def _signed_per_channel(image: Tensor, generator: Generator) -> Tensor:
    return 2 * torch.rand(len(image), 1, 1, 1, generator=generator) - 1


def _deviation(image: Tensor) -> Tensor:
    """Standard deviation of each channel, (C, 1, 1, 1); channel by channel it is several times faster."""
    return torch.stack([channel.std(correction=0) for channel in image]).view(-1, 1, 1, 1)
