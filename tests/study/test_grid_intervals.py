import math
from statistics import fmean, stdev

import pytest

from brainseg.study.grid.intervals import (
    Estimate,
    mean_accuracy,
    mean_loss,
    mean_of,
    overlap,
    t_interval,
    wilson,
)


def test_wilson_of_eight_in_ten():
    # z = 1.96: (0.8 + 3.8415/20 -+ 1.96 * sqrt(0.016 + 3.8415/400)) / 1.38415
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize("n", [1, 10, 53, 1143])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.97, 1])
def test_wilson_is_the_formula_of_1927(n, share):
    right, z = round(share * n), 1.959963984540054
    middle = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(right * (n - right) / n + z**2 / 4)
    assert wilson(right, n) == pytest.approx((middle - half, middle + half), abs=1e-9)


@pytest.mark.parametrize(("right", "bounds"), [(0, (0, 0.2775)), (10, (0.7225, 1))])
def test_none_or_all_right_still_has_a_width_within_0_and_1(right, bounds):
    assert wilson(right, 10) == pytest.approx(bounds, abs=1e-4)


def test_wilson_is_the_same_for_the_wrong_ones_turned_round():
    low, high = wilson(1114, 1143)
    assert wilson(1143 - 1114, 1143) == pytest.approx((1 - high, 1 - low))


def test_the_t_interval_of_three_values():
    # Mean 2, standard deviation 1; t(0.975, 2) = 4.3027, over sqrt(3) is 2.4841.
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)


def test_the_t_interval_is_the_formula_of_student():
    values, quantile = [0.91, 0.93, 0.88, 0.95, 0.9], 2.7764451051977987  # t(0.975, 4)
    half = quantile * stdev(values) / math.sqrt(5)
    assert t_interval(values) == pytest.approx((fmean(values) - half, fmean(values) + half), abs=1e-9)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5]])
def test_one_value_or_equal_values_have_no_spread_to_go_by(values):
    assert t_interval(values) is None
    assert mean_of(values) == Estimate(0.5)


def test_one_run_has_wilsons_interval_and_says_so():
    estimate = mean_accuracy([0.8], [(8, 10)], 10)
    assert (estimate.low, estimate.high) == wilson(8, 10)
    assert estimate.how == "Wilson, 8 of 10"


@pytest.mark.parametrize(("slices", "right"), [(20, 16), (10, 8), (15, 12)])
def test_runs_that_agree_have_wilsons_interval_of_all_their_different_slices(slices, right):
    estimate = mean_accuracy([0.8, 0.8], [(8, 10), (8, 10)], slices)
    assert (estimate.low, estimate.high) == wilson(right, slices)
    assert estimate.how == f"Wilson, {right} of {slices}"


def test_runs_that_differ_have_the_t_interval_within_0_and_1():
    # Half width t(0.975, 1) = 12.706 times 0.05: from 0.215 to 1.485.
    estimate = mean_accuracy([0.8, 0.9], [(8, 10), None], 10)
    assert (estimate.mean, estimate.low) == pytest.approx((0.85, 0.2147), abs=1e-4)
    assert estimate.high == 1
    assert estimate.how == "t, n = 2"


def test_the_interval_of_a_loss_begins_at_0_at_the_lowest():
    estimate = mean_loss([0.1, 0.3])
    assert estimate.low == 0
    assert estimate.high == pytest.approx(0.2 + 12.7062 * 0.1, abs=1e-4)
    assert mean_loss([0.3]) == Estimate(0.3)


def test_without_the_number_of_slices_one_run_has_no_interval():
    assert mean_accuracy([0.8], [None], 0) == Estimate(0.8)


def test_intervals_overlap_if_they_share_a_value():
    best = Estimate(0.9, 0.85, 0.95)
    assert overlap(best, Estimate(0.8, 0.75, 0.85)) is True
    assert overlap(best, Estimate(0.8, 0.75, 0.84)) is False
    assert overlap(Estimate(0.8, 0.75, 0.84), best) is False
    assert overlap(best, Estimate(0.8)) is None
