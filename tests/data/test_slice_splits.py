"""Copies and the three ways to split slices; how a part of them is taken."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from brainseg.config import TUMOR_TYPES
from brainseg.config.errors import ConfigError, DataError
from brainseg.images.jpeg import read_slice
from brainseg.preprocess.slices import prepare_slice

SMALL = ["classifier.preprocess.size=32", "classifier.preprocess.crop=none", "classifier.batch_size=8"]
PER_CLASS = 20


def saved(folder, name, grey):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / name, quality=80)


@pytest.fixture
def slices():
    """Blobs in a disc, 20 for each class."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    disc = x**2 + (y / 0.8) ** 2 < 0.9
    made = []
    for _ in range(4 * PER_CLASS):
        blobs = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 4)
        made.append(np.where(disc, 130 + 45 * blobs / blobs.std(), 0))
    return made


@pytest.fixture
def copied(slices, tmp_path):
    """The first 16 of a class have a mirrored copy in Training, the last 2 a darker one in Testing."""
    for k, grey in enumerate(slices):
        folder, i = TUMOR_TYPES[k // PER_CLASS], k % PER_CLASS
        saved(tmp_path / "Training" / folder, f"{i:02d}.jpg", grey)
        if i < 16:
            saved(tmp_path / "Training" / folder, f"{i:02d}_mirrored.jpg", grey[:, ::-1])
        elif i >= 18:
            saved(tmp_path / "Testing" / folder, f"{i:02d}_darker.jpg", 0.8 * grey)
    return tmp_path


def originals(names):
    return {name.split("/")[1] + name.split("/")[2][:2] for name in names}


def test_grouped_keeps_copies_on_one_side_and_leaves_out_those_of_the_test_part(copied, ready):
    data = ready(copied, *SMALL, "data.split=grouped")
    train, val, test = data.split.train, data.split.val, data.split.test
    assert not originals(train) & originals(val)
    assert not originals(train + val) & originals(test)
    assert data.facts["copies"] == 4 * (2 * 16 + 2 * 2)
    assert data.facts["copy_clusters"] == 4 * (16 + 2)
    assert data.facts["left_out_copies"] == 4 * 2
    assert len(train + val) == 4 * (2 * 16 + 2)
    assert len(val) == pytest.approx(0.25 * len(train + val), abs=4)  # val_share


def test_random_does_not(copied, ready):
    data = ready(copied, *SMALL, "data.split=random")
    assert originals(data.split.train) & originals(data.split.val)
    assert len(data.split.train + data.split.val) == 4 * 36


def test_official_trains_on_all_of_training_and_validates_on_testing(copied, ready):
    data = ready(copied, *SMALL, "data.split=official")
    assert len(data.split.train) == 4 * 36
    assert data.split.val == data.split.test == sorted(data.split.test)
    assert all(name.startswith("Testing/") for name in data.split.test)


def test_official_needs_a_testing_folder(copied, module):
    with pytest.raises(DataError, match=r"no folder Testing.* set data\.split=grouped"):
        module(copied / "Training", *SMALL, "data.split=official").prepare_data()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.split=honest"], r"data\.split must be one of random, grouped, official, got honest"),
        (["data.split=official", "data.folds=3"], r"data\.folds is 3, but data\.split=official"),
        (["data.limit=7"], r"data\.limit must be two slices a class or more, got 7"),
    ],
)
def test_what_cannot_be_is_refused(copied, module, overrides, said):
    with pytest.raises(Exception, match=said) as caught:
        module(copied, *SMALL, *overrides)
    assert isinstance(caught.value, ConfigError) or isinstance(caught.value.__cause__, ConfigError)


def test_a_limit_takes_each_class_in_its_proportion_and_the_same_slices_each_time(copied, ready):
    data = ready(copied / "Training", *SMALL, "data.split=random", "data.limit=40")
    names = data.split.train + data.split.val
    assert [sum(name.startswith(f"{kind}/") for name in names) for kind in TUMOR_TYPES] == [10] * 4
    again = ready(copied / "Training", *SMALL, "data.split=random", "data.limit=40")
    assert again.split == data.split
    other = ready(copied / "Training", *SMALL, "data.split=random", "data.limit=40", "seed=1")
    assert sorted(other.split.train + other.split.val) != sorted(names)


def test_names_classes_and_pixels_of_a_part_belong_together(copied, ready):
    data = ready(copied, *SMALL, "data.split=random")
    for part, kept in data.parts.items():
        names = data.split.as_dict()[part]
        assert [TUMOR_TYPES[k] for k in kept.targets] == [name.split("/")[1] for name in names]
        assert len(kept.rows) == len(names)
        assert isinstance(kept.folder, np.memmap)  # nothing of a part is in memory until it is asked for
        for i, image in zip([2, 0], kept.images([2, 0]), strict=True):
            prepared = prepare_slice(read_slice(copied / names[i]), data.recipe.preprocess)
            assert np.array_equal(image, prepared)
