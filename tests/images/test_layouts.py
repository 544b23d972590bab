import json
import os

import numpy as np
import pytest

from brainseg.config.errors import DataError, GeometryError, ImageError
from brainseg.images.file_names import ALIASES
from brainseg.images.layouts import find_subjects, load_subject
from brainseg.images.source import Source


def found(path, **kwargs):
    """{id: {sequence: file name}}."""
    return {
        s.id: {q: source.path.name for q, source in s.images.items()} for s in find_subjects(path, **kwargs)
    }


def test_brats_up_to_2021_by_name_with_the_folders_of_2018(touch):
    root = touch(
        *(f"HGG/Brats18_A_1/Brats18_A_1_{q}.nii.gz" for q in ("seg", "flair", "t1", "t1ce", "t2")),
        *(f"LGG/Brats18_B_1/Brats18_B_1_{q}.nii.gz" for q in ("seg", "flair", "t1", "t1ce", "t2")),
        "survival_data.csv",
    )
    first, second = find_subjects(root)
    assert (first.id, second.id) == ("Brats18_A_1", "Brats18_B_1")
    assert list(first.images) == ["t1", "t1ce", "t2", "flair"]
    assert first.images["t1ce"] == Source(root / "HGG/Brats18_A_1/Brats18_A_1_t1ce.nii.gz")
    assert first.truth == root / "HGG/Brats18_A_1/Brats18_A_1_seg.nii.gz"
    assert first.folder == root / "HGG/Brats18_A_1"
    assert (first.layout, first.tumor_type, first.brain_mask) == ("brats-2018", "glioma", None)


def test_the_case_of_brats_2020_whose_truth_has_another_name(touch):
    name = "BraTS20_Training_355"
    root = touch(f"{name}/{name}_flair.nii", f"{name}/{name}_t1.nii", f"{name}/W39_1998.09.19_Segm.nii")
    (subject,) = find_subjects(root / name)
    assert subject.id == name
    assert subject.truth == root / name / "W39_1998.09.19_Segm.nii"


@pytest.mark.parametrize(("set_name", "tumor"), [("GLI", "glioma"), ("MEN", "meningioma"), ("MET", None)])
def test_brats_from_2023(set_name, tumor, touch):
    name = f"BraTS-{set_name}-00002-000"
    root = touch(*(f"{name}/{name}-{q}.nii.gz" for q in ("seg", "t1c", "t1n", "t2f", "t2w")))
    (subject,) = find_subjects(root)
    assert (subject.id, subject.layout, subject.tumor_type) == (name, "brats-2023", tumor)
    assert {q: s.path.name[-10:-7] for q, s in subject.images.items()} == {
        "t1": "t1n",
        "t1ce": "t1c",
        "t2": "t2w",
        "flair": "t2f",
    }
    assert subject.truth == root / name / f"{name}-seg.nii.gz"


def test_nfbs_takes_the_whole_head_and_its_mask_not_the_stripped_image(touch):
    stem = "A00028185/sub-A00028185_ses-NFB3_T1w"
    root = touch(f"{stem}.nii.gz", f"{stem}_brain.nii.gz", f"{stem}_brainmask.nii.gz")
    (subject,) = find_subjects(root)
    assert subject.layout == "nfbs"
    assert subject.images == {"t1": Source(root / f"{stem}.nii.gz")}
    assert subject.brain_mask == root / f"{stem}_brainmask.nii.gz"


def msd(touch, modality):
    root = touch("Task01/imagesTr/BRATS_010.nii.gz", "Task01/imagesTr/BRATS_002.nii.gz",
                 "Task01/imagesTr/._BRATS_002.nii.gz", "Task01/labelsTr/BRATS_002.nii.gz",
                 "Task01/imagesTs/BRATS_003.nii.gz")  # fmt: skip
    (root / "Task01/dataset.json").write_text(json.dumps({"modality": modality}))
    return root


MSD_CHANNELS = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}


@pytest.mark.parametrize("start", [".", "Task01"])
def test_msd_takes_channels_by_their_names_in_dataset_json(start, touch):
    root = msd(touch, MSD_CHANNELS)
    subjects = find_subjects(root / start)
    assert [s.id for s in subjects] == ["BRATS_002", "BRATS_003", "BRATS_010"]
    assert {q: s.channel for q, s in subjects[0].images.items()} == {"t1": 1, "t1ce": 2, "t2": 3, "flair": 0}
    assert (
        subjects[0].truth == root / start / ("Task01" if start == "." else "") / "labelsTr/BRATS_002.nii.gz"
    )
    assert subjects[1].truth is None
    assert subjects[0].layout == "msd"


