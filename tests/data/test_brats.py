"""BraTS from files to batches: names of every year, label conventions, and faults that are named."""

import gzip
import re
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

from brainseg.config.errors import ConfigError, DataError, LabelError
from brainseg.phantom import write_cohort

SEGMENTER = [
    "model=segmenter",
    "segmenter.preprocess.spacing_mm=[6,6,6]",
    "segmenter.preprocess.crop=none",
    "segmenter.channels=[4,8]",
    "segmenter.patch=[16,16,16]",
]
NAMES_2023 = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f", "seg": "seg"}


def rewritten(path, change, dtype=None):
    """The file with its voxels changed, and its header's type too if asked."""
    image = nib.load(path)
    array = change(np.asarray(image.dataobj).copy())
    new = nib.Nifti1Image(array, image.affine)
    new.set_data_dtype(dtype or image.get_data_dtype())
    nib.save(new, path)


def as_brats_2023(root):
    """The same cohort as of 2023 and later: other names, other label values."""
    for folder in sorted(root.iterdir()):
        number = int(folder.name[-5:])
        new = root / f"BraTS-GLI-{number:05d}-000"
        new.mkdir()
        for kind, suffix in NAMES_2023.items():
            shutil.move(folder / f"{folder.name}_{kind}.nii.gz", new / f"{new.name}-{suffix}.nii.gz")
        rewritten(new / f"{new.name}-seg.nii.gz", lambda labels: np.where(labels == 4, 3, labels))
        folder.rmdir()
    return root


def whole(data) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: (np.asarray(a["image"]), np.asarray(a["truth"])) for name, a in data.arrays.items()}


def test_a_cohort_becomes_patches_of_four_sequences_with_the_classes_of_the_truth(cohort, ready):
    data = ready(cohort("brats"), *SEGMENTER)
    assert data.facts == {
        "label_convention": "brats-2018",
        "train_subjects": 3,
        "val_subjects": 1,
        "test_subjects": 0,
    }
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (2, 4, 16, 16, 16)
    assert (images.dtype, labels.shape) == (torch.float32, (2, 16, 16, 16))
    classes = set().union(*(np.unique(truth).tolist() for _, truth in whole(data).values()))
    assert classes == {0, 1, 2, 3}


@pytest.mark.parametrize("layout", ["2023", "msd", "nii"])
def test_every_way_to_publish_the_same_patients_gives_the_same_arrays(cohort, ready, layout, tmp_path):
    expected = whole(ready(cohort("brats"), *SEGMENTER))
    if layout == "2023":
        shutil.copytree(tmp_path / "brats", tmp_path / "other")
        root, convention = as_brats_2023(tmp_path / "other"), "brats-2023"
    elif layout == "msd":
        root, convention = cohort("msd"), "msd-task01"
    else:
        root, convention = tmp_path / "other", "brats-2018"
        shutil.copytree(tmp_path / "brats", root)
        for path in sorted(root.rglob("*.nii.gz")):
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
    data = ready(root, *SEGMENTER)
    assert data.facts["label_convention"] == convention
    got = whole(data)
    assert len(got) == len(expected) == 4
    for (image, truth), (image_too, truth_too) in zip(
        [got[name] for name in sorted(got)], [expected[name] for name in sorted(expected)], strict=True
    ):
        assert np.array_equal(truth, truth_too)
        np.testing.assert_allclose(image.astype(float), image_too.astype(float), atol=2e-3)


def test_sequences_are_found_by_name_and_come_in_the_order_asked_for(cohort, ready):
    root = cohort("brats")
    both = whole(ready(root, *SEGMENTER, "segmenter.preprocess.modalities=[flair,t1ce]"))
    turned = whole(ready(root, *SEGMENTER, "segmenter.preprocess.modalities=[t1ce,flair]"))
    for name, (image, _) in both.items():
        assert image.shape[0] == 2
        assert np.array_equal(image, turned[name][0][::-1])


