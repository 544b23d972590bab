import socket

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from brainseg.config.errors import CheckpointError, ConfigError, UserError
from brainseg.nets import SliceClassifier, load_imagenet


def parameters(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.fixture
def resnet() -> SliceClassifier:
    torch.manual_seed(1)
    return SliceClassifier("resnet10t", 4)


@pytest.fixture(scope="module")
def timm_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(timm.create_model("resnet10t", pretrained=False).state_dict())  # with its classifier of 1000


@pytest.mark.parametrize(
    ("backbone", "head", "count"),
    [
        ("vgg16", "linear", 14_716_740),
        ("vgg16", "mlp", 14_750_196),
        ("resnet50", "linear", 23_516_228),
        ("mobilenetv2_100", "linear", 2_228_996),
        ("efficientnet_b0", "linear", 4_012_672),
    ],
)
def test_parameters_are_those_counted_in_keras_and_timm(backbone, head, count):
    assert parameters(SliceClassifier(backbone, 4, head)) == count


@pytest.mark.parametrize(
    "backbone",
    [
        "vgg11_bn",
        "resnet18",
        "mobilenetv3_small_050",
        "convnext_atto",
        "densenet121",
        "ghostnet_100",
        "mobilevit_xxs",
    ],
)
def test_any_timm_backbone_gives_one_logit_per_class(backbone):
    net = SliceClassifier(backbone, 4).eval()
    assert net(torch.zeros(2, 3, 64, 64)).shape == (2, 4)


def test_vgg_pools_the_mean_of_its_last_feature_map():
    torch.manual_seed(0)
    net = SliceClassifier("vgg11", 4).eval()
    slices = torch.randn(2, 3, 64, 64)
    features = net.backbone.features(slices).mean(dim=(2, 3))
    assert torch.allclose(net(slices), net.head(features), atol=1e-6)


def test_a_transformer_of_fixed_size_works_at_its_size_and_names_it_at_any_other():
    net = SliceClassifier("vit_tiny_patch16_224", 4).eval()
    assert net(torch.zeros(1, 3, 224, 224)).shape == (1, 4)
    with pytest.raises(
        ConfigError, match=r"vit_tiny_patch16_224 .*\(224, 224\) pixels only, got \(128, 128\)"
    ):
        net(torch.zeros(1, 3, 128, 128))


def test_the_mlp_head_is_the_reports():
    head = SliceClassifier("resnet10t", 4, "mlp", dropout=0.3).head
    shapes = [(m.in_features, m.out_features) for m in head if isinstance(m, nn.Linear)]
    assert shapes == [(512, 64), (64, 32), (32, 16), (16, 4)]
    # one dropout, after the first layer
    assert [(i, m.p) for i, m in enumerate(head) if isinstance(m, nn.Dropout)] == [(2, 0.3)]


def test_building_never_opens_a_connection(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    SliceClassifier("resnet18", 4)


def test_unknown_backbone_and_head_are_named_with_what_would_do():
    with pytest.raises(ConfigError, match=r"backbone 'resnet51' is unknown to timm; did you mean .*resnet5"):
        SliceClassifier("resnet51", 4)
    with pytest.raises(ConfigError, match="head='wide' is unknown; choose linear or mlp"):
        SliceClassifier("resnet10t", 4, head="wide")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_with_timms_names_fill_the_backbone_and_leave_the_head(
    resnet, timm_weights, tmp_path, suffix
):
    path = tmp_path / f"weights{suffix}"
    (torch.save if suffix == ".pth" else save_file)(timm_weights, path)
    head = resnet.head.weight.clone()

    loaded = load_imagenet(resnet, path)

    state = resnet.backbone.state_dict()
    assert all(torch.equal(state[name], timm_weights[name]) for name in state)
    assert torch.equal(resnet.head.weight, head)
    assert (loaded.matched, loaded.left_out, loaded.by) == (len(state), 2, "name")
    assert f"{len(state)} tensors matched by name, 2 of its head left out" in str(loaded)


@pytest.mark.parametrize("with_head", [True, False])
def test_weights_with_other_names_are_matched_in_order(resnet, timm_weights, tmp_path, with_head):
    keep = {k: v for k, v in timm_weights.items() if not k.endswith("num_batches_tracked")}
    renamed = {
        f"layer{i}.{name.rpartition('.')[2]}": value
        for i, (name, value) in enumerate(keep.items())
        if with_head or not name.startswith("fc.")
    }
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": renamed}, path)

    loaded = load_imagenet(resnet, path)

    state = resnet.backbone.state_dict()
    assert all(torch.equal(state[name], keep[name]) for name in state if name in keep)
    assert (loaded.by, loaded.left_out) == ("order", 2 if with_head else 0)


def test_loading_changes_nothing_when_it_fails(resnet, timm_weights, tmp_path):
    before = {name: value.clone() for name, value in resnet.state_dict().items()}
    path = tmp_path / "short.pth"
    torch.save({name: value for name, value in timm_weights.items() if name != "layer1.0.conv1.weight"}, path)
    with pytest.raises(
        CheckpointError, match=r"short.pth: 1 of .* missing by name, first layer1.0.conv1.weight"
    ):
        load_imagenet(resnet, path)
    assert all(torch.equal(before[name], value) for name, value in resnet.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"layer9.0.weight": torch.zeros(1)},
            "1 tensors that resnet10t does not have, first layer9.0.weight",
        ),
        (
            {"layer1.0.conv1.weight": torch.zeros(1)},
            r"layer1.0.conv1.weight is \(1,\) but the backbone wants \(64,",
        ),
    ],
)
def test_weights_of_another_network_are_refused(resnet, timm_weights, tmp_path, change, message):
    path = tmp_path / "other.pth"
    torch.save({**timm_weights, **change}, path)
    with pytest.raises(CheckpointError, match=message):
        load_imagenet(resnet, path)


