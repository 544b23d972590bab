"""What a sweep is and how its jobs are named: by keys and values, the same each time, no two alike."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from brainseg.config.errors import ConfigError
from brainseg.sweeps.identity import difference, identity_of, jobs_of, overrides_of
from brainseg.sweeps.names import LONGEST, job_name, short_keys, sweep_name


def parsed(*overrides):
    return OverridesParser.create().parse_overrides(list(overrides))


def test_keys_are_as_short_as_they_can_be_told_apart():
    assert short_keys(["menu.optimizer.adamw.lr", "seed"]) == {
        "menu.optimizer.adamw.lr": "lr",
        "seed": "seed",
    }
    two = ["menu.optimizer.adamw.lr", "menu.optimizer.sgd.lr"]
    assert list(short_keys(two).values()) == ["adamw.lr", "sgd.lr"]
    assert short_keys(["data", "a.data"]) == {"a.data": "a.data", "data": "data"}


def test_every_swept_key_is_in_the_name_whatever_the_order():
    pairs = {"seed": "1", "menu.optimizer.adamw.lr": "0.001"}
    assert job_name(pairs) == "lr=0.001_seed=1" == job_name(dict(reversed(pairs.items())))


def test_names_are_safe_and_no_two_jobs_share_one():
    values = ["[4,8]", "[4/8]", "[4|8]", "'[4,8 ]'", "x" * 300, "x" * 301, "ü", "../..", ".."]
    names = [job_name({"segmenter.channels": value}) for value in values]
    assert len(set(names)) == len(values)
    assert all(len(name) <= LONGEST and "/" not in name and name.isascii() for name in names)
    assert job_name({"data.root": "'a b'"}).startswith("root=a-b_")


def test_the_values_are_no_part_of_what_a_sweep_is():
    one = identity_of(parsed("seed=0,1", "classifier.epochs=3", "data=phantom"))
    more = identity_of(parsed("data=phantom", "classifier.epochs=3", "seed=range(0,9)", "sweep.retry=failed"))
    assert one == more
    assert identity_of(parsed("seed=0,1", "classifier.epochs=3", "data=phantom", "data.workers=0")) == one
    other = identity_of(parsed("seed=0,1", "classifier.epochs=4", "data=phantom"))
    assert other.digest != one.digest
    assert difference(one, other) == "it has classifier.epochs=3; it has not classifier.epochs=4"
    assert sweep_name("classifier", one.keys, one.digest) == f"classifier_seed_{one.digest}"


def test_the_jobs_are_those_of_hydra_each_once():
    overrides = parsed("seed=0,1,0", "name=x", "classifier.loss=kl_divergence,categorical_hinge")
    jobs = jobs_of(overrides)
    assert [tuple(job.values()) for job in jobs] == [
        ("0", "kl_divergence"), ("0", "categorical_hinge"), ("1", "kl_divergence"), ("1", "categorical_hinge")
    ]  # fmt: skip
    assert overrides_of(overrides, jobs[-1]) == ["seed=1", "name=x", "classifier.loss=categorical_hinge"]


@pytest.mark.parametrize(
    ("word", "answer"), [("seed=range(0,100000000)", "more than 10000 jobs"), ("seed=interval(0,1)", "range")]
)
def test_what_is_no_grid_is_refused(word, answer):
    with pytest.raises(ConfigError, match=answer) as told:
        jobs_of(parsed(word))
    assert "\n" not in str(told.value)
