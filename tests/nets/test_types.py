"""Networks that name a type: built by name, of any size of image, their encoder that of the segmenter."""

import pytest
import torch

from brainseg.config import ConfigError
from brainseg.config.choices import TypeNet
from brainseg.nets import build_type_net, build_volume_net
from brainseg.nets.types import TYPE_NETS


def test_every_network_that_can_be_chosen_can_be_built():
    assert {choice.name for choice in TypeNet} == set(TYPE_NETS)


@pytest.mark.parametrize("name", TYPE_NETS)
@torch.no_grad()
def test_a_network_names_the_type_of_cubes_of_any_size(name):
    net = build_type_net(name, 2, 4, [4, 8, 8], 0.1).eval()
    assert net(torch.randn(2, 2, 32, 32, 32)).shape == (2, 4)
    assert net(torch.randn(1, 2, 48, 32, 40)).shape == (1, 4)


@torch.no_grad()
def test_the_encoder_computes_what_the_segmenter_computes_on_its_way_down():
    unet = build_volume_net("unet", 2, 3, [4, 8, 16]).eval()
    net = build_type_net("unet_encoder", 2, 4, [4, 8, 16]).eval()
    theirs = {f"features.{name}": tensor for name, tensor in unet.state_dict().items()}
    ours = [name for name in net.state_dict() if name.startswith("features.")]
    net.load_state_dict({name: theirs[name] for name in ours}, strict=False)
    seen = {}
    unet.model[1].submodule[1].submodule.register_forward_hook(lambda _m, _i, out: seen.update(deep=out))
    image = torch.randn(1, 2, 16, 16, 16)
    unet(image)
    torch.testing.assert_close(net.features(image), seen["deep"])


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ConfigError, match="'vgg' is unknown"):
        build_type_net("vgg", 1, 4, [4, 8])
    with pytest.raises(ConfigError, match="two levels"):
        build_type_net("residual", 1, 4, [4])
