"""data=volumes: a folder for each class, or a column of participants.tsv; stratified, by patient, audited."""

import shutil

import numpy as np
import pytest

from brainseg.config import check
from brainseg.config.errors import DataError
from brainseg.data import composed_data
from brainseg.data.same_scans import same_scans, sentences
from brainseg.data.scan_types import type_of
from brainseg.images import nifti
from brainseg.phantom import write_cohort

SMALL = [
    "model=volume_classifier",
    "data=volumes",
    "data.val_share=0.5",
    "data.workers=0",
    "volume_classifier.preprocess.spacing_mm=[8,8,8]",
    "volume_classifier.side=24",
    "volume_classifier.channels=[4,8]",
    "volume_classifier.batch_size=2",
]


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    """Two stripped phantoms of each type, in a folder for each."""
    root = tmp_path_factory.mktemp("typed") / "types"
    write_cohort(root, layout="types", subjects=8, seed=0, spacing_mm=8.0)
    return root


@pytest.fixture
def volumes(composed, tmp_path):
    def _volumes(root, *overrides: str):
        cfg = composed(*SMALL, f"data.root={root}", f"paths.cache={tmp_path / 'cache'}", *overrides)
        check(cfg)
        data = composed_data(cfg)
        data.check_split()
        data.prepare_data()
        data.setup("fit")
        return data

    return _volumes


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("glioma", "glioma"), ("BraTS-GLI", "glioma"), ("meningioma_tumor", "meningioma"),
        ("healthy", "notumor"), ("no_tumor", "notumor"), ("Pituitary", "pituitary"), ("imagesTr", None),
    ],
)  # fmt: skip
def test_folders_and_tables_call_types_by_many_names(word, kind):
    assert type_of(word) == kind


def test_each_part_has_each_class(volumes, cohort):
    data = volumes(cohort)
    assert data.facts["train_types"] == data.facts["val_types"] == dict.fromkeys(data.recipe.classes, 1)
    x, y = next(iter(data.train_dataloader()))
    assert x.shape == (2, 4, 24, 24, 24)
    assert set(y.tolist()) <= {0, 1, 2, 3}


def test_folders_of_other_names_are_found_and_classes_may_be_fewer(volumes, cohort, tmp_path):
    for old, new in (("glioma", "BraTS-GLI"), ("notumor", "healthy")):
        shutil.copytree(cohort / old, tmp_path / "own" / new)
    (tmp_path / "own" / "notes").mkdir()
    data = volumes(tmp_path / "own", "volume_classifier.classes=[glioma,notumor]")
    assert sorted(set(data.types.values())) == ["glioma", "notumor"]


def test_a_class_without_a_folder_is_named(volumes, cohort, tmp_path):
    shutil.copytree(cohort / "glioma", tmp_path / "own" / "glioma")
    with pytest.raises(DataError, match=r"no folder for class meningioma .*data\.label"):
        volumes(tmp_path / "own")
    (tmp_path / "own" / "meningioma").mkdir()
    with pytest.raises(DataError, match=r"class folder .*meningioma.*no scan found"):
        volumes(tmp_path / "own", "volume_classifier.classes=[glioma,meningioma]")


def test_a_column_of_participants_says_the_type(volumes, cohort, tmp_path):
    root, rows = tmp_path / "flat", ["participant_id\ttumor_type"]
    for kind in ("glioma", "notumor"):
        for subject in (cohort / kind).iterdir():
            shutil.copytree(subject, root / subject.name)
            rows.append(f"{subject.name}\t{'healthy' if kind == 'notumor' else 'Glioma'}")
    two = "volume_classifier.classes=[glioma,notumor]"
    with pytest.raises(DataError, match=r"participants.tsv: no such file"):
        volumes(root, "data.label=tumor_type", two)
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    data = volumes(root, "data.label=tumor_type", two)
    assert sorted(data.types.values()) == ["glioma", "glioma", "notumor", "notumor"]
    with pytest.raises(DataError, match="it has participant_id, tumor_type"):
        volumes(root, "data.label=diagnosis", two)
    with pytest.raises(DataError, match="has meningioma in its column tumor_type, which holds Gli"):
        volumes(root, "data.label=tumor_type", "volume_classifier.classes=[glioma,meningioma]")


