import numpy as np
import pytest

from brainseg.config.errors import LabelError
from brainseg.images.labels import CLASSES, CONVENTIONS, REGIONS, detect, from_classes, to_classes


@pytest.mark.parametrize(
    ("values", "layout", "name"),
    [
        ({0, 1, 2, 4}, "brats-2018", "brats-2018"),
        ({0, 1, 2, 4}, None, "brats-2018"),
        ({0, 4}, "loose", "brats-2018"),
        ({0, 1, 2}, "brats-2018", "brats-2018"),
        ({0, 1, 2, 3}, "brats-2023", "brats-2023"),
        ({0}, "brats-2023", "brats-2023"),
        ({0, 1, 2, 3, 4}, "brats-2023", "brats-2024-post"),
        ({0, 1, 2, 3}, "msd", "msd-task01"),
        ({0, 2}, "msd", "msd-task01"),
    ],
)
def test_values_and_file_names_together_tell_the_convention(values, layout, name):
    assert detect(values, layout).name == name


@pytest.mark.parametrize("layout", [None, "loose", "bids"])
@pytest.mark.parametrize("values", [{0, 1, 2, 3}, {0, 1, 2}, {0}, {0, 3}])
def test_values_that_several_conventions_have_are_refused_without_telling_names(values, layout):
    with pytest.raises(LabelError, match=r"ambiguous: .*brats-2023.*msd-task01.*data\.labels="):
        detect(values, layout)


@pytest.mark.parametrize(
    ("values", "layout", "message"),
    [
        ({0, 1, 2, 3}, "brats-2018", r"enhancing tumour is 4; .*data\.labels=brats-2023"),
        ({0, 1, 2, 3, 4}, "brats-2018", r"before 2017, 3 was non-enhancing.*add label 3 to label 1"),
        ({0, 1, 2, 3, 4}, None, r"either brats-2024-post .* or BraTS before 2017"),
        ({0, 1, 2, 4}, "msd", r"labels 0, 1, 2, 4, but files named the msd way have 0, 1, 2, 3"),
        ({0, 1, 7}, "msd", r"unknown labels 7; the conventions brats-2018, .* have 0, 1, 2, 3, 4 only"),
        ({0, 0.5, 1}, None, r"unknown labels 0\.5"),
        ({-1, 0}, "brats-2018", r"unknown labels -1"),
    ],
)
def test_values_that_contradict_the_names_or_no_convention_has(values, layout, message):
    with pytest.raises(LabelError, match=f"^case7_seg.nii.gz: .*{message}"):
        detect(values, layout, where="case7_seg.nii.gz")


@pytest.mark.parametrize(
    ("name", "file_values"),
    [
        ("brats-2018", [0, 1, 2, 4]),
        ("brats-2023", [0, 1, 2, 3]),
        ("brats-2024-post", [0, 1, 2, 3]),
        ("msd-task01", [0, 2, 1, 3]),
    ],
)
def test_classes_in_the_files_of_each_convention_and_back(name, file_values):
    convention = CONVENTIONS[name]
    classes = np.arange(4, dtype=np.uint8)  # background, necrotic core, edema, enhancing tumour
    assert from_classes(classes, convention).tolist() == file_values
    assert to_classes(np.array(file_values, np.float32), convention, "a").tolist() == [0, 1, 2, 3]
    assert to_classes(np.array(file_values), convention, "a").dtype == np.uint8


def test_the_resection_cavity_is_background():
    assert to_classes(np.array([4, 3]), CONVENTIONS["brats-2024-post"], "a").tolist() == [0, 3]


def test_a_label_that_the_convention_has_not_is_counted():
    with pytest.raises(LabelError, match=r"a_seg: has labels 4 \(2 voxels\), but msd-task01 knows 0, 1, 2"):
        to_classes(np.array([0, 4, 4, 1]), CONVENTIONS["msd-task01"], "a_seg")


def test_regions_nest():
    enhancing, core, whole = (set(REGIONS[r]) for r in ("enhancing_tumor", "tumor_core", "whole_tumor"))
    assert enhancing < core < whole == set(range(1, len(CLASSES)))
