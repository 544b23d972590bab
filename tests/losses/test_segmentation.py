import json
from pathlib import Path

import pytest
import torch
from monai.losses import DiceLoss as MonaiDiceLoss
from monai.losses import FocalLoss as MonaiFocalLoss
from torch.nn import functional as F

from brainseg.losses import DiceCELoss, DiceFocalLoss, DiceLoss
from brainseg.losses.focal import CategoricalFocalLoss

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "segmentation_losses.json").read_text())[
    "vectors"
]


def golden_case(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (B, K, X, Y, Z) whose softmax is the vector's probabilities, and its labels (B, X, Y, Z)."""
    vector = GOLDEN[name]
    shape = vector["shape_BDHWC"]
    probabilities = torch.tensor(vector["pr_flat_C_order"], dtype=torch.float64).reshape(shape)
    labels = torch.tensor(vector["gt_labels_flat"]).reshape(shape[:-1])
    return probabilities.clamp_min(1e-300).log().permute(0, 4, 1, 2, 3), labels


def losses(n_classes: int) -> dict[str, torch.nn.Module]:
    foreground, quarter = range(1, n_classes), [0.25] * n_classes
    return {
        "DiceLoss()": DiceLoss(),
        "DiceLoss(per_image=True)": DiceLoss(per_image=True),
        "DiceLoss(class_weights=[0.25]*C)": DiceLoss(class_weights=quarter),
        "DiceLoss(class_weights=[1,2,3,4][:C])": DiceLoss(class_weights=[1, 2, 3, 4][:n_classes]),
        "DiceLoss(class_indexes=1..C-1)": DiceLoss(class_indexes=foreground),
        "DiceLoss(beta=2)": DiceLoss(beta=2),
        "CategoricalFocalLoss()": CategoricalFocalLoss(),
        "CategoricalFocalLoss(alpha=1,gamma=0)": CategoricalFocalLoss(alpha=1, gamma=0),
        "DiceLoss()+1*CategoricalFocalLoss()": DiceFocalLoss(),
        "DiceLoss(class_weights=[0.25]*C)+1*CategoricalFocalLoss()": DiceFocalLoss(class_weights=quarter),
    }


@pytest.mark.parametrize("vector", GOLDEN)
@pytest.mark.parametrize("name", losses(4))
def test_losses_equal_those_of_segmentation_models_3d(vector, name):
    logits, labels = golden_case(vector)
    got = losses(logits.shape[1])[name](logits, labels).item()
    # absolute: at perfection the library's clip of p leaves 2.5e-8 that the true logarithm does not
    assert got == pytest.approx(GOLDEN[vector]["expected"][name], rel=1e-7, abs=3e-8)


def test_every_golden_number_is_compared():
    assert set(losses(4)) == set(GOLDEN["S1_generic"]["expected"])


def test_dice_loss_by_hand():
    # class 0: p .8 and .4, truth the first voxel; class 1: p .2 and .6, truth the second
    logits = torch.tensor([[0.8, 0.4], [0.2, 0.6]]).log().reshape(1, 2, 1, 1, 2)
    labels = torch.tensor([0, 1]).reshape(1, 1, 1, 2)
    expected = 1 - (1.6 / 2.2 + 1.2 / 1.8) / 2
    assert DiceLoss(smooth=1e-9)(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_uniform_prediction_of_four_classes_has_the_focal_loss_of_the_facts():
    loss = CategoricalFocalLoss()(torch.zeros(1, 4, 2, 2, 2), torch.zeros(1, 2, 2, 2, dtype=torch.long))
    assert loss.item() == pytest.approx(0.048736911, rel=1e-6)


@pytest.fixture
def case(rng):
    return torch.randn(2, 4, 6, 5, 4, generator=rng), torch.randint(0, 4, (2, 6, 5, 4), generator=rng)


def test_losses_equal_monais(case):
    logits, labels = case
    monai_dice = MonaiDiceLoss(softmax=True, to_onehot_y=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)
    monai_focal = MonaiFocalLoss(use_softmax=True, to_onehot_y=True, gamma=2.0)
    assert DiceLoss()(logits, labels).item() == pytest.approx(monai_dice(logits, labels[:, None]).item())
    focal = 0.25 * monai_focal(logits, labels[:, None]).item()
    assert CategoricalFocalLoss()(logits, labels).item() == pytest.approx(focal, rel=1e-5)


def test_dice_ce_adds_the_crossentropy_per_voxel(case):
    logits, labels = case
    expected = DiceLoss(class_indexes=(1, 2, 3))(logits, labels) + 0.5 * F.cross_entropy(logits, labels)
    assert DiceCELoss(ce_weight=0.5, class_indexes=(1, 2, 3))(logits, labels).item() == pytest.approx(
        expected.item()
    )


ALL = {
    "dice": DiceLoss(),
    "focal": CategoricalFocalLoss(),
    "dice_focal": DiceFocalLoss(),
    "dice_ce": DiceCELoss(),
}


@pytest.mark.parametrize("name", ALL)
def test_small_label_types_do(case, name):
    logits, labels = case
    assert ALL[name](logits, labels.to(torch.uint8)).item() == ALL[name](logits, labels).item()


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_finite_and_alive_where_the_network_is_certain_and_wrong(name):
    logits = torch.full((1, 2, 2, 2, 2), 0.0)
    logits[:, 0], logits[:, 1] = 30.0, -30.0
    logits[0, :, 0, 0, 0] = torch.tensor([-30.0, 30.0])  # one voxel is certain and right
    logits.requires_grad_()
    ALL[name](logits, torch.ones(1, 2, 2, 2, dtype=torch.long)).backward()
    assert torch.isfinite(logits.grad).all()
    if name != "dice":  # the softmax that Dice needs is flat there
        assert (logits.grad[0, 1, 1] < 0).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_focal_gradient_is_finite_at_certainty_for_any_gamma(gamma):
    logits = torch.tensor([100.0, -100.0]).reshape(1, 2, 1, 1, 1).requires_grad_()
    CategoricalFocalLoss(gamma=gamma)(logits, torch.zeros(1, 1, 1, 1, dtype=torch.long)).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", ALL)
def test_a_million_half_precision_voxels_are_summed_in_float32(name, rng):
    logits = torch.randn(1, 2, 96, 96, 96, generator=rng).bfloat16()
    labels = torch.randint(0, 2, (1, 96, 96, 96), generator=rng)
    loss = ALL[name](logits, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(ALL[name](logits.double(), labels).item(), rel=1e-5)


def test_labels_of_another_shape_are_refused(case):
    logits, labels = case
    with pytest.raises(ValueError, match=r"labels are \(2, 1, 6, 5, 4\) but logits \(2, 4, 6, 5, 4\)"):
        DiceLoss()(logits, labels[:, None])
