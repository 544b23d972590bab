"""Our UNet is MONAI's, without the seconds that MONAI takes to load."""

import pytest
import torch
from monai.networks.nets.unet import UNet as MonaiUNet
from torch import nn

from brainseg.nets.blocks import InstanceNorm
from brainseg.nets.unet import UNet

NORMS = {"instance": InstanceNorm, "batch": nn.BatchNorm3d}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("channels", [(4, 8), (8, 16, 24, 32)])
@pytest.mark.parametrize("training", [False, True])
def test_it_has_monai_s_weights_names_and_answers_to_the_last_bit(norm, channels, training):
    strides = (2,) * (len(channels) - 1)
    torch.manual_seed(3)
    theirs = MonaiUNet(3, 2, 5, channels, strides, norm=norm, dropout=0.2).train(training)
    torch.manual_seed(3)
    ours = UNet(2, 5, channels, 0.2, NORMS[norm]).train(training)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(map(torch.equal, ours.state_dict().values(), theirs.state_dict().values()))
    x = torch.randn(2, 2, 16, 16, 24)
    answers = []
    for net in (ours, theirs):
        torch.manual_seed(4)
        answers.append(net(x))
        answers[-1].square().mean().backward()
    assert torch.equal(*answers)
    assert all(
        torch.equal(a.grad, b.grad) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    )
