import json
import math
from pathlib import Path

import pytest
import torch

from brainseg.losses import CategoricalCrossentropy, CategoricalHinge, KLDivergence
from brainseg.losses.categorical import categorical_hinge, kl_divergence

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "classification_losses.json").read_text())[
    "vectors"
]
NORMALISED = ["A_generic", "B_uniform", "E_simple"]  # softmax(log p) is p again, and the truth is one-hot
MODULES = {
    "categorical_crossentropy": CategoricalCrossentropy(),
    "kl_divergence": KLDivergence(),
    "categorical_hinge": CategoricalHinge(),
}


def tensor(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("vector", GOLDEN)
@pytest.mark.parametrize(
    ("name", "loss"), [("kl_divergence", kl_divergence), ("categorical_hinge", categorical_hinge)]
)
def test_losses_of_probabilities_equal_keras(vector, name, loss):
    golden = GOLDEN[vector]
    got = loss(tensor(golden["y_pred"]), tensor(golden["y_true"]))
    torch.testing.assert_close(got, tensor(golden["expected"][name]["per_sample"]), rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("vector", NORMALISED)
@pytest.mark.parametrize("name", MODULES)
def test_losses_of_logits_equal_keras_after_a_softmax(vector, name):
    golden = GOLDEN[vector]
    labels = tensor(golden["y_true"]).argmax(dim=1)
    got = MODULES[name](tensor(golden["y_pred"]).log(), labels)
    assert got.item() == pytest.approx(golden["expected"][name]["mean"], rel=1e-7)


def test_crossentropy_renormalises_what_does_not_sum_to_one_as_keras_does():
    golden = GOLDEN["F_unnormalised"]
    got = CategoricalCrossentropy()(tensor(golden["y_pred"]).log(), torch.tensor([0, 2]))
    assert got.item() == pytest.approx(golden["expected"]["categorical_crossentropy"]["mean"], rel=1e-7)


@pytest.mark.parametrize("vector", ["C_saturated", "D_perfect"])
def test_crossentropy_of_clipped_probabilities_equals_keras(vector):
    golden = GOLDEN[vector]
    clipped = tensor(golden["y_pred"]).clamp(1e-7, 1 - 1e-7)
    got = CategoricalCrossentropy()(clipped.log(), torch.arange(4))
    # the clipped row sums to 1 + 2e-7, which the softmax divides out
    assert got.item() == pytest.approx(golden["expected"]["categorical_crossentropy"]["mean"], abs=3e-7)


@pytest.mark.parametrize(
    ("name", "value", "gradient"),
    [
        ("categorical_crossentropy", 100.0, -1.0),  # Keras 2 keeps the logits of the softmax
        ("kl_divergence", -math.log(1e-7), 0.0),
        ("categorical_hinge", 2.0, 0.0),
    ],
)
def test_a_saturated_wrong_answer_has_keras_value_and_gradient(name, value, gradient):
    logits = tensor([[50.0, -50.0, 0.0, 0.0]]).requires_grad_()
    loss = MODULES[name](logits, torch.tensor([1]))
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=1e-5)
    assert logits.grad[0, 1].item() == pytest.approx(gradient, abs=1e-9)


@pytest.mark.parametrize("name", MODULES)
def test_a_certain_and_right_answer_costs_nothing(name):
    logits = 50 * torch.eye(4)
    assert MODULES[name](logits, torch.arange(4)).item() == pytest.approx(0, abs=1e-6)


def test_divergence_and_crossentropy_differ_by_less_than_five_millionths(rng):
    logits, labels = torch.randn(64, 4, generator=rng, dtype=torch.float64), torch.arange(64) % 4
    assert abs(KLDivergence()(logits, labels) - CategoricalCrossentropy()(logits, labels)) < 5e-6


@pytest.mark.parametrize("name", MODULES)
def test_half_precision_logits_are_summed_in_float32(name, rng):
    logits, labels = torch.randn(512, 4, generator=rng).bfloat16(), torch.arange(512) % 4
    loss = MODULES[name](logits, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(MODULES[name](logits.double(), labels).item(), rel=1e-5)
