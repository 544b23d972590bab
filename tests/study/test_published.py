"""The student report's own numbers, and what docs/explanation/student-report.md says about them."""

from pathlib import Path
from statistics import fmean

import pytest

from brainseg.study.grid.cell_runs import is_collapsed
from brainseg.study.grid.intervals import wilson
from brainseg.study.grid.results import published_crossentropy_against_kl
from brainseg.study.published import (
    BACKBONES,
    CHOSEN,
    LARGEST_CLASS_SHARE,
    LOSSES,
    OPTIMIZERS,
    PUBLISHED,
    SEGMENTER,
    STRIPPERS,
    Cell,
    family,
    published,
    published_cell,
    rank,
)

VALIDATION_SLICES = 1143


def n_right(accuracy, n=VALIDATION_SLICES):
    """The k for which k / n is `accuracy` when it is cut off after four decimals; None if there is none."""
    shown = round(accuracy * 10_000)
    k = -(-shown * n // 10_000)  # the least k with k / n >= accuracy
    return k if k <= n and k * 10_000 // n == shown else None


def test_every_combination_has_its_numbers():
    combinations = {Cell(b, loss, o) for b in BACKBONES for loss in LOSSES for o in OPTIMIZERS}
    assert set(PUBLISHED) == combinations
    assert len(PUBLISHED) == 36


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        (Cell("resnet50", "categorical_crossentropy", "adam"), (0.1718, 0.9571)),
        (Cell("efficientnet_b0", "kl_divergence", "nadam"), (7.3536, 0.2265)),
        (Cell("mobilenetv2", "categorical_hinge", "sgd"), (0.2965, 0.8565)),
    ],
)
def test_a_number_stands_in_its_row_and_column(cell, numbers):
    assert PUBLISHED[cell] == numbers


def test_the_student_reports_choice_has_place_12_of_36():
    assert rank(CHOSEN) == 12
    assert PUBLISHED[CHOSEN] == (0.2300, 0.9370)


def test_equal_accuracies_share_the_better_place():
    twice = [Cell("resnet50", loss, "adam") for loss in ("categorical_crossentropy", "kl_divergence")]
    assert [rank(cell) for cell in twice] == [7, 7]  # 0.9571 both


def best_cell():
    return max(PUBLISHED, key=lambda cell: PUBLISHED[cell].accuracy)


def test_the_best_cells_are_others_than_the_chosen_one():
    assert best_cell() == ("vgg16", "categorical_crossentropy", "adam")
    assert PUBLISHED[best_cell()].accuracy == 0.9746
    lowest = min(PUBLISHED, key=lambda cell: PUBLISHED[cell].loss)
    assert (lowest, PUBLISHED[lowest].loss) == (("resnet50", "kl_divergence", "nadam"), 0.1149)


def test_all_accuracies_are_of_1143_slices_and_not_of_1142():
    accuracies = [values.accuracy for values in PUBLISHED.values()]
    rights = [n_right(accuracy) for accuracy in accuracies]
    assert all(int(k / 1143 * 10_000) == round(a * 10_000) for k, a in zip(rights, accuracies, strict=True))
    assert sum(n_right(accuracy, 1142) is not None for accuracy in accuracies) == 10


def test_n_right_is_none_where_no_count_fits():
    assert n_right(0.5, 10) == 5
    assert n_right(0.3333, 3) == 1  # cut off, not rounded
    assert n_right(0.6667, 3) is None
    assert n_right(1.0, 3) == 3


def test_resnet50_never_collapses_and_vgg16_does_twice():
    resnets = [values.accuracy for cell, values in PUBLISHED.items() if cell.backbone == "resnet50"]
    assert fmean(resnets) == pytest.approx(0.9312, abs=5e-5)
    collapsed = [
        cell.backbone for cell in PUBLISHED if is_collapsed(PUBLISHED[cell].accuracy, LARGEST_CLASS_SHARE)
    ]
    assert sorted(collapsed) == ["efficientnet_b0"] * 3 + ["vgg16"] * 2


def test_with_1143_slices_the_chosen_cell_is_told_apart_from_the_best_and_nine_others_are_not():
    # Wilson: 1114 of 1143 begins at 0.9638; 1091 (0.9545) ends at 0.9651, 1080 (0.9448) at 0.9566.
    begin = wilson(n_right(PUBLISHED[best_cell()].accuracy), VALIDATION_SLICES)[0]
    ends = {cell: wilson(n_right(own.accuracy), VALIDATION_SLICES)[1] for cell, own in PUBLISHED.items()}
    alike = [cell for cell, end in ends.items() if end >= begin]
    assert len(alike) == 10
    assert min(PUBLISHED[cell].accuracy for cell in alike) == 0.9545
    assert CHOSEN not in alike