def test_msd_by_its_image_folder_or_one_file(touch):
    root = msd(touch, MSD_CHANNELS)
    assert list(found(root / "Task01/imagesTr")) == ["BRATS_002", "BRATS_010"]
    assert list(found(root / "Task01/imagesTs/BRATS_003.nii.gz")) == ["BRATS_003"]


@pytest.mark.parametrize(
    ("modality", "message"),
    [
        ({"0": "CT"}, "names the channels CT; each must be another one of t1, t1ce"),
        ({"0": "T1w", "1": "T1"}, "names the channels T1w, T1; each must be another"),
        (["FLAIR"], 'has no "modality" list'),
    ],
)
def test_msd_with_channels_that_are_no_sequences(modality, message, touch):
    with pytest.raises(DataError, match=f"dataset.json: {message}"):
        find_subjects(msd(touch, modality))


def test_bids_with_sessions_and_contrast_agent_but_without_derivatives(touch):
    root = touch(
        "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_ce-gadolinium_T1w.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz",
        "sub-01/ses-1/dwi/sub-01_ses-1_dwi.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_T2w.nii.gz",
        "sub-2/anat/sub-2_acq-mprage_T1w.nii.gz",
        "derivatives/strip/sub-2/anat/sub-2_T2w.nii.gz",
        "dataset_description.json",
    )
    assert found(root) == {
        "sub-01_ses-1": {
            "t1": "sub-01_ses-1_T1w.nii.gz",
            "t1ce": "sub-01_ses-1_ce-gadolinium_T1w.nii.gz",
            "flair": "sub-01_ses-1_FLAIR.nii.gz",
        },
        "sub-01_ses-2": {"t2": "sub-01_ses-2_T2w.nii.gz"},
        "sub-2": {"t1": "sub-2_acq-mprage_T1w.nii.gz"},
    }
    subject = find_subjects(root / "sub-01/ses-1")[0]
    assert subject.layout == "bids"
    assert subject.truth == root / "sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz"


S = "sub-01/anat/sub-01_"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # the last run, by number and not by letters; one without a number is the first
        (["run-1_T1w", "run-2_T1w"], {"t1": "run-2_T1w"}),
        (["run-9_T1w", "run-10_T1w"], {"t1": "run-10_T1w"}),
        (["T1w", "run-2_T1w", "FLAIR"], {"t1": "run-2_T1w", "flair": "FLAIR"}),
        (["ce-gd_run-1_T1w", "ce-gd_run-2_T1w", "run-1_T1w"], {"t1": "run-1_T1w", "t1ce": "ce-gd_run-2_T1w"}),
        (["acq-3d_run-1_T2w", "acq-3d_run-2_T2w"], {"t2": "acq-3d_run-2_T2w"}),
        # contrast agent
        (["ce-gd_T1w", "ce-gd_FLAIR"], {"t1ce": "ce-gd_T1w", "flair": "ce-gd_FLAIR"}),
        # an entity's value is no sequence
        (["acq-t1_FLAIR", "acq-flair_T1w"], {"t1": "acq-flair_T1w", "flair": "acq-t1_FLAIR"}),
        # magnitudes only
        (["part-mag_T1w", "part-phase_T1w", "part-real_T2w"], {"t1": "part-mag_T1w"}),
        # what is no scan
        (["T1w", "mod-T1w_defacemask", "inv-1_MP2RAGE", "UNIT1", "T1map"], {"t1": "T1w"}),
        # fMRIPrep's, and our own
        (
            ["desc-preproc_T1w", "space-MNI152NLin2009cAsym_res-2_desc-preproc_T1w", "desc-brain_mask",
             "dseg", "desc-aseg_dseg", "desc-aparcaseg_dseg", "label-GM_probseg"],
            {"t1": "desc-preproc_T1w"},
        ),
        (["desc-brain_T1w", "ce-gadolinium_desc-brain_T1w", "desc-brain_mask", "desc-tumor_dseg"],
         {"t1": "desc-brain_T1w", "t1ce": "ce-gadolinium_desc-brain_T1w"}),
        (["T1w", "space-T1w_desc-coreg_FLAIR"], {"t1": "T1w", "flair": "space-T1w_desc-coreg_FLAIR"}),
    ],
)  # fmt: skip
def test_bids_names_and_what_they_become(names, expected, touch):
    root = touch(*(f"{S}{name}.nii.gz" for name in names))
    assert found(root) == {"sub-01": {q: f"sub-01_{name}.nii.gz" for q, name in expected.items()}}


