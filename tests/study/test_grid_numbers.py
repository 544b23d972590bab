"""The report's own 36 pairs of numbers, and what the page says is wrong with them."""

from statistics import fmean

import pytest

from brainseg.study.grid.findings import (
    best_of_report,
    findings,
    like_best_in_report,
    report_collapsed,
    report_pairs,
)
from brainseg.study.published import (
    BACKBONES,
    CHOSEN,
    LOSSES,
    OPTIMIZERS,
    PUBLISHED,
    Cell,
    family,
    in_report,
    n_right,
    published,
    rank,
)


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


def test_the_reports_choice_has_place_12_of_36():
    assert rank(CHOSEN) == 12
    assert PUBLISHED[CHOSEN] == (0.2300, 0.9370)


def test_equal_accuracies_share_the_better_place():
    twice = [Cell("resnet50", loss, "adam") for loss in ("categorical_crossentropy", "kl_divergence")]
    assert [rank(cell) for cell in twice] == [7, 7]  # 0.9571 both


def test_the_best_cells_are_others_than_the_chosen_one():
    assert best_of_report() == ("vgg16", "categorical_crossentropy", "adam")
    assert PUBLISHED[best_of_report()].accuracy == 0.9746
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
    collapsed = [cell.backbone for cell in PUBLISHED if report_collapsed(cell)]
    assert sorted(collapsed) == ["efficientnet_b0"] * 3 + ["vgg16"] * 2


def test_with_1143_slices_the_chosen_cell_is_told_apart_from_the_best_and_nine_others_are_not():
    # Wilson: 1114 of 1143 begins at 0.9638; 1091 (0.9545) ends at 0.9651, 1080 (0.9448) at 0.9566.
    alike = like_best_in_report()
    assert len(alike) == 10
    assert min(PUBLISHED[cell].accuracy for cell in alike) == 0.9545
    assert CHOSEN not in alike


def test_the_reports_12_pairs_do_not_tell_crossentropy_from_kl():
    accuracy, loss = report_pairs()
    # Adam 0, .0403, -.0114, .0359; Nadam -.0088, .0149, .1251, .1768; SGD -.0009, .0175, -.014, -.0778.
    assert accuracy.mean == pytest.approx(0.2976 / 12)
    assert accuracy.low < 0 < accuracy.high
    assert loss.low < 0 < loss.high


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
def test_timms_names_find_the_reports_backbone(ours, theirs):
    cell = Cell(ours, "kl_divergence", "sgd")
    assert in_report(cell) == cell._replace(backbone=theirs)
    assert published(cell) == PUBLISHED[cell._replace(backbone=theirs)]


@pytest.mark.parametrize(
    "cell",
    [Cell("vgg16_bn", "kl_divergence", "sgd"), Cell("vgg16", "kl_divergence", "adamw"), Cell("", "", "")],
)
def test_another_cell_has_no_number_of_the_report(cell):
    assert in_report(cell) is None
    assert published(cell) is None


def test_only_crossentropy_and_kl_may_be_compared():
    assert family("categorical_crossentropy") == family("kl_divergence")
    assert len({family(loss) for loss in ("kl_divergence", "categorical_hinge", "focal")}) == 3


@pytest.mark.parametrize(
    "claim",
    [
        "36 of the 36 accuracies are k/1143",
        "that cell, 0.9370, has place 12 of 36",
        "VGG16 + Categorical crossentropy + Adam, 0.9746",
        "the lowest loss that of ResNet50 + KL divergence + Nadam, 0.1149",
        "1.4593 with an accuracy of 0.2703",
        "at most 4.6e-6",
        "0.2265 to 0.4286",
        "The KPI table 3.6.1 is not of a classifier",
        "captions are swapped",
    ],
)
def test_the_page_says_what_is_wrong_in_the_report(claim):
    assert sum(claim in finding for finding in findings()) == 1
