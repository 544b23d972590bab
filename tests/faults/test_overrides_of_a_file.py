"""The command line that a run left behind sets values; it does not say what is built."""

import pytest

from brainseg.config.errors import ConfigError, UnreadableError
from brainseg.runs.overrides import read_overrides, refuse_unsafe


@pytest.mark.parametrize(
    "override",
    [
        "model=segmenter", "data=phantom", "+experiment=segmenter_best", "experiment=null", "trainer=smoke",
        "segmenter.channels=[4,8,16]", "data.root=../data/brats", "data.root='/a b/c'", "name=a-b_c", "~test",
        "segmenter.ema=null", "menu.loss.dice_focal.gamma=3", "paths.data=/data", "tags=[a,b]", "seed=7",
        "classifier.weights=/a/__b__/c.pth",
    ],
)  # fmt: skip
def test_values_and_options_are_taken_over(tmp_path, override):
    refuse_unsafe(tmp_path, [override])


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("data._target_=os.system", "says what is built"),
        ("+callbacks.mine._target_=os.system", "says what is built"),
        ("++trainer._target_=os.system", "says what is built"),
        ("+callbacks.mine={_target_:os.system,command:ls}", "says what is built"),
        ('+callbacks.mine={"_target_":os.system}', "is no key=value"),
        ("menu.loss.dice={a:[{b:{_target_:os.system}}]}", "says what is built"),
        ("logger.csv._partial_=true", "says what is built"),
        ("name=${oc.env:TOKEN}", "refers to something else"),
        ("data.root='${oc.env:HOME}'", "refers to something else"),
        ("experiment=../../../tmp/mine", "is no option in experiment"),
        ("+experiment=/tmp/mine", "is no option in experiment"),
        ("experiment=[a,b]", "is no option in experiment"),
        ("hydra.run.dir=/", "is a setting of Hydra"),
        ("hydra/launcher=joblib", "is a setting of Hydra"),
        ("+hydra.callbacks.mine=1", "is a setting of Hydra"),
        ("experiment@data=mine", "is more than key=value"),
        ("a/b=c", "is more than key=value"),
        ("seed=1,2", "is more than key=value"),
        ("--config-dir=/tmp", "is an option of the program"),
        ("-cn=mine", "is an option of the program"),
        ("nothing", "is no key=value"),
        ("a=" + "[" * 1000, "is no key=value"),
        ("a=" + "b" * 5000, "has more than 4096 characters"),
        ("", "is no key=value"),
    ],
)
def test_what_says_more_than_values_is_refused_by_name(tmp_path, override, why):
    with pytest.raises(ConfigError, match=why) as caught:
        refuse_unsafe(tmp_path / "overrides.yaml", ["seed=1", override])
    assert "overrides.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: 1", "[1]", "- [a]", "- &a x\n- *a", "- a: 1", ""])
def test_a_file_that_is_no_list_of_overrides_is_refused(tmp_path, text):
    (tmp_path / "overrides.yaml").write_text(text)
    with pytest.raises(UnreadableError, match=r"overrides\.yaml: cannot be read"):
        read_overrides(tmp_path / "overrides.yaml")
