import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score
from torchmetrics.functional.classification import multiclass_calibration_error

from brainseg.metrics import calibration_error, classification_scores, confusion_matrix, roc_auc
from brainseg.metrics.classification import reliability

NAMES = ("glioma", "meningioma", "notumor", "pituitary")


@pytest.fixture
def cohort():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 300)
    probabilities = rng.dirichlet(np.ones(4), 300) + 0.8 * np.eye(4)[truth] * rng.random((300, 1))
    return probabilities / probabilities.sum(1, keepdims=True), truth


def test_truth_is_down_and_guess_across():
    matrix = confusion_matrix(np.array([1, 1, 0]), np.array([0, 1, 0]), 2)
    assert matrix.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_the_matrix_counts_each_pair_once(dtype):
    rng = np.random.default_rng(1)
    guess, truth = rng.integers(0, 4, (2, 5000)).astype(dtype)
    counts = np.zeros((4, 4), np.int64)
    np.add.at(counts, (truth, guess), 1)
    matrix = confusion_matrix(guess, truth, 4)
    assert matrix.dtype == np.int64
    assert (matrix == counts).all()


def test_a_probability_on_the_border_of_two_bins_counts_in_the_lower():
    # (8/15, 9/15] holds 0.55 and 0.6, and one is right: |1.15 - 1| / 2. In two bins: (0.45 + 0.6) / 2.
    probabilities = np.array([[0.55, 0.45], [0.6, 0.4]])
    assert calibration_error(probabilities, np.array([0, 1])) == pytest.approx(0.15 / 2)


def test_scores_of_classes_are_scikit_learn_s(cohort):
    probabilities, truth = cohort
    found = classification_scores(probabilities, truth, NAMES, range(len(truth)))
    precision, recall, f1, n = precision_recall_fscore_support(truth, probabilities.argmax(1))
    for k, name in enumerate(NAMES):
        own = found["classes"][name]
        assert own["n"] == n[k]
        values = [own[score]["value"] for score in ("precision", "recall", "f1", "roc_auc")]
        auc = roc_auc_score(truth == k, probabilities[:, k])
        np.testing.assert_allclose(values, [precision[k], recall[k], f1[k], auc], atol=1e-12)
    assert found["f1_macro"]["value"] == pytest.approx(f1.mean())


def test_calibration_error_is_torchmetrics(cohort):
    probabilities, truth = cohort
    theirs = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(truth), 4, n_bins=15)
    assert calibration_error(probabilities, truth) == pytest.approx(float(theirs), abs=1e-6)


def test_calibration_error_by_hand():
    # Two guesses at 0.9, one right; two at 0.6, both right: (0.5 * 0.4) + (0.5 * 0.4).
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    truth = np.array([0, 1, 0, 0])
    assert reliability(probabilities, truth) == [
        (0.5, pytest.approx(0.6), pytest.approx(1.0)),
        (0.5, pytest.approx(0.9), pytest.approx(0.5)),
    ]
    assert calibration_error(probabilities, truth) == pytest.approx(0.4)


def test_area_under_the_curve_counts_ties_half():
    positive = np.array([True, True, False, False])
    assert roc_auc(np.array([0.9, 0.4, 0.4, 0.1]), positive) == pytest.approx(3.5 / 4)
    assert np.isnan(roc_auc(np.array([0.5, 0.2]), np.array([True, True])))


@pytest.mark.parametrize("copies", [1, 10])
def test_the_interval_of_the_accuracy_is_about_that_of_a_binomial_over_subjects(copies):
    subjects = np.arange(400).repeat(copies)
    truth = np.zeros(len(subjects), int)
    guess = subjects % 10 == 0  # 360 of 400 right
    probabilities = np.where(guess[:, None], [0.1, 0.9], [0.9, 0.1])
    found = classification_scores(probabilities, truth, ("a", "b"), subjects)
    half = 1.96 * np.sqrt(0.9 * 0.1 / 400)
    assert found["subjects"] == 400
    assert found["accuracy"]["value"] == 0.9
    assert found["accuracy"]["low"] == pytest.approx(0.9 - half, abs=0.006)
    assert found["accuracy"]["high"] == pytest.approx(0.9 + half, abs=0.006)


def test_what_has_no_meaning_is_none():
    found = classification_scores(np.array([[0.8, 0.2], [0.7, 0.3]]), np.array([0, 0]), ("a", "b"), "xy")
    assert found["classes"]["b"]["recall"] is None
    assert found["classes"]["b"]["roc_auc"] is None
    assert found["accuracy"]["value"] == 1.0
