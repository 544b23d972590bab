import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from brainseg.config.errors import ConfigError, GeometryError
from brainseg.metrics import score_case
from brainseg.metrics.streaming import RegionDice


@pytest.fixture
def truth() -> np.ndarray:
    """8 voxels each of necrotic core (1), edema (2) and enhancing tumour (3)."""
    labels = np.zeros((12, 8, 8), dtype=np.uint8)
    for label in (1, 2, 3):
        labels[2 * label : 2 * label + 2, 3:5, 3:5] = label
    return labels


def legacy(truth, guess, spacing_mm=(1, 1, 1)) -> dict[str, float]:
    return score_case(truth, guess, spacing_mm, "brats-legacy")[0]


def test_regions_are_scored_by_the_classes_they_are_made_of(truth):
    guess = truth.copy()
    guess[guess == 1] = 2  # the core is taken for edema
    scores = legacy(truth, guess)
    assert scores["dice/whole_tumor"] == 1
    assert scores["dice/tumor_core"] == pytest.approx(2 * 8 / (16 + 8))
    assert scores["sensitivity/tumor_core"] == pytest.approx(0.5)
    assert scores["dice/enhancing_tumor"] == 1
    assert scores["hd95_mm/whole_tumor"] == 0
    assert scores["specificity/tumor_core"] == 1
    assert scores["iou/tumor_core"] == pytest.approx(0.5)


def test_every_score_of_every_region_has_a_name_of_its_own(truth):
    names = set(legacy(truth, truth))
    kinds = ("dice", "iou", "sensitivity", "specificity", "hd95_mm", "mean_surface_distance_mm")
    regions = ("whole_tumor", "tumor_core", "enhancing_tumor")
    assert names == {f"{kind}/{region}" for kind in kinds for region in regions}


def test_a_region_that_is_missed_or_invented_has_the_worst_score(truth):
    without = np.where(truth == 3, 1, truth)
    for pair in ((truth, without), (without, truth)):
        scores = legacy(*pair)
        assert (scores["dice/enhancing_tumor"], scores["hd95_mm/enhancing_tumor"]) == (0, 373.13)
    scores = legacy(without, without)
    assert (scores["dice/enhancing_tumor"], scores["hd95_mm/enhancing_tumor"]) == (1, 0)


def test_distances_are_in_millimetres(truth):
    moved = np.roll(truth, 1, axis=2)
    assert legacy(truth, moved, (1, 1, 2.5))["hd95_mm/whole_tumor"] == pytest.approx(2.5)


def test_unknown_protocols_and_other_grids_are_refused(truth):
    with pytest.raises(ConfigError, match="protocol='brats-2019' is unknown; choose one of brats-legacy"):
        score_case(truth, truth, (1, 1, 1), "brats-2019")
    with pytest.raises(GeometryError, match=r"\(12, 8, 8\) voxels but the predicted ones \(11, 8, 8\)"):
        legacy(truth, truth[1:])


@pytest.fixture
def cases() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    truth, guess = torch.randint(0, 4, (2, 5, 6, 6, 6), generator=rng)
    truth[0][truth[0] == 3] = 0  # one case lacks the enhancing tumour
    guess[0][guess[0] == 3] = 0
    return truth, guess


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_streaming_dice_is_the_mean_of_the_cases_whatever_the_batches(cases, batch_size):
    metric = RegionDice()
    for truth, guess in zip(*(part.split(batch_size) for part in cases), strict=True):
        metric.update(truth, guess)
    each = [legacy(t.numpy(), g.numpy()) for t, g in zip(*cases, strict=True)]
    result = metric.compute()
    assert set(result) == {"dice/whole_tumor", "dice/tumor_core", "dice/enhancing_tumor"}
    for name, value in result.items():
        assert value.item() == pytest.approx(np.mean([scores[name] for scores in each]))


def test_streaming_dice_begins_anew_after_a_reset(cases):
    metric = RegionDice({"brain": (1, 2, 3)})
    metric.update(*cases)
    metric.reset()
    metric.update(cases[0], cases[0])
    assert metric.compute() == {"dice/brain": torch.tensor(1.0)}


def test_streaming_dice_refuses_a_channel_axis(cases):
    with pytest.raises(ValueError, match=r"truth is \(5, 6, 6, 6\) but guess \(5, 1, 6, 6, 6\)"):
        RegionDice().update(cases[0], cases[1][:, None])


def test_processes_with_unequal_shares_of_the_cases_agree_on_the_mean_of_all():
    meeting = threading.Barrier(2)
    states: dict[int, torch.Tensor] = {}

    def process(rank: int) -> float:
        def gather(state: torch.Tensor, group: object) -> list[torch.Tensor]:
            states[rank] = state
            meeting.wait()
            gathered = [states[0], states[1]]
            meeting.wait()
            return gathered

        metric = RegionDice({"brain": (1,)}, dist_sync_fn=gather, distributed_available_fn=lambda: True)
        truth = torch.ones(1, 2, 2, 2, dtype=torch.long)
        for guess in [truth] if rank == 0 else [truth * 0, truth * 0]:  # Dice 1 here, 0 and 0 there
            metric.update(truth, guess)
        return metric.compute()["dice/brain"].item()

    with ThreadPoolExecutor(2) as processes:
        assert list(processes.map(process, (0, 1))) == pytest.approx([1 / 3, 1 / 3])