def test_a_whole_head_without_a_mask_is_refused_and_one_with_a_mask_is_cut_out(volumes, cohort, tmp_path):
    shutil.copytree(cohort / "glioma", tmp_path / "own" / "glioma")
    write_cohort(tmp_path / "nfbs", layout="nfbs", subjects=2, seed=1, spacing_mm=8.0, types=["notumor"])
    shutil.copytree(tmp_path / "nfbs", tmp_path / "own" / "notumor")
    two = "volume_classifier.classes=[glioma,notumor]"
    data = volumes(tmp_path / "own", two)
    image = next(one["image"] for name, one in data.arrays.items() if name.startswith("notumor"))
    assert image[0].any(), "t1 is there"
    assert not image[1:].any(), "the others are not"
    assert (image[0] != 0).mean() < 0.9, "the skull is cut off"
    for mask in (tmp_path / "own").rglob("*_brainmask.nii.gz"):
        mask.unlink()
    for brain in (tmp_path / "own").rglob("*_brain.nii.gz"):
        brain.unlink()
    with pytest.raises(DataError, match="shows the skull and has no brain mask"):
        volumes(tmp_path / "own", two)


def test_visits_of_a_patient_stay_together(volumes, cohort, tmp_path):
    for kind in ("glioma", "notumor"):
        for k, subject in enumerate(sorted((cohort / kind).iterdir())):
            for visit in ("ses-1", "ses-2"):
                folder = tmp_path / "own" / kind / f"sub-{kind[0]}{k}" / visit / "anat"
                folder.mkdir(parents=True)
                shutil.copy(
                    next(subject.glob("*_t1.nii.gz")), folder / f"sub-{kind[0]}{k}_{visit}_T1w.nii.gz"
                )
    data = volumes(tmp_path / "own", "volume_classifier.classes=[glioma,notumor]")
    parts = {part: {data.patients[name] for name in names} for part, names in data.split.as_dict().items()}
    assert len(data.split.train) == len(data.split.val) == 4
    assert not parts["train"] & parts["val"]


def test_the_same_scan_under_two_classes_is_found_in_any_file(volumes, cohort, tmp_path):
    for kind in ("glioma", "notumor"):
        shutil.copytree(cohort / kind, tmp_path / "own" / kind)
    data = volumes(tmp_path / "own", "volume_classifier.classes=[glioma,notumor]")
    assert same_scans(data.found_subjects()) == []
    source = next((cohort / "glioma").rglob("*_t1.nii.gz"))
    scan = nifti.read(source)
    flipped = np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = scan.grid.shape[0] - 1
    copy = tmp_path / "own" / "notumor" / "other" / "other_t1.nii"
    copy.parent.mkdir()
    grid = type(scan.grid)(scan.grid.shape, scan.grid.affine @ flipped)
    nifti.write(copy, scan.data[0, ::-1].astype(np.float32), grid)
    data = volumes(tmp_path / "own", "volume_classifier.classes=[glioma,notumor]")
    said = sentences(data.found_subjects(), data.types)
    assert "1 of them under two classes" in said[0]
    assert "(glioma, t1)" in said[1]
    assert "(notumor, t1)" in said[1]


def test_any_sequence_is_drawn_of_those_that_are_there(volumes, cohort):
    one = ["volume_classifier.preprocess.modalities=[any]", "volume_classifier.subset_share=0"]
    data = volumes(cohort, *one)
    x, _ = next(iter(data.train_dataloader()))
    assert x.shape[1] == 1
    assert x.flatten(1).any(dim=1).all()