def test_which_run_was_taken_is_said(touch):
    root = touch(f"{S}run-1_T1w.nii.gz", f"{S}run-2_T1w.nii.gz", f"{S}FLAIR.nii.gz", f"{S}run-1_dseg.nii.gz")
    (subject,) = find_subjects(root)
    (remark,) = subject.warnings
    assert remark.startswith("t1 is run 2, the last one; left out: sub-01_run-1_T1w.nii.gz (give input= such")
    assert subject.truth is None  # of the run that was left out
    (first,) = find_subjects(root / f"{S}run-1_T1w.nii.gz")
    assert (first.id, first.images["t1"].path.name) == ("sub-01", "sub-01_run-1_T1w.nii.gz")
    assert first.warnings == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acq-2d_T1w", "acq-3d_T1w"),
        ("T1w", "rec-norm_T1w"),
        ("desc-brain_T1w", "desc-preproc_T1w"),
        ("run-2_T1w", "run-02_T1w"),
        ("run-a_T1w", "run-b_T1w"),
    ],
)
def test_bids_files_that_differ_in_more_than_their_run_are_refused(one, other, touch):
    root = touch(f"{S}{one}.nii.gz", f"{S}{other}.nii.gz")
    with pytest.raises(ImageError, match=rf"{one}.*{other}.* both claim .* t1 .*or give input= the one that"):
        find_subjects(root)


def test_a_bids_phase_image_is_no_scan_unless_it_is_insisted_on(touch):
    path = touch(f"{S}part-phase_T1w.nii.gz") / f"{S}part-phase_T1w.nii.gz"
    with pytest.raises(
        ImageError, match=r"is part-phase and no magnitude; give the file of part-mag, or set"
    ):
        find_subjects(path)
    assert list(found(path, sequence="t1")["sub-01"]) == ["t1"]


@pytest.fixture
def bids_set(touch):
    """Two sessions, with all that stands beside subjects in a BIDS data set."""
    root = touch(
        *(f"sub-01/ses-{n}/anat/sub-01_ses-{n}_T1w.nii.gz" for n in (1, 2)),
        "sub-02/anat/sub-02_T1w.nii.gz",
        "participants.tsv",
        ".bidsignore",
        ".git/annex/sub-09_T1w.nii.gz",
        "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
        "code/tests/sub-03/anat/sub-03_T1w.nii.gz",
        "derivatives/fmriprep/sub-01/ses-1/anat/sub-01_ses-1_desc-preproc_T1w.nii.gz",
        "mine/sub-01/anat/sub-01_desc-brain_T1w.nii.gz",
    )
    (root / "mine" / "dataset_description.json").write_text('{"DatasetType": "derivative"}')
    return root


@pytest.mark.parametrize(
    ("start", "ids"),
    [
        (".", ["sub-01_ses-1", "sub-01_ses-2", "sub-02"]),
        ("sub-01", ["sub-01_ses-1", "sub-01_ses-2"]),
        ("sub-01/ses-2", ["sub-01_ses-2"]),
        ("sub-01/ses-2/anat", ["sub-01_ses-2"]),
        ("sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz", ["sub-01_ses-2"]),
        ("derivatives/fmriprep", ["sub-01_ses-1"]),
        ("mine", ["sub-01"]),
        ("sourcedata", ["sub-01"]),
    ],
)
def test_a_bids_data_set_from_wherever_one_starts(start, ids, bids_set):
    assert [subject.id for subject in find_subjects(bids_set / start)] == ids
    assert {subject.layout for subject in find_subjects(bids_set / start)} == {"bids"}