class _Payload:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_Payload(), "not a file of plain tensors"),  # a pickle that would run code
        ([1, 2], "holds no state dict"),
        ({"epoch": 3}, "holds no state dict"),
    ],
)
def test_files_that_are_no_state_dict_are_refused_and_never_executed(
    resnet, tmp_path, capsys, content, message
):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        load_imagenet(resnet, path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_broken_and_absent_files_are_named(resnet, tmp_path, name):
    path = tmp_path / name
    with pytest.raises(CheckpointError, match=f"{name}: no such file"):
        load_imagenet(resnet, path)
    path.write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match=f"{name}: not a file of plain tensors"):
        load_imagenet(resnet, path)


def test_timms_own_weights_are_asked_for_when_no_file_is_given(resnet, timm_weights, monkeypatch):
    pretrained = timm.create_model("resnet10t", pretrained=False, num_classes=0)
    monkeypatch.setattr(
        timm, "create_model", lambda name, pretrained_model=pretrained, **options: pretrained_model
    )
    loaded = load_imagenet(resnet)
    assert torch.equal(resnet.backbone.conv1[0].weight, pretrained.conv1[0].weight)
    assert (loaded.source, loaded.left_out) == ("resnet10t of timm", 0)


def test_a_failed_download_answers_in_one_line_with_the_mend(resnet, monkeypatch):
    def fail(*args, **options):
        raise OSError("no route to host\nand much more")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(UserError, match=r"classifier.weights=PATH.*classifier.pretrained=false") as caught:
        load_imagenet(resnet)
    assert "no route to host" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_backbone_that_timm_has_no_weights_for_answers_likewise():
    net = SliceClassifier("resnet10t", 4)
    net.backbone_name = "coatnet_0_224"  # timm says so before it builds or connects
    with pytest.raises(UserError, match=r"coatnet_0_224 could not be had: No pretrained weights exist"):
        load_imagenet(net)


@pytest.mark.parametrize(
    ("backbone", "size", "stage"),
    [
        ("resnet50", 128, "backbone.layer4"),  # 4 x 4 places
        ("resnet50", 64, "backbone.layer4"),  # 2 x 2
        ("resnet50", 32, "backbone.layer3"),  # the last has one place only
        ("vit_tiny_patch16_224", 224, None),
    ],
)
def test_grad_cam_looks_at_the_last_map_that_has_places(backbone, size, stage):
    assert SliceClassifier(backbone, 4).map_stage(size) == stage
