"""A name that is no text, or cannot name a folder, stops nothing."""

import csv
import os

import pytest

from brainseg.prediction.dry_run import dry_run
from brainseg.prediction.run import run
from brainseg.results.places import TAKEN, folder_name, is_plain
from brainseg.results.read import all_results
from brainseg.results.verify import batch_changes, changes

QUICK = ("skullstripper=otsu", "classifier=null", "segmenter=null", "page=true")


@pytest.fixture
def scan(patients):
    return (patients / "sub-001" / "anat" / "sub-001_T1w.nii.gz").read_bytes()


@pytest.mark.parametrize(
    "name",
    [b"M\xfcller", b"new\nline", b"files.csv", b"SHA256SUMS", b"x" * 235, "next\u2028line".encode()],
    ids=lambda name: name[:12].decode(errors="replace"),
)
def test_a_subject_of_an_odd_name_is_predicted_and_stops_no_other(name, scan, options, tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "good_t1.nii.gz").write_bytes(scan)
    with open(os.path.join(os.fsencode(root), name + b"_t1.nii.gz"), "wb") as file:
        file.write(scan)
    assert dry_run(options(root, *QUICK)) == 0
    assert run(options(root, *QUICK, "montage=true")) == 0
    results = all_results(tmp_path / "out")
    assert len(results) == 2
    assert batch_changes(tmp_path / "out") == []
    assert [changes(tmp_path / "out" / one.subject) for one in results] == [[], []]
    (odd,) = (one for one in results if one.subject != "good")
    assert is_plain(odd.subject)
    assert "cannot name a folder of results" in odd.warnings[-1]
    assert run(options(root, *QUICK, "montage=true")) == 0  # the same again: nothing is in the way
    with (tmp_path / "out" / "files.csv").open(encoding="utf-8", newline="") as file:
        assert [row["fate"] for row in csv.DictReader(file)] == ["used", "used"]


def test_a_file_beside_the_scans_whose_name_is_no_text_stops_nothing(scan, options, tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "good_t1.nii.gz").write_bytes(scan)
    with open(os.path.join(os.fsencode(root), b"Gr\xfc\xdfe.txt"), "wb"):
        pass
    assert run(options(root, *QUICK)) == 0
    text = (tmp_path / "out" / "files.csv").read_text(encoding="utf-8")
    assert r"Gr\udcfc\udcdfe.txt" in text


def test_good_ids_stay_and_others_are_told_apart():
    good = ["sub-01", "Jörg Müller", "a,b", "k=v", "🧠", "x" * 160]
    assert [folder_name(one) for one in good] == good
    odd = ["", ".x", "..x", "a\nb", "a\tb", "a/b", *TAKEN, "x" * 161, "x" * 162]
    made = [folder_name(one) for one in odd]
    assert len(set(made)) == len(odd)
    assert all(map(is_plain, made))
