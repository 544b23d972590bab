import numpy as np
import pytest

from brainseg.config.errors import LabelError
from brainseg.images.labels import (
    CLASSES,
    CONVENTIONS,
    REGIONS,
    TUMOR_REGIONS,
    classes_with,
    detect,
    from_classes,
    is_tumor,
    regions_with,
    to_classes,
    without_cavity,
)


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


def test_the_resection_cavity_is_a_class_and_a_region_of_its_own():
    post = CONVENTIONS["brats-2024-post"]
    classes = to_classes(np.array([0, 1, 2, 3, 4]), post, "a")
    assert [CLASSES[index] for index in classes] == [*classes_with(cavity=False), "resection_cavity"]
    assert from_classes(classes, post).tolist() == [0, 1, 2, 3, 4]
    assert is_tumor(classes).tolist() == [False, True, True, True, False]
    assert without_cavity(classes).tolist() == [0, 1, 2, 3, 0]
    assert REGIONS["resection_cavity"] == (4,)
    assert not {4} & {index for members in TUMOR_REGIONS.values() for index in members}
    assert list(regions_with(cavity=True)) == [*regions_with(cavity=False), "resection_cavity"]


@pytest.mark.parametrize("name", ["brats-2018", "brats-2023", "msd-task01"])
def test_a_cavity_is_not_lost_where_the_labels_have_no_value_for_it(name):
    with pytest.raises(LabelError, match=f"{name} has no value for the resection cavity.*brats-2024-post"):
        from_classes(np.array([0, 4, 2], np.uint8), CONVENTIONS[name])


def test_a_label_that_the_convention_has_not_is_counted():
    with pytest.raises(LabelError, match=r"a_seg: has labels 4 \(2 voxels\), but msd-task01 knows 0, 1, 2"):
        to_classes(np.array([0, 4, 4, 1]), CONVENTIONS["msd-task01"], "a_seg")


def test_regions_nest():
    enhancing, core, whole = (set(TUMOR_REGIONS[r]) for r in ("enhancing_tumor", "tumor_core", "whole_tumor"))
    assert enhancing < core < whole == set(range(1, len(classes_with(cavity=False))))
