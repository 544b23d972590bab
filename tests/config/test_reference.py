"""The generated reference of the configuration: every key is there, with its type, default and meaning."""

import re

import pytest

from brainseg.config.described import bounds, type_words, yaml_comments, yaml_head
from brainseg.config.gates import ContradictionsConfig, GatesConfig
from brainseg.config.prediction import VoteConfig
from brainseg.config.reference import config_reference
from brainseg.config.training import SegmenterConfig, VolumePreprocess


@pytest.fixture(scope="module")
def reference() -> str:
    return config_reference()


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each row of all tables by the key in its first cell; the first of a name counts."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if match := re.match(r"\| `([^`]+)` \| (.*) \|$", line):
            found.setdefault(match[1], match[2].split(" | "))
    return found


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        ("classifier.epochs", ["whole number, at least 1", "`20`"]),
        ("segmenter.epochs", ["whole number, at least 1", "`100`"]),
        ("segmenter.ema", ["number or null, at least 0 and below 1", "`null`"]),
        (
            "skullstripper.preprocess.spacing_mm",
            ["list: number or null, three, above 0", "`[2.0, 2.0, 2.0]`"],
        ),
        ("classifier.head", ["[one of](#names-of-head) linear, mlp", "`linear`"]),
        ("classifier.margin_mm", ["number, at least 0, at most 500", "`0.0`"]),
        ("vote.healthy_at", ["number, 0 to 1", "`0.95`"]),
        ("input", ["text", "to be given"]),
        ("gates.brain_ml", ["`[900, 2100]`", "`[500, 3000]`"]),
        ("gates.csf_over_white.t2", ["`[0.1, null]`", "`null`"]),
    ],
)
def test_a_key_has_the_type_bounds_and_default_that_hold(reference, key, cells):
    assert rows(reference)[key][: len(cells)] == cells


def test_every_key_of_the_typed_schema_is_there_and_says_what_it_means(reference):
    typed = reference[: reference.index("## Data sets")] + reference[reference.index("## Choices") :]
    found = rows(typed)
    assert {"name", "paths.cache", "trainer.devices", "segmenter.augment.gamma", "window.flips"} <= set(found)
    contradictions = len(ContradictionsConfig.__annotations__)
    gates = len(GatesConfig.__annotations__) - 3 + 2 * 4 + contradictions  # two have a limit a sequence
    assert len([key for key in found if key.startswith("gates.")]) == gates
    assert [key for key, cells in found.items() if not cells[-1]] == []


def test_every_key_of_callbacks_loggers_and_menus_is_explained_by_its_yaml(reference):
    parts = rows(reference[reference.index("## Callbacks, loggers") : reference.index("## Groups")])
    assert {"callbacks.panels.samples", "logger.wandb.project", "menu.loss.dice_focal.gamma"} <= set(parts)
    unexplained = {key for key, (_, meaning) in parts.items() if not meaning}
    assert {key for key in unexplained if not key.endswith("_target_") and ".keras." not in key} == set()


def test_every_link_leads_to_a_heading(reference):
    headings = {
        line[4:].lower().replace(" ", "-") for line in reference.splitlines() if line.startswith("### ")
    }
    links = set(re.findall(r"\(#([\w-]+)\)", reference))
    assert "names-of-stage" in links
    assert links <= headings


def test_data_sets_are_explained_by_their_own_comments_only(reference):
    kaggle = rows(reference[reference.index("### `data=kaggle`") : reference.index("### `data=nfbs`")])
    assert kaggle["data.limit"] == [
        "`null`",
        "number of Training slices to use, each class in its proportion",
    ]
    assert kaggle["data.split"][1].startswith("copies stay on one side")


def test_a_field_tells_its_type_and_its_bounds():
    assert type_words(VoteConfig.__annotations__["denoise_from"]) == "number or null"
    assert bounds(SegmenterConfig)["epochs"] == ["at least 1"]  # of the class that it extends
    assert bounds(VolumePreprocess)["modalities"] == ["out of t1, t1ce, t2, flair"]


def test_comments_of_yaml_belong_to_the_key_on_their_line():
    text = "# @package _global_\n# What it is.\n# python train.py a=1\nloss:   # all\n  dice:\n"
    text += "    weight: 1.0e-3   # of it\n  other: [1, 2]\nlast: a#b # end\n"
    assert yaml_comments(text) == {"loss": "all", "loss.dice.weight": "of it", "last": "end"}
    assert yaml_head(text) == "What it is. `python train.py a=1`"
