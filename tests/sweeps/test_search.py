"""Searches by Optuna: the space, a study that is killed and gone on with, trials that are ended early."""

import signal

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from brainseg.config import ConfigError
from brainseg.sweeps.search import corners, space_of, storage_in, without_password

from .sweeping import Sweeps

optuna = pytest.importorskip("optuna")


def space(*overrides):
    return space_of(OverridesParser.create().parse_overrides(list(overrides)))


def test_the_space_is_what_hydras_syntax_says():
    made = space(
        "a=x,y", "b=choice(1,2)", "c=range(1,5)", "d=int(interval(1,8))", "e=interval(0.0,0.5)",
        "f=tag(log,interval(1e-5,1e-2))", "g=7",
    )  # fmt: skip
    of = optuna.distributions
    assert made == {
        "a": of.CategoricalDistribution(["x", "y"]),
        "b": of.CategoricalDistribution(["1", "2"]),
        "c": of.IntDistribution(1, 4),
        "d": of.IntDistribution(1, 8),
        "e": of.FloatDistribution(0.0, 0.5),
        "f": of.FloatDistribution(1e-5, 1e-2, log=True),
    }
    assert corners(space("a=x,y", "d=int(interval(1,8))")) == [
        {"a": "x", "d": "1"},
        {"a": "y", "d": "1"},
        {"a": "x", "d": "8"},
    ]


@pytest.mark.parametrize("bad", ["a=interval(2.0,1.0)", "a=tag(log,interval(0.0,1.0))"])
def test_a_space_that_cannot_be_is_refused_by_its_key(bad):
    with pytest.raises(ConfigError, match=r"^a="):
        space(bad)


SEARCH = (
    *("hydra/sweeper=optuna", "menu.optimizer.adamw.lr=tag(log,interval(1e-5,1e-1))"),
    *("classifier.dropout=interval(0.0,0.5)", "hydra.sweeper.random_trials=3"),
)


def trials(sweeps, folder):
    study = optuna.load_study(storage=storage_in(sweeps.root / folder), study_name=folder)
    return [(one.state.name, one.params, one.value) for one in study.trials]


@pytest.mark.slow
@pytest.mark.parametrize("number", [5, pytest.param(20, marks=pytest.mark.long)])
def test_a_study_that_is_killed_goes_on_to_the_same_end(tmp_path, number):
    sweeps = Sweeps(tmp_path)
    given = (*SEARCH, f"hydra.sweeper.n_trials={number}", "hydra.sweeper.pruner=none")
    assert sweeps.run("trainer=smoke", "seed=0,1", folder="first")[0] == 0  # so that the phantoms are there
    begun = tmp_path / "study"
    code, said = sweeps.run(
        *given, folder="study", kill=(lambda: len(list(begun.glob("0*"))) > number // 2, signal.SIGKILL)
    )
    assert code == -signal.SIGKILL, said
    before = trials(sweeps, "study")
    assert 0 < len(before) < number
    code, said = sweeps.run(*given, folder="study")
    assert code == 0, said
    print(f"killed in trial {len(before) - 1}; {said[said.index('study study in') :]}")
    assert f"{number} of {number} trials, {number} complete" in said
    assert "train it again: python train.py" in said
    after = trials(sweeps, "study")
    assert sweeps.run(*given, folder="whole")[0] == 0
    assert after == trials(sweeps, "whole")
    code, said = sweeps.run(*given, folder="study")  # there is nothing left to do
    assert code == 0, said
    assert trials(sweeps, "study") == after


@pytest.mark.slow
def test_a_trial_that_falls_behind_is_ended_and_keeps_its_checkpoint(tmp_path):
    sweeps = Sweeps(tmp_path)
    early = "hydra.sweeper.pruner_settings.median={n_startup_trials:1,n_warmup_steps:0}"
    judged = ("classifier.monitor=val/loss", "classifier.monitor_mode=min", "classifier.epochs=8")
    code, said = sweeps.run(*SEARCH, *judged, "hydra.sweeper.n_trials=8", early, folder="pruned")
    assert code == 0, said
    states = sweeps.states("pruned")
    assert "pruned" in states
    assert [one[0] for one in trials(sweeps, "pruned")].count("PRUNED") == states.count("pruned")
    pruned = [name for name, (job, _) in sweeps.table("pruned").items() if job["state"] == "pruned"]
    assert (tmp_path / "pruned" / pruned[0] / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
def test_hyperband_works_with_its_defaults_and_a_folder_holds_one_study(tmp_path):
    sweeps = Sweeps(tmp_path)
    given = (*SEARCH, "hydra.sweeper.pruner=hyperband", "hydra.sweeper.n_trials=2", "trainer=smoke")
    shared = f"hydra.sweeper.storage=sqlite:///{tmp_path / 'shared.db'}"
    code, said = sweeps.run(*given, shared, "hydra.sweeper.study_name=first", folder="study")
    assert code == 0, said
    assert "study first in sqlite" in said
    assert "2 of 2 trials, 2 complete" in said
    code, said = sweeps.run(*given, shared, "hydra.sweeper.study_name=other", folder="study")
    assert code == 2, said
    assert "holds another sweep: it has hydra.sweeper.study_name=first" in said
    assert sweeps.states("study") == ["done", "done"]


@pytest.mark.slow
def test_trials_run_beside_each_other_on_few_cores_too(tmp_path):
    sweeps = Sweeps(tmp_path)
    two = ("hydra/launcher=local_parallel", "hydra.sweeper.n_jobs=2", "hydra.sweeper.n_trials=2")
    code, said = sweeps.run(*SEARCH, *two, "trainer=smoke", folder="two")
    assert code == 0, said
    assert "2 jobs, 2 at once" in said


@pytest.mark.slow
def test_cfg_shows_what_is_checked_of_a_search(tmp_path):
    code, said = Sweeps(tmp_path).run(*SEARCH, "--cfg", "job", folder="none")
    assert code == 0, said
    begun = [line for line in said.splitlines() if line.startswith("---")]
    assert len(begun) == 3
    assert any("menu.optimizer.adamw.lr=0.1" in line for line in begun)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("study.db", "is no URL of a data base"),
        ("sqlite://", "names no file"),
        ("sqlite:////nowhere/here/study.db", "the folder /nowhere/here is not there"),
    ],
)
def test_a_storage_that_cannot_be_is_refused_with_the_mend(url, said):
    with pytest.raises(ConfigError, match=said):
        without_password(url)


def test_a_password_is_not_shown():
    assert without_password("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


@pytest.mark.slow
def test_what_cannot_work_starts_no_trial(tmp_path):
    sweeps = Sweeps(tmp_path)
    for given, fault in (
        (["classifier.dropout=interval(0.0,1.5)"], "classifier.dropout"),
        (
            ["seed=0,1", "hydra.sweeper.pruner=best"],
            "expected one of [median, hyperband, none]",
        ),
        (["seed=0,1", "overwrite=true"], "repeats no trial"),
        ([], "nothing to search"),
    ):
        code, said = sweeps.run("hydra/sweeper=optuna", *given, folder="bad")
        assert code == 2, said
        assert fault in said
        assert not list((tmp_path / "bad").glob("0*"))
