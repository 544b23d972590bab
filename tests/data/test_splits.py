"""Subjects go to one part each, in proportion, and always to the same."""

import pytest

from brainseg.config.errors import ConfigError, DataError
from brainseg.data.splits import Split, SplitRule, limited, original_split, split_subjects


def rule(**changes):
    return SplitRule(**{"val_share": 0.2, "test_share": 0.1, "folds": None, "fold": 0, "seed": 0, **changes})


def subjects(n, strata=1):
    return {f"s{i:03d}": f"stratum{i % strata}" for i in range(n)}


def test_a_hundred_subjects_are_divided_70_20_10_and_none_is_in_two_parts():
    split = split_subjects(subjects(100), rule())
    assert [len(part) for part in (split.train, split.val, split.test)] == [70, 20, 10]
    assert len({*split.train, *split.val, *split.test}) == 100


def test_the_report_s_125_heads_are_divided_100_and_25():
    split = split_subjects(subjects(125), rule(test_share=0.0))
    assert (len(split.train), len(split.val), split.test) == (100, 25, [])


def test_each_class_is_in_each_part_in_the_same_proportion():
    strata = subjects(100, strata=4)
    split = split_subjects(strata, rule())
    for part, each in ((split.train, 17.5), (split.val, 5), (split.test, 2.5)):
        for stratum in range(4):
            assert abs(sum(strata[s] == f"stratum{stratum}" for s in part) - each) <= 1


def test_the_parts_do_not_depend_on_the_order_in_which_files_are_found():
    forward = subjects(30, strata=3)
    backward = dict(reversed(forward.items()))
    assert split_subjects(forward, rule()) == split_subjects(backward, rule())


def test_another_seed_gives_another_split():
    assert split_subjects(subjects(30), rule()).val != split_subjects(subjects(30), rule(seed=1)).val


def test_the_folds_validate_every_subject_once():
    parts = [split_subjects(subjects(23), rule(test_share=0.0, folds=5, fold=k)).val for k in range(5)]
    assert sorted(s for part in parts for s in part) == sorted(subjects(23))
    assert sorted(len(part) for part in parts) == [4, 4, 5, 5, 5]


def test_four_folds_of_four_are_leave_one_out():
    split = split_subjects(subjects(4), rule(test_share=0.0, folds=4, fold=2))
    assert (len(split.train), len(split.val)) == (3, 1)


def test_a_single_subject_cannot_be_split():
    with pytest.raises(DataError, match=r"^1 subject is too few .* add subjects or change data"):
        split_subjects(subjects(1), rule())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_share": 1.0}, r"data\.val_share must be in \[0, 1\), got 1\.0"),
        ({"folds": 5, "fold": 5}, r"data\.fold from 0 to folds - 1; got folds=5, fold=5"),
        ({"folds": 1}, r"data\.folds must be 2 or more"),
    ],
)
def test_an_impossible_rule_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        rule(**changes)


def test_the_original_split_is_scikit_learn_s():
    from sklearn.model_selection import train_test_split

    ids = [f"A{number:08d}" for number in range(28185, 28310)]
    train, val = train_test_split(ids, test_size=0.2, random_state=52)
    split = original_split(list(reversed(ids)))
    assert (split.train, split.val, split.test) == (sorted(train), sorted(val), [])
    assert len(split.val) == 25


def test_fewer_patients_to_train_on_are_among_more_and_nothing_else_moves():
    whose = {f"s{k:02d}": f"p{k // 2:02d}" for k in range(40)}  # two visits of each
    folds = [
        split_subjects(dict.fromkeys(whose, ""), rule(test_share=0.0, folds=5, fold=k)) for k in range(2)
    ]
    for split in folds:
        some = [limited(split, whose, n, 3) for n in (2, 5, 16)]
        assert [len({whose[name] for name in one.train}) for one in some] == [2, 5, 16]
        assert set(some[0].train) < set(some[1].train) < set(some[2].train) <= set(split.train)
        assert all((one.val, one.test) == (split.val, split.test) for one in some)
        assert limited(split, whose, 5, 4).train != some[1].train
    both = [{whose[name] for name in limited(split, whose, 5, 3).train} for split in folds]
    assert both[0] & both[1]  # folds learn from the same ones as far as they can


def test_all_scans_of_a_patient_are_trained_on_and_too_many_patients_are_refused():
    split = Split(["a1", "a2", "b1"], ["c1"], [])
    whose = {"a1": "a", "a2": "a", "b1": "b", "c1": "c"}
    assert limited(split, whose, 2, 0) == split
    assert {tuple(limited(split, whose, 1, seed).train) for seed in range(9)} == {("a1", "a2"), ("b1",)}
    with pytest.raises(
        DataError, match=r"data\.patients is 3, but 2 patients are left to train on; .*2 or less"
    ):
        limited(split, whose, 3, 0)
