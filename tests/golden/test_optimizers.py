"""What torch's optimizers share with Keras's, and where Adam's epsilon parts them."""

import json
from pathlib import Path

import pytest
import torch

GOLDEN = json.loads((Path(__file__).parent / "optimizers.json").read_text())


def trajectory(make_optimizer) -> torch.Tensor:
    """Values (5 steps, 5) of x in minimising 0.5 sum a (x - c)^2."""
    a, c, x = (torch.tensor(GOLDEN["problem"][key], dtype=torch.float64) for key in ("a", "c", "x0"))
    x.requires_grad_()
    optimizer = make_optimizer([x])
    rows = []
    for _ in range(5):
        optimizer.zero_grad()
        (0.5 * a * (x - c) ** 2).sum().backward()
        optimizer.step()
        rows.append(x.detach().clone())
    return torch.stack(rows)


def golden(name: str) -> torch.Tensor:
    return torch.tensor(GOLDEN["trajectories"][name], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "make_optimizer"),
    [
        ("SGD", lambda x: torch.optim.SGD(x, lr=1e-2)),
        ("Nadam_legacy", lambda x: torch.optim.NAdam(x, lr=1e-3, eps=1e-7, momentum_decay=4e-3)),
        ("Nadam", lambda x: torch.optim.NAdam(x, lr=1e-3, eps=1e-7, momentum_decay=1.0)),
    ],
)
def test_sgd_and_nadam_follow_keras(name, make_optimizer):
    torch.testing.assert_close(trajectory(make_optimizer), golden(name), rtol=0, atol=2e-11)


def test_adam_follows_keras_where_gradients_are_large_and_parts_from_it_where_they_are_tiny():
    difference = (trajectory(lambda x: torch.optim.Adam(x, lr=1e-3, eps=1e-7)) - golden("Adam")).abs()
    assert difference[:, :3].max() < 3.5e-8  # |gradient| > 0.1
    assert difference[:, 3:].max() == pytest.approx(3.0e-3, rel=0.02)  # |gradient| about 3e-5 and 7e-7
