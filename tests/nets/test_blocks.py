"""Torch's instance norm and ours are one function."""

import pytest
import torch
from torch import nn

from brainseg.nets.blocks import InstanceNorm
from brainseg.nets.menu import VOLUME_NETS, build_volume_net

ROUNDING = 2**-8  # of a bfloat16, relative


def normed(layer, images, dtype):
    """The layer's answer and the gradient of its images, float64."""
    given = images.to(dtype).to(memory_format=torch.channels_last_3d).requires_grad_()
    answer = layer(given)
    upstream = torch.randn(answer.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    answer.backward(upstream.to(dtype))
    return answer.detach().double(), given.grad.double()


@pytest.mark.parametrize("affine", [True, False])
def test_instance_norm_in_bfloat16_is_torchs_of_each_sample(affine):
    torch.manual_seed(0)
    images = torch.randn(2, 8, 16, 12, 20) * torch.tensor([1.0, 5.0])[:, None, None, None, None] + 3
    theirs, ours = nn.InstanceNorm3d(8, affine=affine), InstanceNorm(8, affine=affine)
    if affine:
        with torch.no_grad():
            theirs.weight.copy_(torch.linspace(0.5, 2, 8))
            theirs.bias.copy_(torch.linspace(-1, 1, 8))
        ours.load_state_dict(theirs.state_dict())
    expected, slope = normed(theirs.double(), images.bfloat16(), torch.float64)
    answer, our_slope = normed(ours, images, torch.bfloat16)
    assert (answer - expected).abs().max() < 2 * ROUNDING * expected.abs().max()
    assert (our_slope - slope).abs().max() < 2 * ROUNDING * slope.abs().max()


def test_in_float32_it_is_torchs_bit_for_bit():
    images = torch.randn(2, 4, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(InstanceNorm(4)(images), nn.InstanceNorm3d(4)(images))


def test_it_keeps_the_layout_in_which_3d_convolutions_are_fast():
    for n in (1, 2):
        images = torch.randn(n, 4, 8, 8, 8).bfloat16().to(memory_format=torch.channels_last_3d)
        assert InstanceNorm(4)(images).is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("name", VOLUME_NETS)
def test_every_network_uses_it(name):
    norms = [
        m for m in build_volume_net(name, 1, 1, (8, 16, 32)).modules() if isinstance(m, nn.InstanceNorm3d)
    ]
    assert all(type(norm) is InstanceNorm for norm in norms)
    assert bool(norms) == (name not in ("unet3d", "segresnet"))