def test_the_student_reports_12_pairs_do_not_tell_crossentropy_from_kl():
    pairs = published_crossentropy_against_kl()
    # Adam 0, .0403, -.0114, .0359; Nadam -.0088, .0149, .1251, .1768; SGD -.0009, .0175, -.014, -.0778.
    assert pairs.n == 12
    assert pairs.accuracy.mean == pytest.approx(0.2976 / 12)
    assert (pairs.accuracy.low, pairs.accuracy.high) == pytest.approx((-0.0178, 0.0674), abs=5e-5)
    assert pairs.loss.low < 0 < pairs.loss.high


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("vgg16", "vgg16"),
        ("mobilenetv2_100", "mobilenetv2"),
        ("mobilenetv2", "mobilenetv2"),
        ("tf_efficientnet_b0", "efficientnet_b0"),
        ("resnet50.a1_in1k", "resnet50"),
    ],
)
def test_timms_names_find_the_student_reports_backbone(ours, theirs):
    cell = Cell(ours, "kl_divergence", "sgd")
    assert published_cell(cell) == cell._replace(backbone=theirs)
    assert published(cell) == PUBLISHED[cell._replace(backbone=theirs)]


@pytest.mark.parametrize(
    "cell",
    [Cell("vgg16_bn", "kl_divergence", "sgd"), Cell("vgg16", "kl_divergence", "adamw"), Cell("", "", "")],
)
def test_another_cell_has_no_published_number(cell):
    assert published_cell(cell) is None
    assert published(cell) is None


def test_only_crossentropy_and_kl_may_be_compared():
    assert family("categorical_crossentropy") == family("kl_divergence")
    assert len({family(loss) for loss in ("kl_divergence", "categorical_hinge", "focal")}) == 3


def test_two_hinge_losses_of_vgg16_are_those_of_a_network_that_ignores_its_input():
    # 309 of 1143 slices right is 0.2703; naming that class always has a hinge loss of 2 * (1 - 309 / 1143).
    cell = Cell("vgg16", "categorical_hinge", "nadam")
    assert n_right(PUBLISHED[cell].accuracy) == 309
    assert PUBLISHED[cell].loss == pytest.approx(2 * (1 - 309 / 1143), abs=5e-5)
    assert PUBLISHED[cell._replace(optimizer="adam")] == (1.0, 0.2703)  # the uniform output


def test_efficientnet_fails_in_all_its_cells():
    accuracies = [own.accuracy for cell, own in PUBLISHED.items() if cell.backbone == "efficientnet_b0"]
    assert (len(accuracies), min(accuracies), max(accuracies)) == (9, 0.2265, 0.4286)


def test_the_lowest_loss_of_hinge_is_not_the_lowest_loss():
    hinge = [cell for cell in PUBLISHED if cell.loss == "categorical_hinge"]
    lowest = min(hinge, key=lambda cell: PUBLISHED[cell].loss)
    assert (lowest, PUBLISHED[lowest].loss) == (("vgg16", "categorical_hinge", "sgd"), 0.1298)


def test_the_mean_squared_error_of_table_5_is_its_dice_loss():
    advanced = STRIPPERS["residual_unet3d_advanced", True]
    assert advanced.mse == pytest.approx(1 - advanced.dice, abs=1e-9)
    assert all(abs(own.mse - (1 - own.dice)) > 0.05 for own in STRIPPERS.values() if own is not advanced)


def test_the_tumour_core_of_table_6_has_one_number_twice_and_lies_below_what_it_contains():
    core = SEGMENTER["tumor_core"]
    assert core.mean == core.median == 0.387
    assert core.mean < SEGMENTER["enhancing_tumor"].mean


def of_the_page():
    """The page's prose on one line, without marks."""
    path = Path(__file__).parents[2] / "docs" / "explanation" / "student-report.md"
    return " ".join(path.read_text(encoding="utf-8").replace("*", "").replace("`", "").split())


@pytest.mark.parametrize(
    "claim",
    [
        "All 36 accuracies are k / 1143",
        "that cell (0.9370) has place 12 of 36",
        "VGG16 + categorical crossentropy + Adam (0.9746)",
        "ResNet50 + KL divergence + Nadam (0.1149)",
        "the intervals of 10 cells overlap",
        "+0.0248 in accuracy (95 % interval -0.0178 to +0.0674)",
        "1.4593 with an accuracy of 0.2703",
        "at most 4.6e-6",
        "0.2265 to 0.4286",
        "The table of section 3.6.1 is not of a classifier",
        "captions of figures 8 and 9 are swapped",
        "VGG16 + categorical hinge + SGD (0.1298)",
        "mean accuracy 0.9312",
        "0.019821 = 1 - 0.980179",
        "mean and median are both 0.387",
    ],
)
def test_the_page_about_the_student_report_says_what_these_tests_check(claim):
    assert of_the_page().count(claim) == 1
