"""TaskModule owns what the tasks have in common."""

import math

import pytest
import torch

from brainseg.metrics.streaming import RegionDice
from brainseg.tasks import TASKS, TaskModule
from brainseg.tasks.volumes import RegionDices
from brainseg.trained import MODELS

SHARED = (
    "__init__",
    "configure_optimizers",
    "training_step",
    "validation_step",
    "test_step",
    "on_test_epoch_end",
    "on_save_checkpoint",
)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_one_level_above_the_module_and_repeats_none_of_it(task):
    assert TASKS[task].__bases__ == (TaskModule, MODELS[task])
    assert [name for name in SHARED if name in vars(TASKS[task])] == []
    assert {"make_scores", "score"} <= vars(TASKS[task]).keys()
    assert "make_net" in vars(MODELS[task])


def test_the_scores_of_volumes_are_each_region_s_dice_and_their_mean():
    truth, guess = torch.tensor([1, 2, 3, 0]), torch.tensor([1, 2, 2, 0])
    metric, regions = RegionDices(), RegionDice()
    for one in (metric, regions):
        one.update(truth.view(1, 1, 1, 4), guess.view(1, 1, 1, 4))
    scores = {name: float(score) for name, score in metric.compute().items()}
    mean = scores.pop("dice/mean")
    assert scores == {name: float(score) for name, score in regions.compute().items()}
    assert math.isclose(mean, sum(scores.values()) / 3, rel_tol=1e-6)
    assert mean < 1  # the enhancing voxel was missed
