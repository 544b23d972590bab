"""Folders of slices from files to batches, and faults that are named."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from brainseg.config.errors import DataError

SMALL = ["classifier.preprocess.size=32", "classifier.batch_size=8"]
SARTAJ = {
    "glioma": "glioma_tumor",
    "meningioma": "meningioma_tumor",
    "notumor": "no_tumor",
    "pituitary": "pituitary_tumor",
}


def test_slices_become_batches_and_no_subject_is_in_two_parts(cohort, ready):
    root = cohort("kaggle")
    data = ready(root, *SMALL)
    x, target = next(iter(data.train_dataloader()))
    assert x.shape == (8, 3, 32, 32)
    assert set(target.tolist()) <= {0, 1, 2, 3}
    owner = dict(line.split(",") for line in (root / "subjects.csv").read_text().split()[1:])
    parts = [{owner[name] for name in names} for names in data.split.as_dict().values()]
    assert sum(map(len, parts)) == len(set().union(*parts))


def pixels(slices):
    return slices.images(range(len(slices.rows)))


def test_both_data_sets_folder_names_give_the_same_slices(cohort, ready, tmp_path):
    root = cohort("kaggle")
    (root / "subjects.csv").unlink()  # the real sets have none
    expected = ready(root, *SMALL)
    other = tmp_path / "sartaj"
    shutil.copytree(root, other)
    for part in ("Training", "Testing"):
        for name, folder in SARTAJ.items():
            if (other / part / name).is_dir():
                (other / part / name).rename(other / part / folder)
    got = ready(other, *SMALL)
    for part in ("train", "val"):
        assert np.array_equal(pixels(got.parts[part]), pixels(expected.parts[part]))
        assert np.array_equal(got.parts[part].targets, expected.parts[part].targets)


def test_a_folder_of_class_folders_alone_will_do(cohort, ready):
    root = cohort("kaggle") / "Training"
    data = ready(root, *SMALL, "data.split=random")
    assert sorted(data.facts) == ["test_slices", "train_slices", "val_slices"]


def test_an_empty_class_folder_and_a_missing_one_are_named(cohort, module):
    folder = cohort("kaggle") / "Training"
    for path in (folder / "glioma").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"Training/glioma holds no image \(\.bmp, \.gif"):
        module(folder.parent, *SMALL).prepare_data()
    (folder / "glioma").rmdir()
    with pytest.raises(DataError, match=r"has no folder for class glioma \(glioma or glioma_tumor\)"):
        module(folder.parent, *SMALL).prepare_data()


def test_an_unreadable_jpeg_is_named_and_left_out_only_when_told(cohort, ready, module, capsys):
    root = cohort("kaggle")
    bad = sorted((root / "Training" / "pituitary").iterdir())[0]
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(
        DataError, match=f"^1 of [0-9]+ slices cannot be used: Training/pituitary/{bad.name}: "
    ):
        module(root, *SMALL).prepare_data()
    data = ready(root, *SMALL, "data.skip_bad=true")
    assert f"Training/pituitary/{bad.name}" not in data.split.train + data.split.val
    assert "left out 1 of" in capsys.readouterr().out


def test_grey_and_colour_files_of_one_slice_are_the_same(cohort, ready):
    root = cohort("kaggle") / "Training"
    for path in sorted(root.rglob("*.jpg")):
        grey = Image.open(path).convert("L")
        path.unlink()
        grey.save(path.with_suffix(".png"))
    expected = ready(root, *SMALL)
    for path in sorted(root.rglob("*.png")):
        Image.open(path).convert("RGB").save(path)
    got = ready(root, *SMALL)
    assert np.array_equal(pixels(got.parts["train"]), pixels(expected.parts["train"]))


def test_a_validation_slice_is_never_changed(cohort, ready):
    data = ready(cohort("kaggle"), *SMALL)
    first, second = (next(iter(data.val_dataloader()))[0] for _ in range(2))
    assert torch.equal(first, second)
