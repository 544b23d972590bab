"""The LGG set of Kaggle: colour pictures of slices, read as volumes with one region."""

import numpy as np
import pytest
import torch
from PIL import Image

from brainseg.commands.audit import audit
from brainseg.config.errors import ConfigError, DataError, ImageError
from brainseg.data import composed_data
from brainseg.images.labels import EDEMA
from brainseg.images.lgg import assumed_spacing, read_patient
from brainseg.images.lgg_patients import survey_patients
from brainseg.images.nifti import write
from brainseg.images.volume import to_ras

SEGMENTER = [
    *("model=segmenter", "data=lgg", "segmenter.preprocess.modalities=[flair]"),
    *("segmenter.channels=[4,8]", "segmenter.patch=[16,16,16]", "data.spacing_mm=[6,6,6]"),
    "segmenter.preprocess.spacing_mm=[6,6,6]",
]
SHAPE = (20, 24, 12)  # rows, columns, slices


def write_patient(folder, seed, *, without=()):
    """A bright box in an ellipsoid; the tumour is in the box at the upper left of the upper slices."""
    rng = np.random.default_rng(seed)
    y, x, z = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j, -1 : 1 : SHAPE[2] * 1j]
    head = x**2 + y**2 + z**2 < 1
    tumor = np.zeros(SHAPE, bool)
    tumor[4:9, 5:10, 6:10] = True
    t1, flair, t1ce = (np.where(head, rng.integers(60, 100, SHAPE), 0).astype(np.uint8) for _ in range(3))
    flair[tumor] = 200
    colours = [flair if "t1" in without else t1, flair, flair if "t1ce" in without else t1ce]
    folder.mkdir(parents=True)
    for k in range(SHAPE[2]):
        Image.fromarray(np.stack([c[..., k] for c in colours], axis=-1)).save(
            folder / f"{folder.name}_{k + 1}.tif"
        )
        Image.fromarray(255 * tumor[..., k].astype(np.uint8)).save(folder / f"{folder.name}_{k + 1}_mask.tif")
    return t1, flair, tumor


@pytest.fixture
def root(tmp_path):
    for number in range(4):
        write_patient(tmp_path / "kaggle_3m" / f"TCGA_XX_{number}_20000101", number)
    return tmp_path / "kaggle_3m"


def test_colours_are_sequences_and_slices_are_stacked_by_their_number(tmp_path):
    t1, flair, tumor = write_patient(tmp_path / "P_1", 0)
    image, mask = read_patient(tmp_path / "P_1", ["flair", "t1"])
    np.testing.assert_array_equal(image.data, np.stack([flair, t1]).transpose(0, 2, 1, 3))
    np.testing.assert_array_equal(mask, tumor.transpose(1, 0, 2))
    assert image.grid.orientation == "LPS"
    assert image.grid.spacing_mm == pytest.approx((0.94, 0.94, 12.5))
    assert assumed_spacing(20)[2] == 7.5
    upright = to_ras(image).data[0]  # the picture's left is the patient's right, and its top is in front
    right, front, up = (
        axis.mean() / n for axis, n in zip(np.nonzero(upright == 200), upright.shape, strict=True)
    )
    assert right > 0.5
    assert front > 0.5
    assert up > 0.5


def test_a_training_sees_one_region_at_the_given_spacing(root, ready):
    data = ready(root, *SEGMENTER)
    assert len(data.arrays) == 4
    assert (data.facts["spacing_mm"], data.facts["regions"]) == ([6, 6, 6], ["whole_tumor"])
    for case in data.arrays.values():
        assert set(np.unique(case["truth"])) == {0, EDEMA}
    image, truth = next(iter(data.train_dataloader()))
    assert (image.dtype, image.shape[1]) == (torch.float32, 1)
    assert truth.max() == EDEMA
    other = ready(root, *SEGMENTER, "data.spacing_mm=[6,6,12]")
    assert (
        next(iter(other.arrays.values()))["truth"].shape[2]
        > next(iter(data.arrays.values()))["truth"].shape[2]
    )
    assert str(ready(root, *SEGMENTER, "data.spacing_mm=null").facts["spacing_mm"]).startswith(
        "assumed: 0.94 mm"
    )


def test_a_patient_without_a_sequence_is_named_and_left_out_if_asked(root, module, ready):
    write_patient(root / "TCGA_XX_9_20000101", 9, without=("t1ce",))
    both = "segmenter.preprocess.modalities=[flair,t1ce]"
    with pytest.raises(DataError, match=r"TCGA_XX_9_20000101: has no t1ce, its pictures show FLAIR twice"):
        module(root, *SEGMENTER, both).prepare_data()
    assert len(ready(root, *SEGMENTER, both, "data.skip_bad=true").arrays) == 4
    assert len(ready(root, *SEGMENTER).arrays) == 5  # FLAIR is what all have


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "P_1_3.tif").unlink(), "has no slice 3 of 12"),
        (lambda folder: (folder / "P_1_12_mask.tif").unlink(), "has no mask of slice 12 of 12"),
        (lambda folder: (folder / "P_1_3.tif").write_bytes(b"II*"), "P_1_3.tif: "),
        (
            lambda folder: Image.new("L", (24, 20), 1).save(folder / "P_1_3.tif"),
            "is L; a slice has three colours",
        ),
        (
            lambda folder: Image.new("L", (24, 20), 1).save(folder / "P_1_03.tif"),
            "both claim to be slice 0?3",
        ),
    ],
)
def test_a_fault_of_a_patient_is_named(tmp_path, damage, said):
    write_patient(tmp_path / "P_1", 0)
    damage(tmp_path / "P_1")
    with pytest.raises(ImageError, match=said):
        read_patient(tmp_path / "P_1", ["flair"])


