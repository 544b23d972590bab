"""preset=keras: the report's backbones as Keras 2 builds and feeds them, by its source."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from brainseg.config import ConfigError, check, plain
from brainseg.tasks import Classifier

ROOT = Path(__file__).resolve().parents[2]
KERAS = {  # batch-norm layers, eps, momentum as torch counts it, input range
    "vgg16": (0, None, None, "caffe"),
    "resnet50": (53, 1.001e-5, 0.01, "caffe"),
    "mobilenetv2": (52, 1e-3, 0.001, "tf"),
    "efficientnet_b0": (49, 1e-3, 0.01, "unit"),
}


def built(cfg) -> Classifier:
    check(cfg)
    return Classifier(plain(cfg.classifier))


@pytest.mark.parametrize("backbone", KERAS)
def test_batch_normalisation_and_input_are_keras_s(composed, backbone):
    layers, eps, momentum, normalise = KERAS[backbone]
    cfg = composed("preset=keras", f"classifier.backbone={backbone}")
    assert str(cfg.classifier.preprocess.normalise) == normalise
    norms = [m for m in built(cfg).net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == layers
    assert all((norm.eps, norm.momentum) == (eps, momentum) for norm in norms)


def test_the_head_starts_as_keras_s_dense(composed):
    torch.manual_seed(0)
    head = built(composed("preset=keras", "classifier.backbone=resnet50")).net.head
    bound = (6 / (2048 + 4)) ** 0.5
    assert head.bias.abs().max() == 0
    assert 0.99 * bound < head.weight.abs().max() <= bound
    assert head.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.03)  # of a uniform distribution


def test_efficientnet_drops_paths_evenly_up_to_a_fifth(composed):
    net = built(composed("preset=keras", "classifier.backbone=efficientnet_b0")).net
    rates = [m.drop_prob for m in net.modules() if type(m).__name__ == "DropPath"]
    assert rates == pytest.approx([0.2 * i / 16 for i in range(1, 16)])  # of 16 blocks the first has 0


@pytest.mark.parametrize("backbone", ["resnet50", "mobilenetv2", "efficientnet_b0"])
def test_without_the_preset_they_are_timm_s(composed, backbone):
    cfg = composed(f"classifier.backbone={backbone}")
    assert str(cfg.classifier.preprocess.normalise) == "imagenet"
    norms = [m for m in built(cfg).net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((norm.eps, norm.momentum) == (1e-5, 0.1) for norm in norms)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["classifier.batch_norm_eps=1e-3"], "vgg16 has no batch normalisation"),
        (["classifier.drop_path=0.1"], "vgg16 has no stochastic depth"),
        (
            ["classifier.pretrained=true", "preset=keras"],
            "classifier.pretrained is true, but preprocess.normalise=caffe",
        ),
        (["preset=keras", "classifier.backbone=resnet18"], "resnet18"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(composed, overrides, said):
    with pytest.raises(ConfigError) as caught:
        built(composed(*overrides))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refusal_ends_the_command(tmp_path):
    (tmp_path / "kaggle").mkdir()
    overrides, said = ["classifier.drop_path=0.1"], "vgg16 has no stochastic depth"
    command = [sys.executable, "train.py", *overrides, f"paths.data={tmp_path}", f"hydra.run.dir={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
