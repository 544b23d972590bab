"""A checkpoint whose content someone has altered is used as it is meant, or refused in one line."""

import copy
import resource
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from brainseg.checkpoint import begin_with, load_model, read_checkpoint
from brainseg.config.errors import CheckpointError
from brainseg.prediction.members import load_ensemble
from brainseg.trained import Ensemble

CPU = torch.device("cpu")


def put(*keys):
    """An alteration: the last of the arguments stands under the keys before it."""
    *path, value = keys

    def alter(stored):
        node = stored
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value(node[path[-1]]) if callable(value) else value

    return alter


def without(*path):
    def alter(stored):
        node = stored
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return alter


def first_weight(change):
    def alter(stored):
        name = next(key for key in stored["state_dict"] if key.startswith("net."))
        stored["state_dict"][name] = change(stored["state_dict"][name])

    return alter


def config(*keys):
    return put("hyper_parameters", "config", *keys)


def fitted(*keys):
    return put("brainseg", "fitted", *keys)


def run(*keys):
    return put("brainseg", "run", *keys)


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def doubled(levels):
    """2 ** levels values, of which each level is stored once."""
    value = ["x"]
    for _ in range(levels):
        value = [value, value]
    return value


def strided(weight):
    """As many numbers as are asked for, of which one is stored."""
    return torch.zeros(1).as_strided((10**6, 10**6), (0, 0))


REFUSED = {
    "no config": without("hyper_parameters", "config"),
    "no settings": without("hyper_parameters"),
    "settings a list": put("hyper_parameters", [1]),
    "config a list": put("hyper_parameters", "config", [1, 2]),
    "no weights": without("state_dict"),
    "weights a list": put("state_dict", [torch.zeros(1)]),
    "weights empty": put("state_dict", {}),
    "no task": without("brainseg", "task"),
    "task unknown": put("brainseg", "task", "cooking"),
    "task a list": put("brainseg", "task", ["segmenter"]),
    "no format": without("brainseg", "format"),
    "format a text": put("brainseg", "format", "1"),
    "format a tensor": put("brainseg", "format", torch.ones(2)),
    "format 0": put("brainseg", "format", 0),
    "entry a list": put("brainseg", [1]),
    "no run": without("brainseg", "run"),
    "run a text": put("brainseg", "run", "yesterday"),
    "fitted a list": put("brainseg", "fitted", [1]),
    "epochs missing": without("hyper_parameters", "config", "epochs"),
    "epochs a text": config("epochs", "ten"),
    "net unknown": config("net", "transformer9000"),
    "key unknown": config("surprise", 1),
    "key a number": config(3, 1),
    "channels negative": config("channels", [-4, 8]),
    "channels text": config("channels", ["a", "b"]),
    "channels enormous": config("channels", [4096, 4096]),
    "channels beyond": config("channels", [10**9, 10**9]),
    "channels many": config("channels", [4] * 100_000),
    "channels one": config("channels", [4]),
    "channels a dict": config("channels", {"a": 4}),
    "channels null": config("channels", None),
    "patch enormous": config("patch", [2**20] * 3),
    "patch odd": config("patch", [31, 32, 32]),
    "patch two": config("patch", [32, 32]),
    "dropout a dict": config("dropout", {"_target_": "os.getcwd"}),
    "dropout a text": config("dropout", "much"),
    "dropout two": config("dropout", 2.0),
    "dropout not a number": config("dropout", float("nan")),
    "preprocess a list": config("preprocess", [1]),
    "spacing tiny": config("preprocess", "spacing_mm", [1e-6] * 3),
    "spacing not a number": config("preprocess", "spacing_mm", [float("nan")] * 3),
    "spacing endless": config("preprocess", "spacing_mm", [float("inf")] * 3),
    "modalities unknown": config("preprocess", "modalities", ["x-ray"]),
    "modalities fewer": config("preprocess", "modalities", ["t1"]),
    "margin endless": config("margin_mm", float("inf")),
    "subsets a dict": config("subsets", {"a": 1}),
    "environment": config("monitor", "${oc.env:HOME}"),
    "missing value": config("monitor", "???"),
    "config deep": config("dropout", nested(400)),
    "config wide": config("dropout", doubled(60)),
    "weights a text": first_weight(lambda one: "heavy"),
    "weights missing": without("state_dict", "net.FIRST"),
    "weights strange": put("state_dict", "net.strange", torch.zeros(3)),
    "weights other shape": first_weight(lambda one: one[:1]),
    "weights whole numbers": first_weight(lambda one: one.int()),
    "weights complex": first_weight(lambda one: one.to(torch.complex64)),
    "weights not numbers": first_weight(lambda one: one * float("nan")),
    "weights endless": first_weight(lambda one: one + float("inf")),
    "weights sparse": first_weight(lambda one: one.to_sparse()),
    "weights said to be large": first_weight(strided),
    "weights of one number": first_weight(lambda one: torch.zeros(1).expand(one.shape)),
    "fitted half": without("brainseg", "fitted", "temperatures"),
    "temperatures a list": fitted("temperatures", [1.0, 1.0, 1.0]),
    "temperature 0": fitted("temperatures", "whole_tumor", 0.0),
    "temperature negative": fitted("temperatures", "whole_tumor", -1.0),
    "temperature a text": fitted("temperatures", "whole_tumor", "warm"),
    "temperature not a number": fitted("temperatures", "whole_tumor", float("nan")),
    "temperature missing": without("brainseg", "fitted", "temperatures", "whole_tumor"),
    "errors a number": fitted("calibration_error", 0.1),
    "scans a text": fitted("validation_scans", "four"),
    "rule a text": fitted("cleaning", "well"),
    "rule unknown": fitted("cleaning", {"bleach": 1}),
    "rules a number": fitted("cleaning_scores", 3),
    "rules of numbers": fitted("cleaning_scores", [1, 2]),
    "rules without scores": fitted("cleaning_scores", lambda rows: [{**rows[0], "scores": []}]),
    "rules of other lengths": fitted("cleaning_scores", 0, "scores", [0.5, 0.5]),
    "rules without nothing": fitted("cleaning_scores", lambda rows: rows[1:]),
    "rule scores text": fitted("cleaning_scores", 0, "scores", ["good"]),
    "subset scores": fitted("subsets", {"t1": 3}),
    "fitted deep": fitted("more", nested(400)),
    "fitted a tensor": fitted("more", torch.zeros(3)),
    "facts a list": run("facts", [1]),
    "facts a text": run("facts", "many"),
    "data a text": run("data", "BraTS"),
    "convention a list": run("facts", "label_convention", [1]),
    "convention unknown": run("facts", "label_convention", "brats-3000"),
    "landmarks a text": run("facts", "landmarks", "up"),
    "landmarks few": run("facts", "landmarks", [1.0, 2.0]),
    "subjects a list": run("facts", "train_subjects", [1]),
    "before a text": run("started_from", "there"),
    "before odd": run("started_from", {"facts": 3}),
    "run deep": run("more", nested(10_000)),
    "run wide": run("more", doubled(60)),
    "run a long text": run("more", "x" * 10**6),
    "run a long number": run("more", 10**1000),
}  # fmt: skip
USED = {
    "nothing altered": lambda stored: None,
    "loss unknown": put("hyper_parameters", "loss", {"_target_": "os.getcwd"}),
    "no loss": without("hyper_parameters", "loss"),
    "fitted empty": put("brainseg", "fitted", {}),
    "no fitted": without("brainseg", "fitted"),
    "facts missing": without("brainseg", "run", "facts"),
    "weights half": first_weight(lambda one: one.half()),
    "weights double": first_weight(lambda one: one.double()),
    "weights transposed": first_weight(lambda one: one.transpose(-1, -2).contiguous().transpose(-1, -2)),
}