def test_the_anat_folder_that_one_stands_in(bids_set, monkeypatch):
    monkeypatch.chdir(bids_set / "sub-01" / "ses-2" / "anat")
    assert list(found(".")) == list(found("sub-01_ses-2_T1w.nii.gz")) == ["sub-01_ses-2"]


def test_folders_that_bids_leaves_out_are_read_where_there_is_no_bids_data_set(touch):
    assert list(found(touch("code/a_t1.nii.gz", "sourcedata/b_t1.nii.gz"))) == ["a", "b"]


def test_loose_files_of_several_subjects_in_one_folder_in_natural_order(touch):
    root = touch("p10_T1w.nii.gz", "p2_T1w.nii.gz", "p2_FLAIR.nii", "p2_T1w_brainmask.nii.gz",
                 "p2_FLAIR_brainmask.nii.gz", "p10_brainmask.nii.gz", "p2_seg.nii")  # fmt: skip
    second, tenth = find_subjects(root)
    assert (second.id, tenth.id) == ("p2", "p10")
    assert second.layout == "loose"
    assert second.brain_masks["flair"] == root / "p2_FLAIR_brainmask.nii.gz"
    assert second.brain_mask == root / "p2_T1w_brainmask.nii.gz"
    assert second.truth == root / "p2_seg.nii"
    assert tenth.brain_mask == root / "p10_brainmask.nii.gz"


def test_a_file_named_by_its_sequence_alone_takes_its_folders_name(touch):
    root = touch("anna/t1.nii.gz", "anna/flair.nii.gz", "anna/seg.nii.gz", "ben/T1.nii.gz")
    assert found(root) == {"anna": {"t1": "t1.nii.gz", "flair": "flair.nii.gz"}, "ben": {"t1": "T1.nii.gz"}}


def test_visits_of_the_same_name_get_their_folders_before_it(touch):
    root = touch("anna/day1/t1.nii.gz", "ben/day1/t1.nii.gz", "ben/day2/t1.nii.gz")
    assert list(found(root)) == ["anna_day1", "ben_day1", "ben_day2"]


@pytest.mark.parametrize(("word", "sequence"), ALIASES.items())
@pytest.mark.parametrize("joint", ["_", "-", ".", " "])
def test_every_alias_in_any_case_and_after_any_joint(word, sequence, joint, touch):
    root = touch(f"case7{joint}{word.upper()}.nii.gz")
    assert found(root) == {"case7": {sequence: f"case7{joint}{word.upper()}.nii.gz"}}


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("x_T1_post", "t1ce"),
        ("x_t1w-gd", "t1ce"),
        ("x_T2_FLAIR", "flair"),
        ("x_t1_ce", "t1ce"),
        ("x-T1+C", "t1ce"),
    ],
)
def test_a_sequence_of_two_words(name, sequence, touch):
    assert found(touch(f"{name}.nii.gz")) == {"x": {sequence: f"{name}.nii.gz"}}


@pytest.mark.parametrize("name", ["x_t1_brain", "x_brain_mask", "x_tumor_labels", "x_adc", "x_seg", "._x_t1"])
def test_names_that_are_no_input(name, touch):
    touch("y_t1.nii.gz", f"{name}.nii.gz")
    assert list(found(touch())) == ["y"]


def test_two_files_of_one_sequence_are_both_named(touch):
    root = touch("a/x_t1ce.nii.gz", "a/x_t1gd.nii.gz")
    with pytest.raises(
        ImageError, match=r"x_t1ce.nii.gz and x_t1gd.nii.gz both claim to be the t1ce of one subject"
    ):
        find_subjects(root)
    root = touch("b/y_t1.nii.gz", "b/y_seg.nii.gz", "b/y_seg.nii")
    (subject,) = find_subjects(root / "b")
    with pytest.raises(
        ImageError, match=r"y_seg.nii and y_seg.nii.gz both claim to be the truth of one subject"
    ):
        subject.refuse_labels()


def test_a_flair_that_may_be_of_time_point_one(touch):
    with pytest.raises(
        ImageError, match=r"x_t1_flair.nii: may be a T1-weighted FLAIR or the FLAIR of time point 1"
    ):
        find_subjects(touch("x_t1_flair.nii"))


def test_a_single_file_is_a_subject_with_its_own_sequence_only(touch):
    root = touch("x_flair.nii.gz", "x_t1.nii.gz", "x_seg.nii.gz")
    (subject,) = find_subjects(root / "x_flair.nii.gz")
    assert subject.images == {"flair": Source(root / "x_flair.nii.gz")}
    assert subject.truth is None


