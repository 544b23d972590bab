"""Paths are given as the shell gives them, whatever letters they hold."""

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from brainseg.config import ConfigError
from brainseg.config.arguments import quoted, quoted_paths, refuse_no_choice

ANY_PATH = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1)


def read_back(argument):
    return OverridesParser.create().parse_override(argument).value()


@given(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])))
def test_what_is_quoted_is_read_back_as_it_was(value):
    assert read_back(f"input={quoted(value)}") == value


@given(ANY_PATH)
def test_a_path_below_a_folder_is_taken_literally(value):
    (argument,) = quoted_paths([f"input=/d/{value}"])
    assert read_back(argument) == f"/d/{value}"


@pytest.mark.parametrize(
    "value",
    [
        *("/tmp/daten_für", "dl_é (1)/best.ckpt", "a=b,c", "it's", 'say "no"', "größe_1,lr=3", "x{y}#z~"),
        *("日本", "/d/a=b", "runs/1/epoch=05.ckpt", "/d/Jörg, Anna/T1 head", "[2020]/a", "'90s", '"x"/b'),
        *("2020_01", "1e3", "007", "true", "nan", " a ", "choice(a,b)", "a\\b", "a*b"),
    ],
)
def test_a_path_of_any_letters_is_taken(value):
    for key in ("input", "resume", "trainer.default_root_dir", "data.groups"):
        (argument,) = quoted_paths([f"{key}={value}"])
        assert read_back(argument) == value


def test_each_path_of_a_list_is_taken():
    (argument,) = quoted_paths(["segmenter=[/r/epoch=05.ckpt, größe/2.ckpt,'a,b.ckpt']"])
    assert read_back(argument) == ["/r/epoch=05.ckpt", "größe/2.ckpt", "a,b.ckpt"]


def test_each_path_of_a_sweep_is_taken():
    _, argument, one, chosen = quoted_paths(
        ["-m", "start_from=r/epoch=05.ckpt,größe.ckpt,null", "data.root=/d/a=b", "input=choice(a,b)"]
    )
    override = OverridesParser.create().parse_override(argument)
    assert [str(value).strip("'") for value in override.sweep_string_iterator()] == [
        "r/epoch=05.ckpt",
        "größe.ckpt",
        "null",
    ]
    assert read_back(one) == "/d/a=b"
    assert chosen == "input=choice(a,b)"


def test_a_comma_within_a_path_that_is_there_begins_no_sweep(tmp_path):
    folder = tmp_path / "a=b, ü (1)"
    folder.mkdir()
    for key in ("data.root", "data.cache", "hydra.sweep.dir"):
        _, argument = quoted_paths(["-m", f"{key}={folder}/new"])
        assert read_back(argument) == f"{folder}/new"


@pytest.mark.parametrize(
    "argument",
    [
        "input=scans/sub-01",
        "data.root=/data/brats 2021",
        "segmenter=[a.ckpt,b.ckpt]",
        "classifier=null",
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


@pytest.mark.parametrize(
    ("program", "argument", "said"),
    [
        ("predict", "gates=null", "nothing is chosen; take one of default, none"),
        ("predict", "gates=NULL", "nothing is chosen; take one of default, none"),
        ("predict", "gates=default,null", "nothing is chosen; take one of default, none"),
        ("predict", "gates=5", "nothing is chosen; take one of default, none"),
        ("train", "+hydra/launcher=", "nothing is chosen; take one of local_parallel, slurm"),
        ("train", "gates=null", "nothing is chosen by this here; leave it out"),
        ("train", "experiment=null", "nothing is chosen by this here; leave it out"),
        ("train", "hydra=null", "nothing is chosen by this here; leave it out"),
    ],
)
def test_null_is_no_file_of_a_folder(program, argument, said):
    with pytest.raises(ConfigError, match=f"{re.escape(argument)}: {said}$"):
        refuse_no_choice(program, [argument])


def test_null_is_a_value_of_settings_that_are_no_folder():
    values = ["segmenter=null", "gates.air_level=null", "input=", "=null", "/tmp=null", "..=null"]
    refuse_no_choice("predict", [*values, "gates=none", "gates=none,default", "gates=choice(none,default)"])