@pytest.fixture
def altered(trained, tmp_path):
    """Writes a real checkpoint with an alteration."""

    def _altered(alter, task="segmenter"):
        stored = copy.deepcopy(read_checkpoint(trained(task)[1]))
        first = next(key for key in stored["state_dict"] if key.startswith("net."))
        if alter is REFUSED["weights missing"]:
            alter = without("state_dict", first)
        alter(stored)
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(100_000)  # the pickler's
        try:
            torch.save(stored, tmp_path / "altered.ckpt")
        finally:
            sys.setrecursionlimit(limit)
        return tmp_path / "altered.ckpt"

    return _altered


@pytest.mark.parametrize("name", REFUSED)
def test_an_altered_content_is_refused_in_one_line_that_names_the_file(altered, name):
    path = altered(REFUSED[name])
    with pytest.raises(CheckpointError, match=r"altered\.ckpt") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", USED)
def test_what_prediction_does_not_need_may_be_altered(altered, name):
    together = load_ensemble(altered(USED[name]), CPU)
    there = together.probabilities(torch.zeros(4, 32, 32, 32))
    assert np.isfinite(there).all()


@pytest.mark.parametrize("value", [0, -1.0, "warm", [1.0], float("nan"), None, {}])
def test_a_classifier_s_temperature_is_a_number_above_0(altered, value):
    with pytest.raises(CheckpointError, match=r"has the temperature .*, which is no number above 0"):
        load_model(altered(fitted("temperature", value), "classifier"))


@contextmanager
def little_memory():
    """Ends whatever asks for 2 GB more than there is in use."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux holds a process to a limit of its memory")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2 * 2**30, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("backbone", ["no_such_net", 3, ""])
def test_a_classifier_s_backbone_is_one_that_there_is(altered, backbone):
    with pytest.raises(CheckpointError, match=r"altered\.ckpt does not fit this brainseg: .*backbone"):
        load_model(altered(config("backbone", backbone), "classifier"))


def test_a_classifier_s_network_is_not_built_if_its_weights_are_not_there(altered):
    path = altered(config("backbone", "vit_7b_patch16_dinov3"), "classifier")  # 27 GB
    refused = pytest.raises(CheckpointError, match=r"altered\.ckpt cannot be used: .* lacks the weights")
    with little_memory(), refused:
        load_model(path)


def test_an_enormous_network_is_not_built(altered):
    path = altered(config("channels", [4096] * 2))  # 2 GB for one of its convolutions
    refused = pytest.raises(CheckpointError, match=r"altered\.ckpt cannot be used: .* have the shape")
    with little_memory(), refused:
        load_model(path)


def test_weights_of_a_network_that_is_asked_for_anew_are_looked_at_too(altered, trained):
    module = load_model(trained("segmenter")[1])
    with pytest.raises(CheckpointError, match="that are not finite: its training went wrong"):
        begin_with(module, altered(REFUSED["weights not numbers"]))


def test_members_whose_cleaning_was_scored_in_other_ways_are_refused(trained):
    one, other = load_model(trained("segmenter")[1]), load_model(trained("segmenter")[1])
    other.fitted = {**other.fitted, "cleaning_scores": other.fitted["cleaning_scores"][:5]}
    with pytest.raises(CheckpointError, match=r"b\.ckpt cannot answer together with a\.ckpt: their cleaning"):
        Ensemble({"a.ckpt": one, "b.ckpt": other})
