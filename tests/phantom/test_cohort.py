import csv
import json
from collections import Counter

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from brainseg.config import SEQUENCES, TUMOR_TYPES
from brainseg.config.choices import PHANTOM_LAYOUTS
from brainseg.config.errors import ConfigError, DataError
from brainseg.images.labels import detect
from brainseg.images.layouts import find_subjects, load_subject
from brainseg.images.nifti import read_labels
from brainseg.phantom import write_cohort
from brainseg.phantom.writers import brats_grid, nfbs_grid

SPACING_MM = 5.0


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """A small cohort of each layout, written once: its folder and ids."""
    made = {}

    def _cohort(layout, subjects=4):
        if layout not in made:
            root = tmp_path_factory.mktemp("cohort") / layout
            ids = write_cohort(
                root, layout=layout, subjects=subjects, seed=3, spacing_mm=SPACING_MM, slices_per_subject=6
            )
            made[layout] = root, ids
        return made[layout]

    return _cohort


def stored(path):
    image = nib.load(path)
    return image, np.asarray(image.dataobj)


@pytest.mark.parametrize("layout", ["brats", "msd", "nfbs", "bids"])
def test_the_finder_of_real_data_sets_finds_each_subject_with_all_it_has(cohort, layout):
    root, ids = cohort(layout)
    found = find_subjects(root)
    assert [s.folder.name if layout == "nfbs" else s.id for s in found] == ids
    wanted = ("t1",) if layout == "nfbs" else SEQUENCES
    assert {tuple(s.images) for s in found} == {wanted}
    assert {s.layout for s in found} == {"brats-2018" if layout == "brats" else layout}
    assert load_subject(found[0], wanted).data.shape[0] == len(wanted)


@pytest.mark.parametrize(("layout", "values"), [("brats", {0, 1, 2, 4}), ("msd", {0, 1, 2, 3})])
def test_labels_have_the_values_and_the_meaning_of_the_layout(cohort, layout, values):
    root, _ = cohort(layout)
    subjects = find_subjects(root)
    found = set().union(*(np.unique(read_labels(s.truth).data).tolist() for s in subjects))
    assert found == values
    convention = detect(found, subjects[0].layout)
    # Enhancing tumour is what is brightest on T1 with contrast agent; oedema what is brightest on FLAIR.
    t1ce, flair = load_subject(subjects[0], ("t1ce", "flair")).data
    labels = read_labels(subjects[0].truth).data[0]
    of_class = {index: labels == value for value, index in convention.classes.items()}
    assert t1ce[of_class[3]].mean() > max(t1ce[of_class[1]].mean(), t1ce[of_class[2]].mean())
    assert flair[of_class[2]].mean() > flair[(flair > 0) & (labels == 0)].mean() * 1.2


def test_brats_scans_are_zero_outside_the_brain_int16_and_lps(cohort):
    root, ids = cohort("brats")
    folder = root / ids[0]
    assert ids[0] == "BraTS2021_00000"
    assert {p.name for p in folder.iterdir()} == {f"{ids[0]}_{x}.nii.gz" for x in (*SEQUENCES, "seg")}
    image, scan = stored(folder / f"{ids[0]}_t1ce.nii.gz")
    _, labels = stored(folder / f"{ids[0]}_seg.nii.gz")
    assert (scan.dtype, labels.dtype) == (np.int16, np.uint8)
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert scan.shape == (48, 48, 31)
    brain_ml = (scan > 0).sum() * SPACING_MM**3 / 1000
    assert 1000 < brain_ml < 1850
    assert (scan[labels > 0] > 0).all()


def test_a_margin_widens_the_cut_around_the_brain(cohort, tmp_path):
    root, ids = cohort("brats")
    settings = {"layout": "brats", "subjects": 4, "seed": 3, "spacing_mm": SPACING_MM}
    write_cohort(tmp_path / "wide", margin_mm=9.0, **settings)
    for name in ids:
        _, scan = stored(root / name / f"{name}_t2.nii.gz")
        _, wide = stored(tmp_path / "wide" / name / f"{name}_t2.nii.gz")
        assert (wide[scan > 0] == scan[scan > 0]).all()
        # 9 mm make a ball of 1.4 l (69 mm radius) 1.44 times as large, and a brain is no ball.
        assert 1.3 < (wide > 0).sum() / (scan > 0).sum() < 1.8