def test_a_single_file_that_names_no_sequence_is_refused_or_told(touch):
    path = touch("scan.nii.gz") / "scan.nii.gz"
    with pytest.raises(
        ImageError, match=r"set sequence= to one of t1, t1ce, t2, flair, or rename it, e.g. to scan_t1"
    ):
        find_subjects(path)
    assert found(path, sequence="t2") == {"scan": {"t2": "scan.nii.gz"}}
    with pytest.raises(ImageError, match=r"sequence=pd is not known; take one of t1, t1ce, t2, flair"):
        find_subjects(path, sequence="pd")


def test_the_callers_word_on_a_single_file_goes_before_its_name(touch):
    path = touch("x_t1.nii.gz") / "x_t1.nii.gz"
    assert found(path, sequence="t1ce") == {"x": {"t1ce": "x_t1.nii.gz"}}


def test_a_folder_of_files_without_sequences_takes_the_callers_but_not_results(touch):
    root = touch("1.nii.gz", "2.nii.gz", "2_brain_mask.nii.gz", "1_t1_stripped.nii.gz", "3_flair.nii.gz")
    assert found(root, sequence="t1") == {
        "1": {"t1": "1.nii.gz"},
        "2": {"t1": "2.nii.gz"},
        "3": {"flair": "3_flair.nii.gz"},
    }


def test_nothing_found_says_what_was_looked_for_and_what_is_there(touch):
    root = touch("a.dcm", "b.dcm", "c.nii.gz", "d.txt", "e.txt")
    with pytest.raises(
        DataError, match=r"no scan found; .*_t1ce.*the folder holds a.dcm, b.dcm, c.nii.gz, d.txt and 1"
    ):
        find_subjects(root)
    (root / "new").mkdir()
    with pytest.raises(DataError, match="the folder holds nothing"):
        find_subjects(root / "new")
    with pytest.raises(DataError, match="no such file or folder"):
        find_subjects(root / "none")
    with pytest.raises(ImageError, match=r"a.dcm: the name does not end with .nii or .nii.gz"):
        find_subjects(root / "a.dcm")


def test_links_are_followed_but_not_in_circles(touch):
    root = touch("data/a/a_t1.nii.gz", "elsewhere/b/b_t1.nii.gz")
    os.symlink(root / "elsewhere", root / "data" / "linked")
    os.symlink(root / "data", root / "data" / "a" / "loop")
    assert list(found(root / "data")) == ["a", "b"]


def test_channels_come_in_the_order_asked(save, scan):
    save("x_t1.nii.gz", scan)
    path = save("x_flair.nii.gz", scan + 1000)
    (subject,) = find_subjects(path.parent)
    volume = load_subject(subject, ["flair", "t1"])
    np.testing.assert_array_equal(volume.data, [scan + 1000, scan])


def test_channels_of_one_file_come_in_the_order_asked(save, scan):
    path = save("imagesTr/x.nii.gz", np.stack([scan, scan + 1000], axis=-1))
    (path.parent.parent / "dataset.json").write_text(json.dumps({"modality": {"0": "FLAIR", "1": "T1w"}}))
    volume = load_subject(find_subjects(path.parent)[0], ["t1", "flair"])
    np.testing.assert_array_equal(volume.data, [scan + 1000, scan])


def test_a_missing_sequence_is_named_with_those_there(save, scan):
    (subject,) = find_subjects(save("x_t1.nii.gz", scan))
    with pytest.raises(ImageError, match=r"x has t1 but needs t1ce, flair too"):
        load_subject(subject, ["t1", "t1ce", "flair"])


def test_sequences_on_different_grids_are_both_named(save, scan):
    save("x_t1.nii.gz", scan)
    moved = np.diag([-1.0, -2.0, 3.0, 1.0])
    moved[0, 3] = 4.5
    (subject,) = find_subjects(save("x_t2.nii.gz", scan, moved).parent)
    with pytest.raises(
        GeometryError, match=r"x_t2.nii.gz: .* grid of .*x_t1.nii.gz, shifted: .* 4.5 mm apart; .*register"
    ):
        load_subject(subject, ["t1", "t2"])
