import numpy as np
import pytest
import torch
from torch import nn

from brainseg.inference import grad_cam, share_inside
from brainseg.nets import SliceClassifier


class Bright(nn.Module):
    """Class 1 for what is bright, class 0 for what is dark, of four places a side."""

    def __init__(self):
        super().__init__()
        self.maps = nn.AvgPool2d(8)
        self.head = nn.Linear(3, 2, bias=False)
        nn.init.constant_(self.head.weight[0], -1.0)
        nn.init.constant_(self.head.weight[1], 1.0)

    def forward(self, x):
        return self.head(self.maps(x).mean((2, 3)))


@pytest.fixture
def slice_with_a_bright_corner():
    x = torch.zeros(1, 3, 32, 32)
    x[..., :8, :8] = 1
    return x.requires_grad_()


def test_the_heat_lies_where_the_class_is(slice_with_a_bright_corner):
    heat = grad_cam(Bright(), "maps", slice_with_a_bright_corner, 1)
    assert heat.shape == (32, 32)
    assert heat[0, 0] == pytest.approx(1.0)
    assert heat[20:, 20:].max() == 0
    corner = np.zeros((32, 32), bool)
    corner[:12, :12] = True  # the map has 4 x 4 places, between which the heat falls
    assert share_inside(heat, corner) > 0.95


def test_nothing_speaks_for_the_other_class(slice_with_a_bright_corner):
    heat = grad_cam(Bright(), "maps", slice_with_a_bright_corner, 0)
    assert heat.max() == 0
    assert share_inside(heat, np.ones((32, 32), bool)) == 0


def test_the_network_keeps_no_hook_and_no_gradient():
    net = SliceClassifier("test_resnet", 4).eval()
    heat = grad_cam(net, net.map_stage(64), torch.rand(1, 3, 64, 64), 2)
    assert heat.shape == (64, 64)
    assert not any(module._forward_hooks or module._backward_hooks for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_share_by_hand():
    heat = np.array([[1.0, 0.5], [0.5, 0.0]], np.float32)
    assert share_inside(heat, np.array([[True, False], [True, True]])) == pytest.approx(0.75)


class BrightVolume(nn.Module):
    """Class 1 for what is bright, of four places a side."""

    def __init__(self):
        super().__init__()
        self.maps = nn.AvgPool3d(4)
        self.head = nn.Linear(2, 2, bias=False)
        nn.init.constant_(self.head.weight[0], -1.0)
        nn.init.constant_(self.head.weight[1], 1.0)

    def forward(self, x):
        return self.head(self.maps(x).mean((2, 3, 4)))


def test_the_heat_of_a_volume_lies_where_the_class_is():
    x = torch.zeros(1, 2, 16, 16, 16)
    x[..., 12:, :4, 8:12] = 1
    heat = grad_cam(BrightVolume(), "maps", x.requires_grad_(), 1)
    assert heat.shape == (16, 16, 16)
    assert heat[15, 0, 10] == pytest.approx(heat.max())
    assert heat[:8].max() == 0
    assert heat[:, 8:].max() == 0
    assert grad_cam(BrightVolume(), "maps", x, 0).max() == 0


class TwoPlaces(nn.Module):
    """Class 1 for what is bright at the left; at the right the same feature speaks against it."""

    def __init__(self):
        super().__init__()
        self.maps = nn.AvgPool2d(8)
        self.sign = torch.tensor([1.0, 1.0, -2.0, -2.0])

    def forward(self, x):
        score = (self.maps(x) * self.sign).mean((1, 2, 3))
        return torch.stack([-score, score], dim=1)


def test_by_place_what_speaks_against_a_class_elsewhere_hides_nothing():
    x = torch.ones(1, 3, 32, 32, requires_grad=True)
    assert grad_cam(TwoPlaces(), "maps", x, 1).max() == 0  # the mean slope is below 0
    heat = grad_cam(TwoPlaces(), "maps", x, 1, by_place=True)
    assert heat[:, :8] == pytest.approx(1.0)
    assert heat[:, 24:].max() == 0
