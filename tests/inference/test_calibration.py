import numpy as np
import pytest
from scipy.special import softmax

from brainseg.inference import calibrated, fit_temperature


def sure_logits(n=4000, seed=0):
    """Logits of a network that is right as often as it says, and the truth drawn from its own word."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 4))
    truth = np.array([rng.choice(4, p=p) for p in softmax(logits, axis=1)])
    return logits, truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_by_which_logits_were_spread_is_found(temperature):
    logits, truth = sure_logits()
    assert fit_temperature(logits * temperature, truth) == pytest.approx(temperature, rel=0.06)


def test_calibration_changes_no_guess():
    logits, _ = sure_logits(n=200)
    np.testing.assert_array_equal(calibrated(logits, 7.0).argmax(1), logits.argmax(1))


def test_two_logits_by_hand():
    np.testing.assert_allclose(calibrated(np.array([[2 * np.log(3), 0.0]]), 2.0), [[0.75, 0.25]])


def test_a_network_that_is_always_right_stays_within_the_bounds():
    assert 0.2 <= fit_temperature(np.eye(4) * 5, np.arange(4)) < 0.25
