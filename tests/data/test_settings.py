"""The settings that all data sets share: written once, the same for each, and read from earlier runs too."""

from dataclasses import asdict

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from brainseg.config import conf_dir, explain, plain
from brainseg.config.errors import ConfigError
from brainseg.data import data_of
from brainseg.data.settings import DataSettings

MODELS = {
    "brats": "segmenter",
    "heads": "skullstripper",
    "kaggle": "classifier",
    "lgg": "segmenter",
    "nfbs": "skullstripper",
    "phantom": "segmenter",
    "tumours": "segmenter",
    "types": "volume_classifier",
    "volumes": "volume_classifier",
}
DATA_SETS = {path.stem for path in (conf_dir() / "data").glob("[!_]*.yaml")}
PAINTED = ("heads", "tumours", "types")  # there are no files
OTHERS = {
    "heads": {"val_share": 0.1},
    "tumours": {"val_share": 0.1},
    "types": {"val_share": 0.15},
    "phantom": {"test_share": 0.2},
}


@pytest.mark.parametrize("data", MODELS)
def test_every_data_set_has_the_shared_settings_and_says_where_it_has_other_values(composed, tmp_path, data):
    three = ["segmenter.preprocess.modalities=[t1,t1ce,flair]"] if data == "lgg" else []  # all that it has
    cfg = composed(f"model={MODELS[data]}", f"data={data}", "seed=3", *three)
    shared = {
        "cache": f"{tmp_path}/data/cache", "seed": 3, "workers": "auto", "val_share": 0.2, "test_share": 0.0,
        "folds": None, "fold": 0, "skip_bad": False,
        "groups": None,
    }  # fmt: skip
    if data in PAINTED:
        del shared["skip_bad"], shared["groups"]
    found = plain(cfg.data)
    assert {name: found[name] for name in shared} == shared | OTHERS.get(data, {})
    assert ("skip_bad" in found) == (data not in PAINTED)
    made = data_of(found, OmegaConf.to_object(cfg[cfg.task]))
    settings = made.inner.settings if data == "phantom" else made.settings
    assert asdict(settings) == {"skip_bad": False, "groups": None, **shared, **OTHERS.get(data, {})}


def test_the_data_of_a_run_from_before_some_settings_is_read(composed):
    cfg = composed("model=skullstripper", "data=heads")
    recipe = OmegaConf.to_object(cfg.skullstripper)
    earlier = {**plain(cfg.data), "recipe": "${${task}}"}
    del earlier["folds"], earlier["fold"]
    assert data_of(earlier, recipe).settings == data_of(plain(cfg.data), recipe).settings
    del earlier["seed"]
    with pytest.raises(ConfigError, match=r"data does not fit PaintedHeads: .*'seed'"):
        data_of(earlier, recipe)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"val_share": 1.0}, r"data\.val_share must be in \[0, 1\), got 1\.0"),
        ({"folds": 3, "fold": 3}, r"data\.fold from 0 to folds - 1; got folds=3, fold=3"),
        ({"workers": -1}, r"data\.workers must be auto or a number from 0 up, got -1"),
    ],
)
def test_settings_out_of_bounds_are_refused(changes, said):
    shared = {"cache": "cache", "seed": 0, "workers": 0, "val_share": 0.2, "test_share": 0.0}
    with pytest.raises(ConfigError, match=said):
        DataSettings(**shared | changes)


def test_an_unknown_data_set_is_answered_with_those_there_are_and_no_fragment(composed):
    with pytest.raises(HydraException) as told:
        composed("data=brat")
    assert explain(told.value) == f"data=brat: no such data; there are {', '.join(sorted(DATA_SETS))}"


def test_every_data_set_of_conf_is_tried_here():
    assert set(MODELS) == DATA_SETS
