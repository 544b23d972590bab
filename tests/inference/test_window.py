from dataclasses import replace

import pytest
import torch
from monai.inferers import sliding_window_inference
from torch import nn

from brainseg.config.choices import Blend
from brainseg.config.defaults import default_window
from brainseg.config.errors import ConfigError
from brainseg.inference import Windows, on_host, predict_windows

from ..far_device import FAR, Far, far_device

CUBE = (8, 8, 8)


def windows(overlap: float = 0.5, blend: Blend = Blend.gaussian, batch_size: int = 4) -> Windows:
    return Windows(overlap, blend, batch_size)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def net() -> nn.Module:
    """Two 3^3 convolutions, so that a window's border sees padding that its middle does not."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 3, padding=1)).eval()


@pytest.mark.parametrize("blend", list(Blend))
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(17, 12, 9), (8, 8, 8), (5, 20, 3)])
def test_windows_over_an_identity_network_return_the_volume(shape, overlap, blend, rng):
    image = torch.randn(2, *shape, generator=rng)
    result = predict_windows(image, CUBE, windows(overlap, blend), predict=lambda x: x)
    torch.testing.assert_close(result, image, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("blend", list(Blend))
def test_the_result_does_not_depend_on_the_batch_size(blend, net, rng):
    image = torch.randn(2, 21, 14, 10, generator=rng)
    with torch.no_grad():
        one, four, all_at_once = (
            predict_windows(image, CUBE, windows(0.5, blend, n), predict=net) for n in (1, 4, 1000)
        )
    torch.testing.assert_close(one, four, rtol=0, atol=1e-6)
    torch.testing.assert_close(one, all_at_once, rtol=0, atol=1e-6)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("shape", [(21, 14, 10), (6, 14, 5)])
def test_an_even_blend_equals_monais(shape, overlap, net, rng):
    image = torch.randn(2, *shape, generator=rng)
    with torch.no_grad():
        ours = predict_windows(image, CUBE, windows(overlap, Blend.constant), predict=net)
        theirs = sliding_window_inference(image[None], (8, 8, 8), 4, net, overlap, mode="constant")[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_a_gaussian_blend_equals_monais_with_the_same_weights_and_beats_its_own(net, rng):
    image = torch.randn(2, 21, 14, 10, generator=rng)
    offset = torch.arange(8) - 3.5
    x = torch.exp(-0.5 * offset**2)  # standard deviation 8 / 8
    weights = x[:, None, None] * x[:, None] * x
    with torch.no_grad():
        whole = net(image[None])[0]
        ours = predict_windows(image, CUBE, windows(), predict=net)
        same = sliding_window_inference(image[None], (8, 8, 8), 4, net, 0.5, roi_weight_map=weights)[0]
        floored = sliding_window_inference(image[None], (8, 8, 8), 4, net, 0.5, mode="gaussian")[0]
    torch.testing.assert_close(ours, same, rtol=0, atol=1e-5)
    # MONAI lifts weights below 0.001 to it; without that, windows come closer to the network on the whole
    assert (ours - whole).abs().mean() < 0.5 * (floored - whole).abs().mean()


def test_overlapping_windows_are_averaged_by_hand():
    # windows of 2 voxels at 0 and 1 answer 1 and 2: the voxel that both see gets 1.5
    answers = iter([1.0, 2.0])
    result = predict_windows(
        torch.zeros(1, 3, 1, 1),
        (2, 1, 1),
        windows(0.5, Blend.constant, batch_size=1),
        predict=lambda x: torch.full_like(x, next(answers)),
    )
    assert result.flatten().tolist() == [1.0, 1.5, 2.0]


def test_the_middle_of_a_window_counts_more_in_a_gaussian_blend():
    # windows of 8 voxels at 0 and 4: voxel 5 is 1.5 from the second's border but in the first's tail
    answers = iter([0.0, 1.0])
    result = predict_windows(
        torch.zeros(1, 12, 1, 1),
        (8, 1, 1),
        windows(batch_size=1),
        predict=lambda x: torch.full_like(x, next(answers)),
    ).flatten()
    assert result[:4].tolist() == [0] * 4
    assert result[4] < 0.05 < 0.95 < result[7]


def test_a_small_volume_is_padded_with_zeros_on_both_sides():
    seen = []

    def look(windows):
        seen.append(windows)
        return windows

    predict_windows(torch.ones(1, 1, 4, 5), (4, 4, 4), windows(), predict=look)
    assert seen[0].shape == (2, 1, 4, 4, 4)
    assert seen[0][0, 0, :, 0, 0].tolist() == [0, 1, 0, 0]


def test_half_precision_answers_are_summed_in_float32():
    image = torch.full((1, 8, 8, 8), 1.001)
    result = predict_windows(image, (4, 4, 4), windows(0.75), predict=lambda x: x.half())
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, image.half().float(), rtol=1e-6, atol=0)


def test_no_more_windows_are_asked_for_than_cover_the_volume():
    calls = []

    def count(windows):
        calls.append(len(windows))
        return windows

    predict_windows(torch.zeros(1, 16, 8, 8), CUBE, windows(batch_size=2), predict=count)
    assert calls == [2, 1]  # starts 0, 4, 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"overlap": 1.0}, r"overlap must be in \[0, 1\), got 1.0"),
        ({"overlap": -0.1}, r"overlap must be in \[0, 1\), got -0.1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_windows_that_cannot_be_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        windows(**change)


@pytest.mark.parametrize("sides", [(8, 8), (8, 0, 8)])
def test_a_window_has_three_positive_sides(sides):
    with pytest.raises(ConfigError, match="three positive numbers"):
        predict_windows(torch.zeros(1, 8, 8, 8), sides, windows(), predict=lambda x: x)


def test_the_default_window_is_that_of_predict_py():
    found = Windows.of(default_window())
    assert (found.overlap, found.blend, found.batch_size) == (0.5, Blend.gaussian, 2)
    assert found.at((1, 2, 3)).origin == (1, 2, 3)
    assert found.origin == (0, 0, 0)


@pytest.mark.parametrize("blend", list(Blend))
@pytest.mark.parametrize("shape", [(21, 14, 10), (6, 14, 5), (40, 33, 24)])
def test_a_mean_that_is_kept_in_half_gives_the_same_masks(shape, blend, net, rng):
    # Values as logits are. The corners have the smallest weights: 4e-11 of a Gaussian window.
    image = 20 * torch.randn(2, *shape, generator=rng)
    with torch.no_grad():
        whole = predict_windows(image, CUBE, windows(0.5, blend), predict=net)
        half = predict_windows(image, CUBE, replace(windows(0.5, blend), half=True), predict=net)
    assert (whole.dtype, half.dtype) == (torch.float32, torch.float16)
    torch.testing.assert_close(half.float(), whole, rtol=2e-3, atol=2e-3)
    for one, other in zip(whole.argmax(0).unique(), half.argmax(0).unique(), strict=True):
        mask, same = whole.argmax(0) == one, half.argmax(0) == other
        assert float(2 * (mask & same).sum() / (mask.sum() + same.sum())) > 0.999


@pytest.mark.parametrize("half", [False, True])
def test_windows_lie_on_the_device_of_the_volume_until_the_answer_is_fetched(half, rng):
    image, how = torch.randn(2, 21, 14, 10, generator=rng), replace(windows(), half=half)
    here = predict_windows(image, CUBE, how, predict=lambda x: x)
    with far_device():
        far = predict_windows(image.to(FAR), CUBE, how, predict=lambda x: x)
        fetched = on_host(far)
    assert isinstance(far, Far)
    assert torch.equal(far.here, here)
    assert fetched.dtype == torch.float32
    assert torch.equal(fetched, here.half().float())


def test_the_mean_is_kept_in_half_on_a_gpu_alone():
    assert not Windows.of(default_window()).half
    assert not Windows.of(default_window(), torch.device("cpu")).half
    assert Windows.of(default_window(), torch.device("cuda")).half
