"""How the networks of a prediction compute: chosen once, recorded in the result, kept by reproduce."""

import pytest
import torch

from brainseg.checkpoint import load_model
from brainseg.config import plain
from brainseg.config.choices import Precision
from brainseg.prediction import computing
from brainseg.prediction.computing import MANY, compute_again, settle
from brainseg.prediction.registry import load_stages
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.parts import Computed
from brainseg.results.read import read_result
from brainseg.trained import SegmenterModel
from brainseg.trained.computing import Computing, as_it_predicts

USUAL, FOUND = Computing("float32", "channels_last"), Computing("bf16", "contiguous")


@pytest.fixture
def timed(monkeypatch, tmp_path):
    """Every timing finds `FOUND`; the shapes for which one was asked for."""
    asked = []
    monkeypatch.setenv("BRAINSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(computing, "predicts_in_bf16", lambda device: False)
    monkeypatch.setattr(
        computing, "time_ways", lambda net, shape: asked.append(shape) or (FOUND, {FOUND: 0.01})
    )
    return asked


@pytest.fixture
def stages(options, patients):
    return load_stages(options(patients))


def ways(stages):
    return {stage.model_name: [one.computing for one in stage.networks] for stage in stages if stage.networks}


def all_ways(stages):
    return {way for every in ways(stages).values() for way in every}


def test_a_cohort_is_timed_once_for_each_network_and_later_predictions_remember(timed, stages, capsys):
    settle(stages, Precision.auto, MANY)
    assert ways(stages) == {"skullstripper": [FOUND], "segmenter": [FOUND]}
    assert timed == [(1, 1, 32, 32, 32), (1, 4, 32, 32, 32)]
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["skullstripper", "segmenter"]
    settle(stages, Precision.auto, 1)
    assert all_ways(stages) == {FOUND}
    assert (len(timed), capsys.readouterr().out) == (2, "")


def test_few_subjects_are_predicted_as_usual(timed, stages):
    settle(stages, Precision.auto, MANY - 1)
    assert all_ways(stages) == {USUAL}
    assert not timed


@pytest.mark.parametrize(
    ("asked", "kind"), [(Precision.float32, torch.float32), (Precision.bf16, torch.bfloat16)]
)
def test_what_is_asked_for_is_computed_and_not_timed(timed, stages, asked, kind):
    settle(stages, asked, MANY)
    assert all_ways(stages) == {Computing(str(asked), "channels_last")}
    assert not timed
    for stage in stages:
        for net in stage.networks:
            with torch.inference_mode(), as_it_predicts(net):
                assert net(torch.zeros(computing._shape(net))).dtype is kind


def test_shards_that_cannot_tell_each_other_compute_as_usual(timed, stages, monkeypatch):
    monkeypatch.setattr(computing, "cache_of_user", lambda: None)
    settle(stages, Precision.auto, MANY, alone=False)
    assert all_ways(stages) == {USUAL}
    settle(stages, Precision.auto, MANY)
    assert all_ways(stages) == {FOUND}


def test_timing_leaves_a_network_as_it_is(trained):
    net = load_model(trained("segmenter")[1])
    x = torch.randn(computing._shape(net), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(3)
    before, drawn = net(x).detach(), torch.rand(1)
    torch.manual_seed(3)
    way, seconds = computing.time_ways(net, x.shape)
    assert torch.equal(net(x), before)
    assert torch.equal(torch.rand(1), drawn)
    assert way in seconds


def test_a_model_of_subsets_of_its_sequences_is_timed_with_all_of_them(composed, tiny):
    cfg = composed(*tiny("segmenter"), "segmenter.subsets=[[t1,t1ce]]", "segmenter.subset_share=0.5")
    net = SegmenterModel.of(plain(cfg.segmenter)).eval()
    way, seconds = computing.time_ways(net, computing._shape(net))
    assert way in seconds


def test_an_older_result_is_made_again_as_usual(timed, stages):
    settle(stages, Precision.auto, MANY)
    compute_again(stages, {"segmenter": Computed("bf16", "channels_last")})
    assert ways(stages) == {
        "skullstripper": [USUAL],
        "segmenter": [Computing("bf16", "channels_last")],
    }


def test_a_result_says_how_it_was_computed_and_is_made_again_so(options, patients, tmp_path, monkeypatch):
    only = ["only=[sub-001]", "classifier=null", "montage=false"]
    before = torch.get_num_threads()
    assert run(options(patients, *only, "precision=float32", "threads=2")) == 0
    folder = tmp_path / "out" / "sub-001"
    result = read_result(folder)
    usual = Computed("float32", "channels_last")
    assert result.computed == {"skullstripper": usual, "segmenter": usual}
    assert (result.machine.threads, torch.get_num_threads()) == (2, before)
    again = {}

    def keep(stages, found):
        again.update(found, threads=torch.get_num_threads())
        compute_again(stages, found)

    monkeypatch.setattr("brainseg.prediction.reproduce.compute_again", keep)
    assert reproduce(folder) == []
    assert again == {"skullstripper": usual, "segmenter": usual, "threads": 2}


def test_the_threads_are_those_that_others_leave_free(options, patients, monkeypatch):
    seen = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("brainseg.system.threads.free_cores", lambda cores: 3)
    monkeypatch.setattr(
        "brainseg.prediction.run._run", lambda options: seen.append(torch.get_num_threads()) or 0
    )
    assert run(options(patients)) == 0
    assert seen == [3]
