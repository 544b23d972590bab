"""Three hundred damaged files, read in one process: none is read wrong without a word. See fuzz.py."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from brainseg.config.errors import ImageError

SEED = 25


@pytest.fixture(scope="module")
def fuzz():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of memory is measured by /proc, which only Linux has")
    spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).with_name("fuzz.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_no_damaged_file_is_read_wrong_and_none_takes_long_or_much(fuzz, tmp_path):
    verdicts = list(fuzz.run(tmp_path, 300, SEED))
    assert [one for one in verdicts if one.outcome == "wrong"] == []
    outcomes = Counter((one.kind, one.outcome) for one in verdicts)
    assert sum(outcomes.values()) == 300
    assert {kind for kind, outcome in outcomes if outcome == "refused"} == set(fuzz.NAMES)
    # A damaged file that is read has another excuse than that it is not looked at.
    assert sum(n for (_, outcome), n in outcomes.items() if outcome == "refused") >= 150


@pytest.mark.parametrize(
    ("reads", "told", "outcome"),
    [
        ("the same", True, "same"),
        ("another", True, "wrong"),  # a checksum tells
        ("another", False, "wrong"),  # nibabel finds what is there
        ("ValueError", False, "wrong"),
        ("two lines", False, "wrong"),
        ("an ImageError", False, "refused"),
        ("gigabytes", False, "wrong"),
    ],
)
def test_the_judge_condemns_each_kind_of_wrong(reads, told, outcome, fuzz, tmp_path, monkeypatch):
    fuzz.write_originals(tmp_path / "whole", SEED)
    path = tmp_path / "whole" / fuzz.NAMES["nifti"]
    whole = fuzz.read_as_predicted("nifti", path)

    def raises(error):
        raise error

    readers = {
        "the same": lambda *_: whole,
        "another": lambda *_: fuzz.Reading(whole.voxels[::-1], whole.affine),
        "ValueError": lambda *_: raises(ValueError("broken")),
        "two lines": lambda *_: raises(ImageError("one\ntwo")),
        "an ImageError": lambda *_: raises(ImageError("one")),
        "gigabytes": lambda *_: (np.ones(2**24), whole)[1],
    }
    monkeypatch.setattr(fuzz, "read_as_predicted", readers[reads])
    if reads == "gigabytes":
        monkeypatch.setattr(fuzz, "MOST_MB", 100.0)  # and 134 MB are taken
    verdict = fuzz._judged(0, "nifti", "none", path, whole, told)
    assert verdict.outcome == outcome


def test_a_reading_that_does_not_end_is_ended_and_condemned(fuzz, tmp_path, monkeypatch):
    def endless(*_):
        while True:
            try:
                while True:
                    pass
            except Exception:  # as a reader does that takes everything for a broken file
                continue

    monkeypatch.setattr(fuzz, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(fuzz, "read_as_predicted", endless)
    verdict = fuzz._judged(0, "nifti", "none", tmp_path, None, False)
    assert verdict.outcome == "wrong"
    assert "OutOfTime" in verdict.detail


def test_the_same_seed_gives_the_same_damage(fuzz, tmp_path):
    fuzz.write_originals(tmp_path / "whole", SEED)
    contents = []
    for _ in range(2):
        path = fuzz._copied(tmp_path / "whole" / fuzz.NAMES["png"], tmp_path / "damaged" / fuzz.NAMES["png"])
        fuzz.BYTES["many bits"](path, np.random.default_rng([SEED, 7]))
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != (tmp_path / "whole" / fuzz.NAMES["png"]).read_bytes()
