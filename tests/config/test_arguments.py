"""Paths are given as the shell gives them, whatever letters they hold."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from brainseg.config.arguments import quoted, quoted_paths


@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])))
def test_what_is_quoted_is_read_back_as_it_was(value):
    assert OverridesParser.create().parse_override(f"input={quoted(value)}").value() == value


@pytest.mark.parametrize(
    "value",
    ["/tmp/daten_für", "dl_é (1)/best.ckpt", "a=b,c", "it's", 'say "no"', "größe_1,lr=3", "x{y}#z~", "日本"],
)
def test_a_path_of_any_letters_is_taken(value):
    (argument,) = quoted_paths([f"input={value}"])
    assert OverridesParser.create().parse_override(argument).value() == value


@pytest.mark.parametrize(
    "argument",
    [
        "input=scans/sub-01",
        "data.root=/data/brats 2021",
        "segmenter=[a.ckpt,b.ckpt]",
        "input='quoted already'",
        "data.root=${paths.data}/brats",
        "segmenter.epochs=3",
        "--cfg",
        "name=größe",
    ],
)
def test_all_else_stays_as_it_is(argument):
    assert quoted_paths([argument]) == [argument]


def test_the_home_folder_is_filled_in_and_jobs_of_a_sweep_stay_apart(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert quoted_paths(["data.root=~/nfbs"]) == ["data.root=/home/me/nfbs"]
    assert quoted_paths(["-m", "start_from=a.ckpt,b.ckpt"]) == ["-m", "start_from=a.ckpt,b.ckpt"]
