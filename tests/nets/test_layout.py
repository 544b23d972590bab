"""The memory layout of weights by device and norm."""

import pytest
import torch

from brainseg.nets import build_volume_net
from brainseg.nets.layout import CHANNELS_LAST, CONTIGUOUS, suit_layout, usual_layout

CPU, GPU = torch.device("cpu"), torch.device("cuda")
NORMED = {"unet": (8, 16, 32), "dynunet": (8, 16, 32), "segresnet": (8, 16, 32)}


@pytest.mark.parametrize("name", NORMED)
def test_a_gpu_has_its_norms_of_the_window_contiguous_and_the_cpu_channels_last(name):
    net = build_volume_net(name, 2, 1, NORMED[name])
    assert usual_layout(net, CPU) == CHANNELS_LAST
    assert usual_layout(net, GPU) == CONTIGUOUS


def test_other_networks_are_channels_last_everywhere():
    plain = build_volume_net("unet3d", 1, 1, (4, 8))
    slices = torch.nn.Conv2d(3, 4, 3)
    for device in (CPU, GPU):
        assert usual_layout(plain, device) == CHANNELS_LAST
        assert usual_layout(slices, device) == CHANNELS_LAST


def test_the_layout_changes_neither_parameters_nor_what_is_computed():
    net = build_volume_net("unet", 1, 2, (4, 8, 16)).eval()
    before, x = list(net.parameters()), torch.randn(1, 1, 16, 16, 16)
    answers = []
    for device in (CPU, GPU, CPU):
        suit_layout(net, device)
        answers.append(net(x))
        widest = max(net.parameters(), key=torch.Tensor.numel)
        layout = torch.channels_last_3d if device == CPU else torch.contiguous_format
        assert widest.is_contiguous(memory_format=layout)
    assert all(one is other for one, other in zip(before, net.parameters(), strict=True))
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-4, atol=1e-5)
    assert torch.equal(answers[0], answers[2])
