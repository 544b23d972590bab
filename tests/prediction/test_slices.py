"""predict.py on pictures of slices: every one is answered or named, and class folders are scored."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import brainseg
from brainseg.config.errors import ConfigError, DataError
from brainseg.images.pictures import survey_pictures
from brainseg.phantom import write_cohort
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.results.read import read_result
from brainseg.results.verify import batch_changes, changes

ALONE = ("skullstripper=null", "segmenter=null")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = tmp_path_factory.mktemp("slices") / "kaggle"
    write_cohort(root, layout="kaggle", subjects=4, seed=3, spacing_mm=6.0)
    return root


@pytest.fixture
def testing(cohort, tmp_path):
    """Class folders with three slices each, in a folder that a test may damage."""
    for kind in sorted(path for path in (cohort / "Training").iterdir() if path.is_dir()):
        for path in sorted(kind.glob("*.jpg"))[:3]:
            place = tmp_path / "Testing" / kind.name / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    return tmp_path / "Testing"


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "slices.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_picture_is_answered_as_the_python_function_answers_it(options, testing, trained, tmp_path):
    picture = next(testing.rglob("*.jpg"))
    code = run(options(picture, *ALONE, "page=true"))
    folder = tmp_path / "out" / picture.stem
    (row,) = table(folder)
    (said,) = brainseg.classify(picture, trained("classifier")[1])
    assert code == 0  # gates=none
    assert row["type"] == said.type
    for name, p in said.probabilities.items():
        assert float(row[name]) == pytest.approx(p, abs=1e-6)
    assert "where the answer rests (Grad-CAM)" in (folder / "report.html").read_text()
    assert {path.name for path in folder.iterdir()} == {
        "slices.csv",
        "report.html",
        "result.json",
        "SHA256SUMS",
    }
    assert read_result(folder).type_in_words == said.type
    assert not changes(folder)
    assert reproduce(folder) == []


def test_class_folders_are_scored(options, testing, tmp_path):
    run(options(testing, *ALONE, "page=true"))
    result = read_result(tmp_path / "out" / "Testing")
    rows = table(tmp_path / "out" / "Testing")
    assert len(rows) == 12
    assert {row["truth"] for row in rows} == {"glioma", "meningioma", "notumor", "pituitary"}
    right = sum(row["truth"] == row["type"] for row in rows)
    scores = result.slices.scores
    assert scores.n == 12
    assert scores.accuracy.value == pytest.approx(right / 12)
    assert scores.accuracy.low <= scores.accuracy.value <= scores.accuracy.high
    assert np.sum(scores.confusion) == 12
    assert np.trace(scores.confusion) == right
    assert sum(result.slices.counts.values()) == 12
    page = (tmp_path / "out" / "Testing" / "report.html").read_text()
    assert "Confusion matrix" in page
    assert "The least sure" in page
    assert result.type_in_words in (tmp_path / "out" / "index.html").read_text()


def test_slices_of_one_subject_and_equal_files_count_as_one(options, cohort, tmp_path):
    folder = cohort / "Training"
    run(options(folder, *ALONE))
    scores = read_result(tmp_path / "out" / "Training").slices.scores
    assert scores.subjects < scores.n  # by subjects.csv above the folder
    copies = tmp_path / "copies" / "glioma"
    copies.mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(next(folder.rglob("*.jpg")), copies / name)
    run(options(copies, *ALONE))
    scores = read_result(tmp_path / "out" / "glioma").slices.scores
    assert (scores.n, scores.subjects) == (2, 1)


def test_a_picture_that_cannot_be_used_is_named_and_the_others_are_answered(options, testing, tmp_path):
    (testing / "glioma" / "broken.jpg").write_bytes(b"no picture")
    Image.new("L", (40, 40)).save(testing / "glioma" / "black.png")
    stack = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 40), np.uint8)) for i in (0, 1)]
    stack[0].save(testing / "glioma" / "stack.tif", save_all=True, append_images=stack[1:])
    assert run(options(testing, *ALONE)) == 4
    result = read_result(tmp_path / "out" / "Testing")
    assert sorted(result.slices.failed) == ["glioma/black.png", "glioma/broken.jpg", "glioma/stack.tif"]
    assert "3 of 15 pictures could not be used" in result.reasons[0]
    rows = {row["file"]: row for row in table(tmp_path / "out" / "Testing")}
    assert rows["glioma/broken.jpg"]["verdict"] == "fail"
    assert "is not an image" in rows["glioma/broken.jpg"]["reasons"]
    assert "holds 2 pictures" in rows["glioma/stack.tif"]["reasons"]
    assert sum(row["type"] != "" for row in rows.values()) == 12


def test_where_no_picture_can_be_used_there_is_a_failed_result(options, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    assert run(options(tmp_path / "bad", *ALONE, "page=true")) == 4
    assert "is not an image" in json.loads((tmp_path / "out" / "bad" / "result.json").read_text())["error"]


def test_gates_ask_for_a_review_of_a_model_of_phantoms_and_of_uncertain_pictures(options, testing, tmp_path):
    assert run(options(testing, *ALONE, "gates=default", "gates.type_entropy.review=[null,0.0]")) == 3
    result = read_result(tmp_path / "out" / "Testing")
    assert [one.gate for one in result.gates] == ["synthetic_only", "type_entropy", "slice_colour"]
    assert result.slices.to_review == 12
    assert "In all 12 of 12 pictures are so" in result.gates[1].sentence
    assert {row["verdict"] for row in table(tmp_path / "out" / "Testing")} == {"review"}


def test_a_picture_in_colour_is_to_be_reviewed(options, testing, tmp_path):
    """As those of the LGG set, whose colours are three sequences; a few coloured letters are none."""
    pixels = np.asarray(Image.open(next((testing / "glioma").glob("*.jpg"))).convert("RGB")).copy()
    pixels[:5, :20] = (255, 0, 0)
    Image.fromarray(pixels).save(testing / "glioma" / "letters.png")
    pixels[..., 1] = 255 - pixels[..., 1]
    Image.fromarray(pixels).save(testing / "glioma" / "merged.png")
    run(options(testing, *ALONE, "gates=default", "gates.type_entropy=null"))
    rows = {row["file"]: row for row in table(tmp_path / "out" / "Testing")}
    assert [name for name, row in rows.items() if row["verdict"] == "review"] == ["glioma/merged.png"]
    assert "of the picture is in colour" in rows["glioma/merged.png"]["reasons"]
    assert read_result(tmp_path / "out" / "Testing").slices.to_review == 1


def test_what_was_done_is_kept_and_a_changed_picture_is_in_the_way(options, testing, tmp_path, capsys):
    run(options(testing, *ALONE, "page=true"))
    run(options(testing, *ALONE, "page=true"))
    assert "1 of them were done before" in capsys.readouterr().out
    assert not batch_changes(tmp_path / "out")
    picture = next(testing.rglob("*.jpg"))
    Image.open(picture).rotate(90).save(picture)
    assert any("has changed since it was used" in one for one in changes(tmp_path / "out" / "Testing"))
    with pytest.raises(DataError, match="already has results of Testing"):
        run(options(testing, *ALONE, "page=true"))
    run(options(testing, *ALONE, "page=true", "overwrite=true"))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((*ALONE, "classifier=null"), "holds pictures of slices, for which a classifier alone answers"),
        ((*ALONE, "derivatives=d"), "pictures of slices have no place in BIDS"),
    ],
)
def test_what_pictures_cannot_have_is_refused(options, testing, overrides, said):
    with pytest.raises(ConfigError, match=said):
        run(options(testing, *overrides))


def test_other_models_are_left_out_with_a_warning(options, testing, tmp_path, caplog):
    run(options(testing))
    assert "pictures of slices need no skullstripper and no segmenter" in caplog.text
    assert list(read_result(tmp_path / "out" / "Testing").models) == ["classifier"]


def grey(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 40), np.uint8)).save(path)
    return path


def test_hidden_files_masks_and_our_own_pictures_are_no_slices(tmp_path):
    for name in ("a=b, ü.JPG", "sub/x.webp", "x_mask.png", "__MACOSX/y.jpg", "old/y_vote.png"):
        grey(tmp_path / "in" / name)
    (tmp_path / "in" / "._x.jpg").write_bytes(b"")
    (tmp_path / "in" / "old" / "SHA256SUMS").write_text("")
    (found,) = survey_pictures(tmp_path / "in").subjects
    assert list(found.images) == ["a=b, ü.JPG", "sub/x.webp"]
    assert found.warnings == ("left out as masks by their names: 1 files, such as x_mask.png",)
    with pytest.raises(DataError, match="holds masks alone"):
        survey_pictures(grey(tmp_path / "masks" / "p_mask.png").parent)


def test_scans_go_before_pictures(patients, write_dicom, tmp_path):
    place = Path(shutil.copytree(patients, tmp_path / "scans"))
    grey(place / "look.png")
    assert survey_pictures(place) is None
    write_dicom(tmp_path / "dicom", np.zeros((4, 4, 3), np.int16), np.eye(4))
    grey(tmp_path / "dicom" / "look.png")
    assert survey_pictures(tmp_path / "dicom") is None
    assert survey_pictures(next((tmp_path / "dicom").glob("IM*"))) is None


def test_a_picture_without_an_ending_is_known_by_its_content(tmp_path):
    grey(tmp_path / "a.png").rename(tmp_path / "a")
    assert list(survey_pictures(tmp_path / "a").subjects[0].images) == ["a"]
    (tmp_path / "b").write_text("text")
    assert survey_pictures(tmp_path / "b") is None
    assert survey_pictures(tmp_path / "nowhere") is None
