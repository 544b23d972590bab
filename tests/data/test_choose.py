"""Of two scans that claim one sequence, training takes the one that prediction would."""

import shutil

import pytest
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.config import check_predict, conf_dir, plain
from brainseg.config.errors import ConfigError, ImageError

STRIPPER = (
    *("model=skullstripper", "data=nfbs", "skullstripper.preprocess.spacing_mm=[6,6,6]"),
    *("skullstripper.channels=[4,8]", "skullstripper.patch=[16,16,16]"),
)


@pytest.fixture
def bids(written, tmp_path):
    """Four heads in BIDS, the first of which has its T1w with and without normalisation."""
    root = tmp_path / "bids"
    for number, folder in enumerate(sorted(written("nfbs").iterdir())):
        anat = root / f"sub-{number}" / "anat"
        anat.mkdir(parents=True)
        for source in folder.glob("*T1w.nii.gz"):
            kinds = ("_rec-norm", "_rec-nd") if number == 0 else ("",)
            for kind in kinds:
                shutil.copy(source, anat / f"sub-{number}{kind}_T1w.nii.gz")
                (anat / f"sub-{number}{kind}_T1w.nii.gz").write_bytes(source.read_bytes() + kind.encode())
        for mask in folder.glob("*brainmask.nii.gz"):
            shutil.copy(mask, anat / f"sub-{number}_T1w_brainmask.nii.gz")
    return root


def taken(data):
    (one,) = [subject for subject in data.survey().subjects if subject.id == "sub-0"]
    one.refuse_fault()
    return one.images["t1"].path.name


def test_the_words_of_a_prediction_decide_in_training_too(bids, module):
    assert taken(module(bids, *STRIPPER)) == "sub-0_rec-norm_T1w.nii.gz"
    assert taken(module(bids, *STRIPPER, "data.choose.words=[ND]")) == "sub-0_rec-nd_T1w.nii.gz"
    with pytest.raises(ImageError, match="both claim to be the t1"):
        taken(module(bids, *STRIPPER, "data.choose.words=[]"))


def test_the_audit_says_which_was_taken(bids):
    ran = CliRunner().invoke(app, ["audit", "data=nfbs", f"data.root={bids}", "data.choose.words=[ND]"])
    assert ran.exit_code == 0, ran.output
    said = "".join(ran.output.split())
    assert "sub-0:t1issub-0_rec-nd_T1w.nii.gz,notsub-0_rec-norm_T1w.nii.gz:ithasND" in said


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        ("{words:[A B],series:[]}", r"data\.choose\.words=A B is no word"),
        ("{words:[],series:[x]}", r"data\.choose is .*: Value 'x' .* could not be converted to Integer"),
        ("{odd:1}", r"data\.choose is .*: Key 'odd' not in 'ChooseConfig'"),
        ("7", r"data\.choose is 7, but must be ChooseConfig or null"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(bids, module, choose, said):
    with pytest.raises(ConfigError, match=said) as caught:
        module(bids, *STRIPPER, "~data.choose", f"+data.choose={choose}")
    assert "\n" not in str(caught.value)


def test_training_and_prediction_have_one_default(composed):
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        predicted = check_predict(compose("predict", ["input=x", "output=y"]))
    trained = plain(composed(*STRIPPER).data.choose)
    assert trained == vars(predicted.choose)
    assert plain(composed("model=segmenter", "data=brats").data.choose) == trained
