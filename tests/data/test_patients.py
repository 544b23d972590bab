"""All visits of a patient are on one side of a split and in one fold, in every data set of volumes."""

import shutil

import numpy as np
import pytest
from PIL import Image

from brainseg.config.errors import DataError
from brainseg.data.groups import patients_of
from brainseg.data.splits import SplitRule, split_groups, split_subjects

SEGMENTER = [
    "model=segmenter",
    "segmenter.preprocess.spacing_mm=[6,6,6]",
    "segmenter.preprocess.crop=none",
    "segmenter.channels=[4,8]",
    "segmenter.patch=[16,16,16]",
]
STRIPPER = [one.replace("segmenter", "skullstripper") for one in SEGMENTER]
NEW = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f", "seg": "seg"}


def patient(name):
    return name.rsplit("-", 1)[0]


@pytest.fixture
def visits(written, tmp_path):
    """Four patients of BraTS-GLI, the first three with two visits each; the phantoms are the same in all."""
    for number, folder in enumerate(sorted(written("brats").iterdir())):
        for visit in (0, 1) if number < 3 else (0,):
            name = f"BraTS-GLI-{number:05d}-{visit:03d}"
            (tmp_path / "visits" / name).mkdir(parents=True)
            for old, new in NEW.items():
                shutil.copy(
                    folder / f"{folder.name}_{old}.nii.gz",
                    tmp_path / "visits" / name / f"{name}-{new}.nii.gz",
                )
    return tmp_path / "visits"


def together(split):
    parts = [{patient(name) for name in part} for part in (split.train, split.val, split.test)]
    return not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


@pytest.mark.parametrize("seed", range(4))
def test_visits_of_brats_stay_on_one_side(visits, module, seed, caplog):
    caplog.set_level("INFO")
    data = module(visits, *SEGMENTER, f"seed={seed}", "data.labels=brats-2018")
    split = drawn(data)
    assert together(split)
    assert len(split.ids) == 7
    assert "7 scans of 4 patients; those of one patient stay together" in caplog.text
    assert data.facts["patients"] == 4


def drawn(data):
    """The split of all subjects that are found, none of which is read."""
    subjects = data.survey().subjects
    data._find_patients(subjects)
    return data.split_of(one.id for one in subjects)


def test_the_parts_of_a_prepared_run_are_those(visits, ready):
    data = ready(visits, *SEGMENTER, "data.labels=brats-2018")
    assert together(data.split)
    assert data.split == drawn(data)


def test_folds_hold_whole_patients_and_every_patient_once(visits, module):
    folds = [
        drawn(module(visits, *SEGMENTER, "data.folds=4", "data.labels=brats-2018", f"data.fold={k}"))
        for k in range(4)
    ]
    assert all(together(split) for split in folds)
    assert [len({patient(name) for name in split.val}) for split in folds] == [1] * 4
    assert sorted(name for split in folds for name in split.val) == sorted(folds[0].ids)


def test_more_folds_than_patients_are_refused_though_there_are_scans_enough(visits, module):
    with pytest.raises(
        DataError, match=r"data\.folds is 5, but there are 4 patients \(of 7 scans\): .*4 or less, or add pat"
    ):
        module(visits, *SEGMENTER, "data.folds=5").check_split()


@pytest.mark.parametrize(("data", "settings"), [("nfbs", STRIPPER), ("lgg", SEGMENTER)])
def test_visits_of_other_sets_stay_together_too(tmp_path, module, written, data, settings):
    root = tmp_path / "set"
    for name in ("p1/2019", "p1/2020", "p2/2019", "p2/2020", "p3/2020"):
        (root / name).mkdir(parents=True)
        stem = name.replace("/", "_week-")
        if data == "lgg":
            (root / stem).mkdir()
            for ending in ("_1.tif", "_1_mask.tif"):
                Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / stem / f"{stem}{ending}")
        else:
            source = sorted(written("nfbs").rglob("*_T1w.nii.gz"))[0]
            shutil.copy(source, root / name / "head_T1w.nii.gz")
    more = ["data=lgg", "segmenter.preprocess.modalities=[flair]"] if data == "lgg" else []
    split = drawn(module(root, *settings, *more))
    sides = [{name[:2] for name in part} for part in (split.train, split.val)]
    assert len(split.ids) == 5
    assert not sides[0] & sides[1]


def test_a_table_says_more_than_names_do(visits, module, tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("subject,group\nBraTS-GLI-00000-000,a\nBraTS-GLI-00003-000,a\n")
    data = module(visits, *SEGMENTER, "data.labels=brats-2018", f"data.groups={table}")
    drawn(data)
    groups = data.patients
    assert groups["BraTS-GLI-00000-001"] == groups["BraTS-GLI-00003-000"]
    table.write_text("id;patient\nx;1\n")
    with pytest.raises(
        DataError, match="names none of the 7 subjects, such as BraTS-GLI-00000-000; its column id"
    ):
        module(visits, *SEGMENTER, f"data.groups={table}").check_split()


def test_a_table_that_names_all_visits_of_a_patient_may_part_them():
    own = {"v1": "anonymous", "v2": "anonymous", "v3": "anonymous", "w": "w"}
    parted = patients_of(own, {"v1": "a", "v2": "b", "v3": "a"})
    assert parted == {"v1": "v1", "v2": "v2", "v3": "v1", "w": "w"}
    assert len(set(patients_of(own, {"v1": "a", "v2": "b"}).values())) == 2


def test_splits_of_data_without_visits_are_what_they_were():
    names = [f"s{k:03d}" for k in range(37)]
    for rule in (
        SplitRule(0.2, 0.1, None, 0, 3),
        *(SplitRule(0.2, 0.0, 5, k, 3) for k in range(5)),
    ):
        assert split_groups({n: n + "x" for n in names}, rule) == split_subjects(
            dict.fromkeys(names, ""), rule
        )


def test_shares_are_of_scans():
    groups = {f"p{k:02d}_{visit}": f"p{k:02d}" for k in range(40) for visit in range(1 + 4 * (k % 2))}
    split = split_groups(groups, SplitRule(0.2, 0.1, None, 0, 0))
    assert len(split.val) / len(groups) == pytest.approx(0.2, abs=0.03)
    assert len(split.test) / len(groups) == pytest.approx(0.1, abs=0.03)
