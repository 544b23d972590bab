"""Lesion-wise scores against the challenges' own programs, and by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from brainseg.metrics import dice
from brainseg.metrics.lesions import hd95_by_area_mm, lesions_2023, lesions_2026, whole_2026

from .random_parts import random_pair

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lesions.json").read_text())
PAIRS = GOLDEN["pairs"]
# Exactly 95 % of the surface lie up to one distance; which one counts is decided by the last bit of a sum.
TIES = {(101, "full_hd95")}


def golden(number, protocol):
    row = PAIRS[number]
    first = 2 if protocol == "2023" else 2 + len(GOLDEN["2023"])
    names = GOLDEN[protocol]
    values = [
        float("nan") if value is None else float(value) for value in row[first : first + len(names)]
    ]  # "inf" is a float's name too
    return dict(zip(names, values, strict=True))


def agree(ours, theirs, number):
    for name, value in theirs.items():
        if (number, name) not in TIES:
            assert ours[name] == pytest.approx(value, rel=1e-6, abs=1e-6, nan_ok=True), (number, name)


def test_the_pairs_are_those_that_the_scores_belong_to():
    for number, row in enumerate(PAIRS):
        truth, guess, _ = random_pair(number)
        assert [truth.sum(), guess.sum()] == row[:2]
    assert len(PAIRS) == 240
    assert sum(row[:2] == [0, 0] for row in PAIRS) > 5
    assert sum((row[0] == 0) != (row[1] == 0) for row in PAIRS) > 20


def test_2023_as_its_own_program_counts():
    for number in range(len(PAIRS)):
        truth, guess, spacing = random_pair(number)
        found = lesions_2023(truth, guess, spacing)
        ours = {
            "dice": found.dice,
            "hd95": found.hd95_mm,
            "tp": found.true_positive,
            "fn": found.false_negative,
            "fp": found.false_positive,
            "full_hd95": hd95_by_area_mm(truth, guess, spacing),
        }
        agree(ours, golden(number, "2023"), number)


def test_2026_as_its_own_program_counts():
    for number in range(len(PAIRS)):
        truth, guess, spacing = random_pair(number)
        found, whole = lesions_2026(truth, guess, spacing), whole_2026(truth, guess)
        ours = {
            "tp": found.true_positive,
            "fp": found.false_positive,
            "fn": found.false_negative,
            "sq_dsc": found.dice,
            "sq_nsd": found.nsd,
            "sq_hd95": found.hd95_mm,
            "global_bin_dsc": whole["dice"],
            "global_bin_nsd": whole["nsd"],
            "global_bin_hd95": whole["hd95_mm"],
        }
        agree(ours, golden(number, "2026"), number)


@pytest.fixture
def two():
    """Two cubes of 5 and 3 voxels, 10 voxels apart; the guess has the first, and one of 2 elsewhere."""
    truth, guess = np.zeros((40, 30, 30), bool), np.zeros((40, 30, 30), bool)
    truth[2:7, 2:7, 2:7] = truth[17:20, 2:5, 2:5] = True
    guess[2:7, 2:7, 2:7] = guess[30:32, 20:22, 20:22] = True
    return truth, guess


def test_2023_by_hand(two):
    """One found, one made up; the cube of 27 mm3 is too small to count as missed."""
    found = lesions_2023(*two, (1, 1, 1))
    assert (found.true_positive, found.false_negative, found.false_positive) == (1, 0, 1)
    assert found.dice == 0.5
    assert found.hd95_mm == 374 / 2
    larger = lesions_2023(*two, (1, 1, 2))  # 54 mm3
    assert (larger.true_positive, larger.false_negative, larger.false_positive) == (1, 1, 1)
    assert larger.dice == pytest.approx(1 / 3)


def test_2026_by_hand(two):
    """What is missed or made up counts in the numbers, not in the means."""
    found = lesions_2026(*two, (1, 1, 1))
    assert (found.true_positive, found.false_negative, found.false_positive) == (1, 1, 1)
    assert (found.dice, found.hd95_mm, found.nsd) == (1, 0, 1)


def test_2023_takes_parts_that_nearly_touch_for_one_lesion_and_2026_does_not():
    truth = np.zeros((30, 12, 12), bool)
    truth[2:7, 3:8, 3:8] = truth[11:16, 3:8, 3:8] = True  # four voxels apart
    assert len(lesions_2023(truth, truth, (1, 1, 1)).lesions) == 1
    assert len(lesions_2026(truth, truth, (1, 1, 1)).lesions) == 2


def test_one_guess_over_two_lesions_counts_for_both_in_2023_and_for_one_in_2026():
    truth = np.zeros((40, 12, 12), bool)
    truth[2:8, 3:9, 3:9] = truth[20:26, 3:9, 3:9] = True
    guess = np.zeros_like(truth)
    guess[2:26, 3:9, 3:9] = True
    in_2023, in_2026 = lesions_2023(truth, guess, (1, 1, 1)), lesions_2026(truth, guess, (1, 1, 1))
    assert in_2023.true_positive == 2
    assert in_2023.dice == pytest.approx(2 * 216 / (216 + 864))
    assert (in_2026.true_positive, in_2026.false_negative) == (1, 1)


def test_masks_without_a_voxel():
    nothing = np.zeros((8, 8, 8), bool)
    full = ~nothing
    assert (lesions_2023(nothing, nothing, (1, 1, 1)).dice, lesions_2023(nothing, full, (1, 1, 1)).dice) == (
        1,
        0,
    )
    assert lesions_2023(nothing, nothing, (1, 1, 1)).hd95_mm == 0
    assert hd95_by_area_mm(nothing, full, (1, 1, 1)) == 374
    assert math.isnan(lesions_2026(nothing, nothing, (1, 1, 1)).dice)
    assert lesions_2026(full, nothing, (1, 1, 1)).hd95_mm == math.inf
    assert dice(full, full) == lesions_2023(full, full, (1, 1, 1)).dice == 1
