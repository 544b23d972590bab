import json
import shutil

import numpy as np
import pytest

from brainseg.callbacks.scores import write_predictions, write_scores
from brainseg.config.errors import UserError
from brainseg.reporting.probabilities import reliability_figure, roc_figure, roc_points
from brainseg.study.classifier_page import write_classifier_page

CLASSES = ["glioma", "meningioma", "notumor", "pituitary"]


@pytest.fixture
def run(tmp_path):
    """Writes the folder of a run: 100 slices, as many right as is asked."""

    def write(name="a", split="grouped", right=90, part="test", epochs=2):
        folder = tmp_path / name
        (folder / ".hydra").mkdir(parents=True)
        config = {
            "task": "classifier",
            "seed": 0,
            "classifier": {
                "backbone": "vgg16",
                "monitor": "val/accuracy",
                "monitor_mode": "max",
                "epochs": epochs,
            },
            "data": {"_target_": "brainseg.data.KaggleSlices", "split": split, "root": "/data", "seed": 0},
            "trainer": {"max_epochs": epochs},
            "test": True,
        }
        (folder / ".hydra" / "config.yaml").write_text(json.dumps(config))
        truth = np.arange(100) % 4
        guess = np.where(np.arange(100) < right, truth, (truth + 1) % 4)
        logits = (np.eye(4)[guess] * 3).astype(np.float32)
        names = [f"Training/{CLASSES[t]}/{i:03d}.jpg" for i, t in enumerate(truth)]
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        write_predictions(folder / "predictions.csv", part, names, truth, p, CLASSES)
        about = {"part": part, "temperature": 1.0}
        write_scores(folder / "scores.json", about, logits, truth, CLASSES, names)
        rows = ["epoch,step,train/loss,val/loss,val/accuracy", "0,1,1.0,0.9,0.5", "1,2,0.5,0.4,0.9"]
        (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
        return folder

    return write


def page_of(folder):
    page = write_classifier_page(folder)
    return page, (folder / "report" / "classifier.md").read_text()


def test_accuracy_and_mistakes_by_hand(run):
    page, text = page_of(run(right=97))
    assert page.lines[0].startswith("grouped: accuracy 0.9700 (0.9")
    assert "3 of 100 slices are wrong" in text
    assert "Training/meningioma/097.jpg" in text  # 97 % 4 is 1; taken for the next class
    assert page.path.is_file()


def test_both_splits_stand_side_by_side_when_both_were_run(run):
    folder = run("a", "grouped", right=90)
    assert page_of(folder)[0].lines[1] == "random: not run"
    run("b", "random", right=99)
    page, text = page_of(folder)
    assert page.lines[1].startswith("random: accuracy 0.9900")
    assert "0.9900" in text
    assert "not run" not in text


def test_a_run_with_other_settings_is_not_compared(run):
    folder = run("a", "grouped")
    run("b", "random", epochs=9)
    assert page_of(folder)[0].lines[1] == "random: not run"


def test_scores_of_the_part_that_chose_the_epoch_are_said_to_be_too_good(run):
    assert "too good" in page_of(run("a", part="val"))[1]
    assert "too good" not in page_of(run("b", part="test"))[1]
    assert "too good" in page_of(run("c", split="official"))[1]


def test_a_folder_without_scores_is_refused_by_name(run, tmp_path):
    with pytest.raises(UserError, match=r"nothing: has no scores\.json"):
        write_classifier_page(tmp_path / "nothing")
    folder = run()
    shutil.rmtree(folder / ".hydra")
    with pytest.raises(UserError, match=r"config\.yaml: cannot be read"):
        write_classifier_page(folder)


def test_a_perfect_run_has_no_mistakes(run):
    assert "0 of 100 slices are wrong." in page_of(run(right=100))[1]


def test_roc_points_by_hand():
    score = np.array([0.9, 0.8, 0.8, 0.1])
    false, true = roc_points(score, np.array([True, True, False, False]))
    assert true.tolist() == [0, 0.5, 1, 1]
    assert false.tolist() == [0, 0, 0.5, 1]


def test_roc_leaves_out_a_class_that_does_not_occur():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1]])
    axes = roc_figure(probabilities, np.array([0, 1]), ["a", "b", "c"]).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a, area 1.0000", "b, area 1.0000"]


def test_a_bin_lies_at_its_certainty_and_accuracy():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1]])
    axes = reliability_figure(probabilities, np.array([0, 1])).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[0.9, 0.5]]
