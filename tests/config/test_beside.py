"""An experiment's keys of a data set that another one takes the place of."""

import pytest

from brainseg.config import check
from brainseg.config.beside import composed, parsed, without_foreign_data, written
from brainseg.data.registry import composed_data


@pytest.mark.parametrize(
    ("experiment", "data"),
    [
        ("demo_segmenter", "brats"),
        ("demo_segmenter", "lgg"),  # both have data.spacing_mm: a number there, three here
        ("demo_segmenter", "tumours"),
        ("demo_skullstripper", "nfbs"),
        ("demo_skullstripper", "heads"),
        ("classifier_grid_small", "phantom"),
        ("report_skullstripper_base", "phantom"),
    ],
)
def test_an_experiment_takes_other_data_than_its_own(tmp_path, experiment, data):
    more = ["segmenter.preprocess.modalities=[flair]"] if data == "lgg" else []
    given = [f"experiment={experiment}", f"data={data}", *more]
    arguments, said = without_foreign_data(given)
    places = [f"paths.data={tmp_path}", f"paths.cache={tmp_path}", f"paths.run={tmp_path}"]
    cfg = composed([*[one for one in arguments if "hydra" not in one], *places])
    check(cfg)
    composed_data(cfg)
    assert len(said) == 1
    assert f"experiment={experiment} is of another data set than data={data}, which leaves out " in said[0]


def test_what_all_data_sets_share_stays_the_experiments_and_what_is_given_stays_as_given():
    given = ["experiment=demo_segmenter", "data=lgg", "data.spacing_mm=[1,1,5]"]
    arguments, _ = without_foreign_data(given)
    assert arguments == ["~data.subjects", "~data.types", *given]
    cfg = composed(arguments)
    assert (cfg.data.val_share, list(cfg.data.spacing_mm)) == (0.0625, [1, 1, 5])


@pytest.mark.parametrize(
    "given",
    [
        ["experiment=demo_segmenter"],
        ["experiment=demo_segmenter", "data=phantom"],
        ["data=brats", "model=segmenter"],
        ["experiment=segmenter_fast", "data=phantom"],
        ["experiment=nothing", "data=brats"],
        ["-m", "experiment=demo_segmenter,segmenter_fast", "data=brats"],
    ],
)
def test_other_command_lines_stay_as_they_are(given):
    assert without_foreign_data(given) == (given, [])


def test_values_are_written_as_hydra_reads_them_back():
    for value in (None, True, 3, 0.001, "a b,c", [1, 2.5], ["t1", "t1ce"], [["flair"], []], "${seed}"):
        assert parsed([f"a={written(value)}"])[0].value() == value