def test_the_brats_grid_at_1_mm_is_the_published_one():
    grid = brats_grid(1.0)
    assert grid.shape == (240, 240, 155)
    np.testing.assert_array_equal(grid.affine, [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_a_coarser_brats_grid_keeps_the_field_of_view():
    fine, coarse = brats_grid(1.0), brats_grid(2.5)
    half = {1.0: fine.affine[:3, :3].sum(axis=1) * 0.5, 2.5: coarse.affine[:3, :3].sum(axis=1) * 0.5}
    np.testing.assert_allclose(fine.affine[:3, 3] - half[1.0], coarse.affine[:3, 3] - half[2.5])
    assert np.array(coarse.shape) * 2.5 == pytest.approx(np.array(fine.shape))


@pytest.mark.data
@pytest.mark.slow
def test_brats_files_look_like_real_ones_in_all_but_the_picture(real_data, tmp_path):
    """At 1 mm: shape, affine, dtype, label values, name endings."""
    ids = write_cohort(tmp_path / "c", layout="brats", subjects=1, seed=0)
    ours = tmp_path / "c" / ids[0]
    real = real_data / "brats13" / "BraTS13_pat0001"
    for ending in ("_flair.nii.gz", "_t1ce.nii.gz", "_seg.nii.gz"):
        a, x = stored(ours / f"{ids[0]}{ending}")
        b, y = stored(real / f"{real.name}{ending}")
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        np.testing.assert_array_equal(a.affine, b.affine)
    assert set(np.unique(x)) == set(np.unique(y))
    # The brain lies in the same place: middles within 12 mm, as BraTS registers all to one space.
    middle = [np.argwhere(stored(f)[1] > 0).mean(axis=0) for f in (
        ours / f"{ids[0]}_flair.nii.gz", real / f"{real.name}_flair.nii.gz")]  # fmt: skip
    assert np.abs(middle[0] - middle[1]).max() < 12


def test_nfbs_files_are_pir_with_a_brain_that_is_the_scan_under_the_mask(cohort):
    root, ids = cohort("nfbs")
    assert ids[0] == "A00028185"
    stem = str(root / ids[0] / f"sub-{ids[0]}_ses-NFB3_T1w")
    image, scan = stored(stem + ".nii.gz")
    _, brain = stored(stem + "_brain.nii.gz")
    _, mask = stored(stem + "_brainmask.nii.gz")
    assert nib.aff2axcodes(image.affine) == ("P", "I", "R")
    np.testing.assert_array_equal(brain, scan * mask)
    assert set(np.unique(mask)) == {0, 1}
    assert 1.0e6 < mask.sum() * SPACING_MM**3 < 1.85e6
    assert nfbs_grid(1.0).shape == (256, 256, 192)


def test_msd_is_one_file_of_four_channels_described_as_the_real_one(cohort):
    root, ids = cohort("msd")
    description = json.loads((root / "dataset.json").read_text())
    assert description["modality"] == {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
    assert description["labels"]["1"] == "edema"
    assert description["tensorImageSize"] == "4D"
    assert description["training"][0] == {
        "image": "./imagesTr/BRATS_001.nii.gz",
        "label": "./labelsTr/BRATS_001.nii.gz",
    }
    _, scan = stored(root / "imagesTr" / f"{ids[0]}.nii.gz")
    assert scan.shape == (48, 48, 31, 4)


def test_bids_holds_whole_heads_and_its_truth_apart(cohort):
    root, ids = cohort("bids")
    assert ids == ["sub-001", "sub-002", "sub-003", "sub-004"]
    assert json.loads((root / "dataset_description.json").read_text())["BIDSVersion"]
    rows = list(csv.DictReader((root / "participants.tsv").open(), delimiter="\t"))
    assert [row["participant_id"] for row in rows] == ids
    assert Counter(row["tumor_type"] for row in rows) == dict.fromkeys(TUMOR_TYPES, 1)
    assert {s.truth for s in find_subjects(root)} == {None}
    for row in rows:
        name = row["participant_id"]
        truth = root / "derivatives" / "truth" / name / "anat"
        _, brain = stored(truth / f"{name}_desc-brain_mask.nii.gz")
        _, labels = stored(truth / f"{name}_dseg.nii.gz")
        _, t1 = stored(root / name / "anat" / f"{name}_T1w.nii.gz")
        assert (labels.max() > 0) == (row["tumor_type"] != "notumor")
        assert set(np.unique(labels)) <= {0, 1, 2, 3}
        assert (t1[brain == 0] > 300).sum() > 0.2 * brain.sum()  # scalp, fat and face are there
        assert (root / name / "anat" / f"{name}_ce-gadolinium_T1w.json").exists()


def test_kaggle_slices_have_the_names_and_folders_of_the_real_set(tmp_path):
    root = tmp_path / "slices"
    ids = write_cohort(root, layout="kaggle", subjects=12, seed=0, spacing_mm=6.0, slices_per_subject=6)
    rows = list(csv.DictReader((root / "subjects.csv").open()))
    assert sorted(row["file"] for row in rows) == sorted(
        p.relative_to(root).as_posix() for p in root.rglob("*.jpg")
    )
    assert {row["subject"] for row in rows} == set(ids)
    count = Counter(tuple(row["file"].split("/")[:2]) for row in rows)
    assert {kind for _, kind in count} == set(TUMOR_TYPES)
    assert count["Training", "glioma"] == 2 * count["Testing", "glioma"] == 12
    # Half of the slices without tumour are of subjects with one: 6 of each healthy, 2 of each other.
    assert count["Training", "notumor"] + count["Testing", "notumor"] == 3 * 6 + 9 * 2
    shown = {row["file"]: row["subject"] for row in rows}
    parts = {part: {s for f, s in shown.items() if f.startswith(part)} for part in ("Training", "Testing")}
    assert not parts["Training"] & parts["Testing"]
    assert (root / "Testing" / "pituitary" / "Te-pi_0000.jpg").exists()
    with Image.open(root / rows[0]["file"]) as picture:
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (85, 85), "L")


def test_a_kaggle_picture_has_512_pixels_a_side_by_millimetre(tmp_path):
    write_cohort(
        tmp_path / "c",
        layout="kaggle",
        subjects=1,
        seed=0,
        spacing_mm=4.0,
        types=["pituitary"],
        slices_per_subject=1,
    )
    with Image.open(tmp_path / "c" / "Training" / "pituitary" / "Tr-pi_0000.jpg") as picture:
        assert picture.size == (128, 128)


def test_a_cohort_made_on_all_cores_has_the_same_files(tmp_path, monkeypatch):
    made = {}
    for how, from_heads in (("one", float("inf")), ("all", 0.0)):
        monkeypatch.setattr("brainseg.phantom.cohort.WORTH_PROCESSES", from_heads)
        write_cohort(
            tmp_path / how, layout="kaggle", subjects=3, seed=4, spacing_mm=8.0, slices_per_subject=3
        )
        files = sorted(path for path in (tmp_path / how).rglob("*") if path.is_file())
        made[how] = [(str(path.relative_to(tmp_path / how)), path.read_bytes()) for path in files]
    assert len(made["one"]) > 9
    assert made["one"] == made["all"]


def test_types_take_turns_in_every_round():
    from brainseg.phantom.cohort import _in_turn

    order = _in_turn(TUMOR_TYPES, 10, seed=5)
    assert Counter(order[:4]) == Counter(order[4:8]) == dict.fromkeys(TUMOR_TYPES, 1)
    assert [_in_turn(TUMOR_TYPES, 4, seed=s) for s in range(3)] != [order[:4]] * 3


def test_half_of_the_heads_for_skull_stripping_have_a_tumour():
    from brainseg.phantom.cohort import _in_turn
    from brainseg.phantom.writers import LAYOUTS

    count = Counter(_in_turn(LAYOUTS["nfbs"].types, 12, seed=0))
    assert count == {"notumor": 6, "glioma": 2, "meningioma": 2, "pituitary": 2}


def test_a_cohort_is_the_same_again_and_a_larger_one_begins_with_it(cohort, tmp_path):
    root, _ = cohort("msd")
    write_cohort(tmp_path / "more", layout="msd", subjects=2, seed=3, spacing_mm=SPACING_MM)
    for name in ("BRATS_001", "BRATS_002"):
        for part in ("imagesTr", "labelsTr"):
            a, b = (stored(r / part / f"{name}.nii.gz")[1] for r in (root, tmp_path / "more"))
            np.testing.assert_array_equal(a, b)


def test_progress_counts_the_subjects(tmp_path):
    seen = []
    write_cohort(
        tmp_path / "c", layout="nfbs", subjects=2, seed=0, spacing_mm=8.0,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(1, 2), (2, 2)]


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="exists and is not empty"):
        write_cohort(tmp_path, layout="brats", subjects=1, seed=0, spacing_mm=8.0)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_stopped_run_leaves_nothing(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cohort(tmp_path / "c", layout="nfbs", subjects=2, seed=0, spacing_mm=8.0, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layout": "nifti"}, "layout is 'nifti'; it must be one of " + ", ".join(PHANTOM_LAYOUTS)),
        ({"types": ["cyst"]}, "has 'cyst'; take some of glioma"),
        ({"subjects": 0}, "subjects is 0"),
        ({"spacing_mm": 30.0}, "spacing_mm is 30.0; it must be between"),
        ({"testing_share": 1.0}, "testing_share is 1.0"),
        ({"margin_mm": -1.0}, "margin_mm is -1.0"),
        ({"layout": "nfbs", "margin_mm": 3.0}, "layout nfbs holds whole heads"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_written(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        write_cohort(tmp_path / "c", **{"layout": "brats", "subjects": 1, "seed": 0, **settings})
    assert list(tmp_path.iterdir()) == []


def test_every_layout_that_can_be_chosen_can_be_written():
    from brainseg.phantom.writers import LAYOUTS

    assert {*LAYOUTS, "kaggle"} == set(PHANTOM_LAYOUTS)


def test_the_operated_heads_of_a_cohort_have_the_labels_of_brats_after_treatment(tmp_path):
    root = tmp_path / "post"
    ids = write_cohort(
        root, layout="brats-post", subjects=4, seed=3, spacing_mm=SPACING_MM, operated_share=0.5
    )
    assert ids[0] == "BraTS-GLI-00000-100"
    subjects = find_subjects(root)
    assert [subject.id for subject in subjects] == ids
    cavity = [4 in np.unique(read_labels(subject.truth).data) for subject in subjects]
    assert cavity == [False, True, False, True]
    assert set(subjects[0].images) == set(SEQUENCES)


def test_a_layout_without_a_label_for_the_cavity_takes_no_operated_heads(tmp_path):
    with pytest.raises(ConfigError, match=r"layout brats have no value for a resection cavity.*brats-post"):
        write_cohort(tmp_path / "a", layout="brats", subjects=1, seed=3, operated_share=0.5)
