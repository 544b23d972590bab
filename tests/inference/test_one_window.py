import pytest
import torch

from brainseg.inference import window_sides
from brainseg.inference.one_window import MOST_VALUES
from brainseg.nets import UNet3D


def test_the_whole_scan_is_one_window_of_sides_that_can_be_halved():
    assert window_sides((122, 169, 129), (128, 128, 128), [16, 32, 64, 128, 256]) == (128, 176, 144)
    assert window_sides((5, 8, 9), (64, 64, 64), [4, 8]) == (6, 8, 10)


def test_a_scan_too_large_to_hold_is_cut_into_patches():
    side = round((MOST_VALUES / 16) ** (1 / 3)) // 16 * 16
    channels = [16, 32, 64, 128, 256]
    assert window_sides((side,) * 3, (64, 64, 64), channels) == (side,) * 3
    assert window_sides((side + 16,) * 3, (64, 64, 64), channels) == (64, 64, 64)
    assert window_sides((side,) * 3, (64, 64, 64), [32, *channels[1:]]) == (64, 64, 64)


@torch.no_grad()
def test_a_voxel_s_answer_does_not_hang_on_the_window_s_size():
    torch.manual_seed(0)
    net = UNet3D(1, 2, (4, 8), (0.0, 0.0)).double().eval()
    scan = torch.randn(1, 1, 40, 32, 32, dtype=torch.float64)
    whole, part = net(scan), net(scan[:, :, 8:32, 4:28, 4:28])
    # Two convolutions at full resolution before and after, two at half of it: 2 + 2 * 2 + 2; 1 for pooling.
    reach = 9
    inner = slice(reach, 24 - reach)
    torch.testing.assert_close(
        part[:, :, inner, inner, inner],
        whole[:, :, 8:32, 4:28, 4:28][:, :, inner, inner, inner],
    )
    with pytest.raises(AssertionError):  # at the border zeros are seen instead
        torch.testing.assert_close(part, whole[:, :, 8:32, 4:28, 4:28])
