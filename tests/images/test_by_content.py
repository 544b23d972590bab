"""Files whose names say nothing are named by who looks into them, and only where somebody is asked."""

import numpy as np
import pytest

from brainseg.images.by_content import Look
from brainseg.images.found import NoScanError
from brainseg.images.layouts import find_subjects, survey


class Seer:
    """Says of each file what its text says: t1, t1ce, t2, flair, or anything else for not sure."""

    def _text(self, source):
        return source.files[0].read_text().split()[0] if source.series is None else "t2"

    def look(self, source):
        text = self._text(source)
        known = {"t1": "t1", "t1ce": "t1", "t2": "t2", "flair": "flair"}.get(text)
        return Look(known, f"measures of {text}")

    def is_brighter(self, one, other):
        pair = (self._text(one), self._text(other))
        return {("t1ce", "t1"): True, ("t1", "t1ce"): False}.get(pair)


@pytest.fixture
def write(tmp_path):
    """Write scans of one word each; the second word makes equal sequences other files."""

    def _write(**texts):
        for number, (name, text) in enumerate(texts.items()):
            path = tmp_path / f"{name.replace('__', '/')}.nii"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text} {number}")
        return tmp_path

    return _write


def found(root, looker=None):
    looked = survey(root, looker=looker or Seer())
    return {one.id: {name: s.path.stem for name, s in one.images.items()} for one in looked.subjects}


def whys(root):
    return {one.path.stem: (str(one.fate), one.role, one.why) for one in survey(root, looker=Seer()).fates}


def test_nothing_is_looked_into_unless_it_is_asked_for(write):
    root = write(p1__x1="t1", p1__x2="t2")
    with pytest.raises(NoScanError):
        survey(root)


def test_the_files_of_a_folder_are_one_patient_s(write):
    root = write(p1__x1="t1", p1__x2="t2", p1__x3="flair", p2__y="t2")
    assert found(root) == {"p1": {"t1": "x1", "t2": "x2", "flair": "x3"}, "p2": {"t2": "y"}}
    (p1, p2) = find_subjects(root, looker=Seer())
    assert whys(root)["x2"] == ("used", "t2", "by its content (measures of t2)")
    assert "x2.nii was named t2 by its content (measures of t2); the files of this folder" in str(p1.warnings)
    assert "contrast agent cannot be told from one scan" in p1.warnings[0]
    assert p2.warnings == ("y.nii was named t2 by its content (measures of t2)",)


def test_files_that_claim_one_sequence_are_subjects_of_their_own(write):
    root = write(s1="t2", s2="t2", s3="flair")
    assert found(root) == {"s1": {"t2": "s1"}, "s2": {"t2": "s2"}, "s3": {"flair": "s3"}}


def test_two_t1_of_one_head_are_told_apart_by_contrast_agent(write):
    root = write(p1__x1="t1", p1__x2="t1ce", p2__y1="t1ce", p2__y2="t1", p3__z1="t1", p3__z2="t1")
    assert found(root) == {
        "p1": {"t1": "x1", "t1ce": "x2"},
        "p2": {"t1": "y2", "t1ce": "y1"},
        "z1": {"t1": "z1"},
        "z2": {"t1": "z2"},
    }
    assert whys(root)["x2"][2] == "by its content (measures of t1ce), with bright vessels beside x1.nii"


def test_a_file_joins_the_one_subject_of_its_folder(write):
    root = write(p1__a_t1="t1", p1__x="t2", p1__y="t1ce", p1__z="t1", p2__b_t1ce="t1ce", p2__x="t1")
    assert found(root) == {"a": {"t1": "a_t1", "t1ce": "y", "t2": "x"}, "b": {"t1": "x", "t1ce": "b_t1ce"}}
    assert whys(root)["z"][0] == "left out"
    assert "looks like t1, for which a_t1.nii is taken already" in whys(root)["z"][2]


def test_what_is_not_sure_is_left_out_with_its_measures(write):
    root = write(p1__a_t1="t1", p1__x="nothing")
    assert found(root) == {"a": {"t1": "a_t1"}}
    assert whys(root)["x"] == (
        "left out",
        "",
        "its name does not say which sequence it is, and by its content it is not sure: measures of nothing",
    )


def test_a_copy_of_a_scan_stays_a_copy(write):
    root = write(p1__x="t2", p1__z="flair")
    (root / "p1" / "y.nii").write_text((root / "p1" / "x.nii").read_text())
    assert found(root) == {"p1": {"t2": "x", "flair": "z"}}
    assert whys(root)["y"][0] == "copy"


def test_a_contradiction_is_a_warning_and_the_name_is_kept(write):
    root = write(p1__a_t2="t1", p1__a_t1ce="t1ce", p1__a_flair="unsure")
    (subject,) = find_subjects(root, looker=Seer())
    assert {name: one.path.stem for name, one in subject.images.items()} == {
        "t1ce": "a_t1ce",
        "t2": "a_t2",
        "flair": "a_flair",
    }
    (said,) = subject.warnings
    assert said.endswith(
        "a_t2.nii was taken as t2, but looks like t1: measures of t1; check which sequence it is"
    )
    assert find_subjects(root)[0].warnings == ()


def test_masks_and_results_are_never_looked_into(write):
    root = write(p1__a_t1="t1", p1__a_mask="t2", p1__a_stripped="flair")
    assert found(root) == {"a": {"t1": "a_t1"}}


def test_a_single_file_is_looked_into(write):
    root = write(p1__x="flair")
    (subject,) = find_subjects(root / "p1" / "x.nii", looker=Seer())
    assert list(subject.images) == ["flair"]


def test_a_dicom_series_whose_headers_say_nothing(write_dicom, tmp_path):
    array = np.random.default_rng(0).integers(0, 99, (8, 9, 12)).astype(np.int16)
    upright = np.diag([-1.0, 1, 1, 1])
    write_dicom(tmp_path / "a", array, upright, SeriesDescription="head", SeriesNumber=2)
    write_dicom(tmp_path / "b", array, upright, SeriesDescription="t1", SeriesNumber=3)
    looked = survey(tmp_path, looker=Seer())
    (subject,) = looked.subjects
    assert set(subject.images) == {"t1", "t2"}
    assert {one.role: one.why for one in looked.fates} == {
        "t1": "series 3 't1' by its headers",
        "t2": "series 2 'head' by its content",
    }
    assert "series 2 'head' was named t2 by its content (measures of t2)" in subject.warnings
    assert set(survey(tmp_path).subjects[0].images) == {"t1"}
