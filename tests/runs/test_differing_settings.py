"""In which keys runs differ."""

from brainseg.runs.differences import differing, pooled


def test_entries_of_a_menu_that_follow_the_choice_have_no_column():
    dice = {"segmenter.loss": "dice", "menu.loss.dice._target_": "Dice", "seed": 0}
    both = {
        "segmenter.loss": "both",
        "menu.loss.both._target_": "Both",
        "menu.loss.both.alpha": 0.5,
        "seed": 0,
    }
    other = both | {"menu.loss.both.alpha": 0.7}
    assert differing([dice, both]) == ["segmenter.loss"]
    assert differing([dice, both, other]) == ["segmenter.loss", "menu.loss.both.alpha"]
    assert pooled([dice, both, other, both | {"seed": 1}]) == [[0], [1, 3], [2]]
    older = {"segmenter.loss": "both", "menu.loss.both._target_": "Both", "seed": 0}
    assert differing([both, older]) == ["menu.loss.both.alpha"]
