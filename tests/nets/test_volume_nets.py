import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from brainseg.config.errors import ConfigError
from brainseg.nets import build_volume_net, folded, sees_its_window
from brainseg.nets.menu import VOLUME_NETS
from brainseg.nets.residual_unet3d import ResidualUNet3D
from brainseg.nets.unet3d import UNet3D

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "residual_unet3d.json").read_text())["values"]
SMALL = (8, 16, 32)
BATCH_NORMED = ("unet", "segresnet", "dynunet")


def parameters(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def small_net(name: str, in_channels: int = 2, out_channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return build_volume_net(name, in_channels, out_channels, SMALL).eval()


def test_unet3d_has_the_parameters_of_the_reports_network():
    assert parameters(UNet3D(3, 4)) == 5_645_828


@pytest.mark.parametrize(
    ("block", "optional_skip", "count"),
    [
        ("base", True, 23_766_848),
        (
            "base",
            False,
            23_656_192,
        ),  # the original counts 23,766,848 here too: two convolutions it never uses
        ("advanced", True, 35_379_008),
        ("advanced", False, 35_268_352),
    ],
)
def test_residual_unet3d_has_the_parameters_of_the_original(block, optional_skip, count):
    with torch.device("meta"):
        assert parameters(ResidualUNet3D(block=block, optional_skip=optional_skip)) == count


@pytest.mark.parametrize("block", ["base", "advanced"])
@pytest.mark.parametrize("optional_skip", [True, False])
def test_residual_unet3d_computes_what_the_original_network_computes(block, optional_skip):
    golden = GOLDEN[f"{block}_skip_{optional_skip}"]
    net = ResidualUNet3D(1, 1, (4, 8, 16, 32), block, optional_skip).double().eval()
    with torch.no_grad():
        for weight in net.parameters():
            terms = torch.arange(1, weight.numel() + 1, dtype=torch.float64)
            weight.copy_((terms.sin() / math.sqrt(weight[0].numel())).reshape(weight.shape))
        image = (0.05 * torch.arange(16**3, dtype=torch.float64)).sin().reshape(1, 1, 16, 16, 16)
        probabilities = net(image).sigmoid()

    unused = 27 * 4 * 4 + 4  # convolutions that the original builds even without the optional skip
    assert parameters(net) == golden["n_params"] - (0 if optional_skip else unused)
    assert probabilities.sum().item() == pytest.approx(golden["sum"], rel=1e-9)
    for index, value in golden["at_flat_index"].items():
        assert probabilities.flatten()[int(index)].item() == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", VOLUME_NETS)
def test_every_network_gives_logits_on_the_grid_of_its_input(name):
    with torch.no_grad():
        logits = small_net(name)(torch.randn(2, 2, 16, 8, 24, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (2, 3, 16, 8, 24)
    assert logits.min() < 0  # a sigmoid or softmax inside would forbid it


@pytest.mark.parametrize("name", VOLUME_NETS)
def test_a_network_is_rebuilt_exactly_from_its_plain_values_and_weights(name):
    first = small_net(name)
    torch.manual_seed(1)
    second = build_volume_net(name, 2, 3, list(SMALL)).eval()
    second.load_state_dict(first.state_dict())
    image = torch.randn(1, 2, 8, 8, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(first(image), second(image))


@pytest.mark.parametrize("name", VOLUME_NETS)
def test_every_weight_gets_a_gradient(name):
    net = small_net(name).train()
    net(torch.randn(1, 2, 16, 16, 16, generator=torch.Generator().manual_seed(0))).square().mean().backward()
    assert [key for key, weight in net.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("name", VOLUME_NETS)
def test_sides_that_do_not_halve_are_refused_with_sides_that_do(name):
    with pytest.raises(ConfigError, match=r"\(10, 8, 8\).*divisible by 4.*\(12, 8, 8\)"):
        small_net(name)(torch.zeros(1, 2, 10, 8, 8))


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "norm"), [*((name, "own") for name in VOLUME_NETS), *((name, "batch") for name in BATCH_NORMED)]
)
def test_what_lies_far_away_is_seen_by_norms_of_a_window_only(name, norm):
    torch.manual_seed(0)
    net = build_volume_net(name, 1, 2, SMALL, norm=norm).eval()
    window = torch.randn(1, 1, 96, 8, 8)
    longer = torch.cat([window, 9 * torch.rand(1, 1, 32, 8, 8)], dim=2)
    near, far = slice(88, 96), slice(0, 8)  # to the bright part; no network reaches 88 voxels
    one, other = net(window), net(longer)
    assert not torch.allclose(one[:, :, near], other[:, :, near], atol=1e-3)
    alike = torch.allclose(one[:, :, far], other[:, :, far], atol=1e-5)
    assert sees_its_window(net) is not alike
    assert alike is (norm == "batch" or name == "unet3d")


@pytest.mark.parametrize("name", BATCH_NORMED)
def test_batch_norms_take_the_place_of_all_others(name):
    kinds = {
        type(part)
        for part in build_volume_net(name, 1, 1, SMALL, norm="batch").modules()
        if isinstance(part, nn.modules.batchnorm._NormBase | nn.GroupNorm)
    }
    assert kinds == {nn.BatchNorm3d}


@torch.no_grad()
@pytest.mark.parametrize(
    # unet keeps one after a transposed convolution, segresnet nine before a sum of two branches and the last.
    ("name", "options", "left"),
    [
        ("dynunet", {}, 0),
        ("dynunet", {"deep_supervision": True}, 0),
        ("unet", {}, 1),
        ("segresnet", {}, 10),
    ],
)
def test_batch_norms_become_part_of_the_convolutions_before_them(name, options, left):
    torch.manual_seed(0)
    net = build_volume_net(name, 2, 3, SMALL, norm="batch", **options).double().eval()
    for part in norms(net):
        part.running_mean.uniform_(-1, 1)
        part.running_var.uniform_(0.5, 2)
        part.weight.uniform_(0.5, 2)
        part.bias.uniform_(-1, 1)
    image = torch.randn(2, 2, 16, 8, 8, dtype=torch.float64)  # in float32 the order of sums decides 1e-5
    answer, ready = net(image), folded(net)
    torch.testing.assert_close(ready(image), answer, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(net(image), answer, rtol=0, atol=0)
    assert len(norms(ready)) == left < len(norms(net))
    assert not sees_its_window(ready)


def norms(net: nn.Module) -> list[nn.Module]:
    return [part for part in net.modules() if isinstance(part, nn.BatchNorm3d)]


@pytest.mark.parametrize("name", VOLUME_NETS)
def test_a_network_without_batch_norms_is_left_as_it_is(name):
    net = small_net(name)
    assert folded(net) is net


@pytest.mark.parametrize("levels", [2, 3, 6])
def test_unet3d_has_as_many_levels_as_channels(levels):
    net = UNet3D(1, 2, channels=(2,) * levels, dropout=(0.0,) * levels)
    side = 2 ** (levels - 1)
    assert net(torch.zeros(1, 1, side, side, side)).shape == (1, 2, side, side, side)


def test_unet3d_puts_the_upsampled_features_before_those_of_the_skip():
    torch.manual_seed(0)
    net = UNet3D(1, 1, (4, 8), (0.0, 0.0))
    with torch.no_grad():
        net.enlarge[0].weight.zero_()
        net.up[0].first.weight[
            :, 4:
        ].zero_()  # blind to the skip, and what comes up is zero: nothing is left to see
        assert net(torch.randn(1, 1, 8, 8, 8)).std() == 0


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_unet3d_answers_the_same_with_gradients_and_without(layout):
    torch.manual_seed(0)
    net = UNet3D(2, 3, SMALL, (0.0,) * 3).to(memory_format=layout)
    image = torch.randn(2, 2, 16, 12, 8).to(memory_format=layout)
    with torch.no_grad():
        predicted = net(image)
    assert torch.equal(net(image), predicted)


@torch.no_grad()
def test_unet3d_begins_and_ends_in_float32_where_it_predicts_in_bfloat16():
    torch.manual_seed(0)
    net = UNet3D(2, 3, SMALL, (0.0,) * 3)
    image, features = torch.randn(1, 2, 8, 8, 8), torch.randn(1, SMALL[0], 8, 8, 8)
    for end, x in [(net.down[0].first, image), (net.out, features)]:
        exact = end(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(end.eval()(x), exact)
            assert end.train()(x).dtype is torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert net.eval().down[0].second(image.repeat(1, 4, 1, 1, 1)).dtype is torch.bfloat16
        assert net(image).dtype is torch.float32


def test_dropout_of_unet3d_acts_in_training_only():
    torch.manual_seed(0)
    net = UNet3D(1, 1, (4, 8), (0.5, 0.5))
    image = torch.randn(1, 1, 8, 8, 8)
    assert not torch.equal(net.train()(image), net(image))
    assert torch.equal(net.eval()(image), net(image))


def test_advanced_block_drops_after_its_first_two_convolutions_at_the_reports_rates():
    rates = [
        m.p for m in ResidualUNet3D(channels=(2, 4), block="advanced").modules() if isinstance(m, nn.Dropout)
    ]
    assert rates == [0.2, 0.1] * 2  # one block down, one up
    net = build_volume_net("residual_unet3d_advanced", 1, 1, (2, 4), dropout=0.2)
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == rates


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vnet", 1, 1, SMALL), "'vnet' is unknown; choose one of unet3d, residual_unet3d"),
        (("unet", 1, 1, (8,)), "two levels or more"),
        (("unet3d", 1, 1, SMALL, (0.1, 0.2)), "3 levels .* but 2 dropout rates"),
        (("unet", 1, 1, SMALL, (0.1, 0.2, 0.3)), "unet takes one dropout rate"),
        (("residual_unet3d", 1, 1, SMALL, 0.1), "residual_unet3d has no dropout"),
        (("segresnet", 1, 1, (8, 16, 24)), r"doubles its channels.*\[8, 16, 32\]"),
        (("dynunet", 1, 1, (8, 16)), "three levels"),
        (("unet", 1, 1, SMALL, 0.0, False), "optional_skip=false belongs to"),
        (("residual_unet3d", 2, 1, SMALL, 0.0, False), "needs 1 or 8 input channels, got 2"),
        (("unet3d", 1, 1, SMALL, 0.0, True, "batch"), "unet3d has no norm=batch; .* unet, segresnet"),
        (("unet", 1, 1, SMALL, 0.0, True, "layer"), "unet has no norm=layer"),
    ],
)
def test_values_that_a_network_cannot_follow_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        build_volume_net(*arguments)


def test_residual_unet3d_refuses_an_input_that_shrinks_to_one_voxel():
    with pytest.raises(ConfigError, match="single voxel"):
        ResidualUNet3D(channels=(2, 4, 8))(torch.zeros(1, 1, 4, 4, 4))


def test_residual_unet3d_names_unknown_blocks_and_superfluous_rates():
    with pytest.raises(ConfigError, match="block='deep' is unknown; choose one of base, advanced"):
        ResidualUNet3D(block="deep")
    with pytest.raises(ConfigError, match="base block has no dropout"):
        ResidualUNet3D(dropout=(0.2, 0.1))
    with pytest.raises(ConfigError, match="two dropout rates"):
        ResidualUNet3D(block="advanced", dropout=(0.2,))
