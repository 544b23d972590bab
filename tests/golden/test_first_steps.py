"""The first training losses of each task: a change of structure leaves them as they are.

first_steps.json holds what `train` gives with the settings of `losses` below, to five significant digits. A
failing test prints the new losses. A change that is meant to change what is learnt (data, augmentation,
a network, a loss, an optimizer) puts them into first_steps.json, and its commit says why they differ.
"""

import json
from pathlib import Path

import pytest
import torch

from brainseg.tasks import TaskModule
from brainseg.training.train import train

GOLDEN = json.loads((Path(__file__).parent / "first_steps.json").read_text())
STEPS = 3
OVERRIDES = (
    *("seed=7", "trainer.max_epochs=1", f"trainer.limit_train_batches={STEPS}", "test=false"),
    *("trainer.precision=32-true", "data.subjects=8", "data.test_share=0", "callbacks.panels=null"),
)


@pytest.fixture
def one_thread():
    """As sums of several threads may come in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def losses(task, composed, tiny, monkeypatch) -> list[float]:
    """The training loss before each of the first steps of a tiny network on tiny phantoms, on the CPU."""
    found: list[float] = []
    counted = TaskModule.count_training_loss

    def recorded(module, loss, n):
        found.append(float(loss.detach()))
        counted(module, loss, n)

    monkeypatch.setattr(TaskModule, "count_training_loss", recorded)
    small_batch = f"{task}.batch_size=2"
    train(composed(*tiny(task), *OVERRIDES, small_batch))
    return found


@pytest.mark.parametrize("task", ["classifier", "skullstripper", "segmenter"])
def test_the_first_steps_of_a_training_are_those_of_before(task, composed, tiny, one_thread, monkeypatch):
    assert losses(task, composed, tiny, monkeypatch) == pytest.approx(GOLDEN["losses"][task], rel=2e-5)