def test_the_case_of_2020_whose_truth_has_another_name_is_read(cohort, ready):
    root, name = cohort("brats"), "BraTS20_Training_355"
    folder = (root / "BraTS2021_00001").rename(root / name)
    for path in sorted(folder.iterdir()):
        path.rename(folder / path.name.replace("BraTS2021_00001", name))
    (folder / f"{name}_seg.nii.gz").rename(folder / "W39_1998.09.19_Segm.nii.gz")
    assert ready(root, *SEGMENTER).arrays[name]["truth"].any()


def file(kind):
    return lambda root: root / "BraTS2021_00002" / f"BraTS2021_00002_{kind}.nii.gz"


def poke(value):
    def change(array):
        array[10, 10, 5] = value
        return array

    return change


def without_a_number(array):
    """NaN in the middle of the head, where it is no background."""
    array = array.astype(np.float32)
    array[tuple(n // 2 for n in array.shape)] = np.nan
    return array


FAULTS = {
    "no sequence": (lambda root: file("flair")(root).unlink(), "has t1, t1ce, t2 but needs flair too"),
    "no truth": (lambda root: file("seg")(root).unlink(), r"has no label map \(\*seg\.nii\.gz\)"),
    "cut short": (
        lambda root: file("t2")(root).write_bytes(file("t2")(root).read_bytes()[:900]),
        r"_t2\.nii\.gz: the gzip file is damaged .* \(900 bytes\); fetch it again",
    ),
    "not a NIfTI": (
        lambda root: file("t2")(root).write_bytes(b"<html>"),
        r"_t2\.nii\.gz: is not a NIfTI image but text beginning '<html>'",
    ),
    "NaN": (
        lambda root: rewritten(file("t1")(root), without_a_number, np.float32),
        r"_t1\.nii\.gz: 1 of 41600 voxels are NaN or infinite",
    ),
    "constant": (
        lambda root: rewritten(file("t1")(root), lambda a: a * 0),
        r"_t1\.nii\.gz: all voxels are 0; an empty or failed scan",
    ),
    "four-dimensional": (
        lambda root: rewritten(file("t1")(root), lambda a: np.stack([a, a], axis=-1)),
        r"_t1\.nii\.gz: holds 2 volumes \(shape \(40, 40, 26, 2\)\) where one is needed",
    ),
    "another grid": (
        lambda root: rewritten(file("t1")(root), lambda a: a[:-1]),
        r"_t1ce\.nii\.gz: does not lie on the grid of .*, shape 40 x 40 x 26 against 39 x 40 x 26",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_case_is_named_with_its_fault_and_left_out_only_when_told(
    cohort, ready, module, fault, capsys
):
    damage, message = FAULTS[fault]
    root = cohort("brats")
    damage(root)
    with pytest.raises(DataError, match=f"^1 of 4 subjects cannot be used: BraTS2021_00002: .*{message}"):
        module(root, *SEGMENTER).prepare_data()
    data = ready(root, *SEGMENTER, "data.skip_bad=true")
    assert "BraTS2021_00002" not in data.arrays
    assert len(data.arrays) == 3
    assert "left out 1 of 4 subjects, as data.skip_bad=true says: BraTS2021_00002" in capsys.readouterr().out


def test_a_label_value_that_no_convention_has_is_refused(cohort, module):
    root = cohort("brats")
    rewritten(file("seg")(root), poke(7))
    with pytest.raises(LabelError, match=f"^{re.escape(str(root))}: unknown labels 7; the conventions"):
        module(root, *SEGMENTER).prepare_data()


def test_values_that_the_told_convention_lacks_are_refused_with_their_number_of_voxels(cohort, module):
    with pytest.raises(DataError, match=r"has labels 4 \(\d+ voxels\), but brats-2023 knows"):
        module(cohort("brats"), *SEGMENTER, "data.labels=brats-2023").prepare_data()


def test_another_convention_gives_other_classes_from_the_same_prepared_files(cohort, ready):
    root = cohort("msd")  # its 1 is edema and its 2 the core; BraTS 2023 has them the other way round
    one = whole(ready(root, *SEGMENTER, "data.labels=msd-task01"))
    other = whole(ready(root, *SEGMENTER, "data.labels=brats-2023"))
    for name, (_, truth) in one.items():
        assert (truth == 1).any()
        assert np.array_equal(np.choose(truth, [0, 2, 1, 3]), other[name][1])


def test_a_changed_file_is_prepared_anew(cohort, ready):
    root = cohort("brats")
    before = whole(ready(root, *SEGMENTER))
    rewritten(file("seg")(root), lambda labels: labels * 0)
    after = whole(ready(root, *SEGMENTER))
    assert before["BraTS2021_00002"][1].any()
    assert not after["BraTS2021_00002"][1].any()
    assert np.array_equal(before["BraTS2021_00001"][1], after["BraTS2021_00001"][1])


@pytest.fixture
def operated(tmp_path):
    """Four subjects in the names of BraTS 2024; the second and the fourth have a resection cavity."""
    root = tmp_path / "post"
    write_cohort(root, layout="brats-post", subjects=4, seed=3, spacing_mm=6.0, operated_share=0.5)
    return root


def cavity_voxels(data) -> int:
    return sum(int((truth == 4).sum()) for _, truth in whole(data).values())


def test_cavities_that_a_segmenter_does_not_learn_are_background_and_said_once(operated, ready, caplog):
    caplog.set_level("INFO")
    data = ready(operated, *SEGMENTER)
    assert cavity_voxels(data) == 0
    assert data.facts["label_convention"] == "brats-2024-post"
    are = "background: segmenter.cavity=false"
    assert data.facts["resection_cavities"] == {"subjects": 2, "of": 4, "are": are}
    said = [one.getMessage() for one in caplog.records if "resection cavity" in one.getMessage()]
    assert len(said) == 1
    assert "2 of 4 subjects have a resection cavity" in said[0]
    assert "segmenter.cavity=true" in said[0]


def test_cavities_that_a_segmenter_learns_are_its_fifth_class(operated, ready, caplog):
    plain = whole(ready(operated, *SEGMENTER))  # in the same cache
    data = ready(operated, *SEGMENTER, "segmenter.cavity=true")
    assert cavity_voxels(data) > 20
    for name, (image, truth) in whole(data).items():
        np.testing.assert_array_equal(image, plain[name][0])
        np.testing.assert_array_equal(np.where(truth == 4, 0, truth), plain[name][1])
    assert data.facts["resection_cavities"]["are"] == "learnt as a class of its own"
    assert not [one for one in caplog.records if "resection cavity" in one.getMessage()]


def test_a_segmenter_of_cavities_is_refused_data_without_any(cohort, operated, ready, monkeypatch):
    with pytest.raises(ConfigError, match=r"no label map below .* has a resection cavity .*cavity=false"):
        ready(cohort("brats"), *SEGMENTER, "segmenter.cavity=true")
    for seg in operated.rglob("*-seg.nii.gz"):
        rewritten(seg, lambda labels: np.where(labels == 4, 0, labels).astype(np.uint8))
    with pytest.raises(ConfigError, match="these labels are brats-2024-post"):
        ready(operated, *SEGMENTER, "segmenter.cavity=true", "data.labels=brats-2024-post")


def test_cavities_that_only_validation_subjects_have_are_warned_of(operated, ready, caplog):
    for seg in sorted(operated.rglob("*-seg.nii.gz")):
        rewritten(seg, lambda labels: np.where(labels == 4, 0, labels).astype(np.uint8))
    data = ready(operated, *SEGMENTER)
    seg = next(operated.rglob(f"{data.split.val[0]}-seg.nii.gz"))
    rewritten(seg, lambda labels: np.where(labels == 2, 4, labels).astype(np.uint8))
    ready(operated, *SEGMENTER, "segmenter.cavity=true", "data.labels=brats-2024-post")
    assert "none of the 3 training subjects has a resection cavity" in caplog.text
