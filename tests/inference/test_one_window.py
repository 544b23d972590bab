import pytest
import torch

from brainseg.inference import predict_one, widths_of_one
from brainseg.inference.one_window import MOST_VALUES
from brainseg.nets.unet3d import UNet3D

CHANNELS = [16, 32, 64, 128, 256]


def test_the_whole_scan_is_one_window_of_sides_that_can_be_halved():
    assert widths_of_one((122, 169, 129), (0, 0, 0), CHANNELS) == [(0, 6), (0, 7), (0, 15)]
    assert widths_of_one((5, 8, 9), (0, 0, 0), [4, 8]) == [(0, 1), (0, 0), (0, 1)]


def test_it_begins_at_a_multiple_of_what_is_pooled_from_the_scan_s_first_voxel():
    # 51 is 48 and 3 more; 3 + 141 is 144.
    assert widths_of_one((141, 161, 136), (51, 32, 11), CHANNELS) == [(3, 0), (0, 15), (11, 13)]


def test_a_scan_too_large_to_hold_is_not_one_window():
    side = round((MOST_VALUES / 16) ** (1 / 3)) // 16 * 16
    assert widths_of_one((side,) * 3, (0, 0, 0), CHANNELS) == [(0, 0)] * 3
    assert widths_of_one((side + 16,) * 3, (0, 0, 0), CHANNELS) is None
    assert widths_of_one((side,) * 3, (0, 0, 0), [32, *CHANNELS[1:]]) is None


@torch.no_grad()
@pytest.mark.parametrize("first", [(3, 5, 2), (4, 1, 7)])
def test_a_cropped_scan_gets_the_answer_of_the_whole_one(first):
    torch.manual_seed(0)
    net = UNet3D(1, 2, (4, 8), (0.0, 0.0)).double().eval()
    scan = torch.randn(1, 40, 40, 40, dtype=torch.float64)
    place = (slice(None), *(slice(n, n + 31) for n in first))
    inner = (slice(None), *[slice(10, 21)] * 3)  # farther from the crop's border than the network sees
    whole = net(scan[None])[0][place][inner].float()
    aligned, blind = (
        predict_one(scan[place], widths_of_one((31, 31, 31), origin, (4, 8)), net)[inner]
        for origin in (first, (0, 0, 0))
    )
    torch.testing.assert_close(aligned, whole)
    with pytest.raises(AssertionError):  # pooled with other neighbours
        torch.testing.assert_close(blind, whole)


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