def test_what_cannot_be_is_refused(root, module, tmp_path):
    with pytest.raises(DataError, match="no such folder; LGG is mateuszbuda"):
        module(tmp_path / "none", *SEGMENTER).check_split()
    with pytest.raises(DataError, match=r"holds no PATIENT/PATIENT_1\.tif"):
        survey_patients(tmp_path / "empty")
    for override, said in (
        ("segmenter.preprocess.modalities=[t2]", "data=lgg has no t2"),
        ("data.spacing_mm=[1,1]", "takes three numbers"),
        ("data.spacing_mm=[a,1,1]", "spacing_mm is"),
    ):
        with pytest.raises(ConfigError, match=said):
            module(root, *SEGMENTER, override)


def write_brain(root, patient, mask):
    """What predict.py leaves of a patient, on the grid of the pictures."""
    grid = read_patient(root / patient, ["flair"])[0].grid
    folder = root.parent / "brains" / patient
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / f"{patient}_brain_mask.nii.gz", mask.astype(np.uint8)[None], grid)
    return root.parent / "brains"


def test_heads_are_cut_to_the_brains_of_a_prediction(root, ready, module):
    patients = [one.name for one in sorted(root.iterdir())]
    mask = np.zeros((24, 20, 12), bool)
    mask[6:16, 5:15, 3:9] = True
    for patient in patients:
        brains = write_brain(root, patient, mask)
    whole, cut = ready(root, *SEGMENTER), ready(root, *SEGMENTER, f"data.brains={brains}")
    assert all(
        (cut.arrays[one]["image"] != 0).sum() < (whole.arrays[one]["image"] != 0).sum() for one in patients
    )
    assert max(cut.arrays[patients[0]]["image"].shape[1:]) <= 12  # cropped to it
    near = ready(root, *SEGMENTER, f"data.brains={brains}", "segmenter.margin_mm=7")
    assert (near.arrays[patients[0]]["image"] != 0).sum() > (cut.arrays[patients[0]]["image"] != 0).sum()
    write_brain(root, patients[0], mask & (np.arange(12) > 5))  # stripped anew
    anew = ready(root, *SEGMENTER, f"data.brains={brains}").arrays[patients[0]]["image"]
    assert (anew != 0).sum() < (cut.arrays[patients[0]]["image"] != 0).sum()


def test_a_head_without_a_brain_is_named_with_how_it_gets_one(root, module, ready, tmp_path):
    patients = [one.name for one in sorted(root.iterdir())]
    full = np.ones((24, 20, 12), bool)
    for patient in patients[1:]:
        brains = write_brain(root, patient, full)
    with pytest.raises(
        DataError, match=rf"{patients[0]} has no brain mask; strip it by python predict\.py input="
    ):
        module(root, *SEGMENTER, f"data.brains={brains}").prepare_data()
    assert len(ready(root, *SEGMENTER, f"data.brains={brains}", "data.skip_bad=true").arrays) == 3
    write_brain(root, patients[0], np.zeros_like(full))
    with pytest.raises(DataError, match=r"24 x 20 x 12 voxels, 0 of them brain"):
        module(root, *SEGMENTER, f"data.brains={brains}").prepare_data()
    with pytest.raises(
        DataError, match=r"no such folder; data\.brains is what python predict\.py input=.* writes"
    ):
        module(root, *SEGMENTER, f"data.brains={tmp_path / 'none'}").check_split()


def test_so_many_patients_are_trained_on_as_are_asked_for_and_a_run_that_goes_on_keeps_them(
    root, module, ready
):
    every, two = ready(root, *SEGMENTER), ready(root, *SEGMENTER, "data.patients=2")
    assert (len(every.split.train), len(two.split.train)) == (3, 2)
    assert (two.split.val, len(two.arrays)) == (every.split.val, 4)
    assert len(two.train_dataloader()) * 3 == len(every.train_dataloader()) * 2
    again = module(root, *SEGMENTER, "data.patients=2", "data.seed=1")
    again.recorded = two.split
    again.prepare_data()
    again.setup("fit")
    assert again.split == two.split
    with pytest.raises(DataError, match=r"data\.patients is 4, but 3 patients are left"):
        module(root, *SEGMENTER, "data.patients=4").check_split()
    with pytest.raises(ConfigError, match=r"data\.patients is 0; it must be 1 or more"):
        module(root, *SEGMENTER, "data.patients=0")


@pytest.mark.data
def test_the_real_set_is_read(real_data):
    folder = real_data / "lgg" / "kaggle_3m"
    if not folder.is_dir():
        pytest.skip("no lgg here")
    image, tumor = read_patient(survey_patients(folder).subjects[0].folder, ["flair"])
    assert image.data.shape[1:3] == (256, 256)
    assert tumor.any()


def test_the_audit_accounts_for_every_file(root, capsys):
    (root / "data.csv").write_text("x")
    audit(["data=lgg", f"data.root={root}"])
    patients, files = len(list(root.glob("*/"))), len([one for one in root.rglob("*") if one.is_file()])
    assert f"{patients} subjects; {files} files: {files - 1} used, 1 left out" in capsys.readouterr().out


def test_a_segmenter_of_cavities_is_told_that_there_are_none(composed):
    settings = ["model=segmenter", "data=lgg", "segmenter.preprocess.modalities=[flair]"]
    with pytest.raises(ConfigError, match=r"whole tumour alone; set segmenter\.cavity=false"):
        composed_data(composed(*settings, "segmenter.cavity=true"))
