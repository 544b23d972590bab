"""NFBS from files to batches, and faults that are named."""

import nibabel as nib
import numpy as np
import pytest

from brainseg.config.errors import DataError

STRIPPER = [
    "model=skullstripper",
    "skullstripper.net=unet",
    "skullstripper.channels=[4,8]",
    "skullstripper.preprocess.spacing_mm=[6,6,6]",
    "skullstripper.patch=[16,16,16]",
]
FOLDER = "A00028187"
SUBJECT = f"sub-{FOLDER}_ses-NFB3"


def mask_of(root):
    return root / FOLDER / f"{SUBJECT}_T1w_brainmask.nii.gz"


def test_a_cohort_becomes_patches_with_the_brain_as_published(cohort, ready):
    root = cohort("nfbs")
    data = ready(root, *STRIPPER)
    assert (len(data.split.train), len(data.split.val)) == (3, 1)
    images, masks = next(iter(data.train_dataloader()))
    assert images.shape == (2, 1, 16, 16, 16)
    assert masks.shape == (2, 16, 16, 16)
    # The heads are already at 6 mm, so nothing but turning to RAS and cropping happens to the mask.
    published = np.asarray(nib.load(mask_of(root)).dataobj).sum()
    assert data.arrays[SUBJECT]["truth"].sum() == pytest.approx(published, rel=0.02)


def remasked(root, change):
    mask = nib.load(mask_of(root))
    nib.save(nib.Nifti1Image(change(np.asarray(mask.dataobj)), mask.affine), mask_of(root))


FAULTS = {
    "no mask": (lambda root: mask_of(root).unlink(), r"no brain mask \(\*_brainmask\.nii\.gz\)"),
    "empty mask": (
        lambda root: remasked(root, lambda m: m * 0),
        "has no voxel in it; a brain mask cannot be",
    ),
    "another grid": (lambda root: remasked(root, lambda m: m[1:]), "does not lie on the grid of"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_head_is_named_with_its_fault(cohort, module, fault):
    damage, message = FAULTS[fault]
    root = cohort("nfbs")
    damage(root)
    with pytest.raises(DataError, match=f"^1 of 4 subjects cannot be used: {SUBJECT}: .*{message}"):
        module(root, *STRIPPER).prepare_data()


def test_landmarks_are_learnt_from_the_training_part_alone_and_travel_with_the_run(cohort, ready):
    root = cohort("nfbs")
    how = [*STRIPPER, "skullstripper.preprocess.intensity=landmarks"]
    data = ready(root, *how)
    (learnt,) = data.facts["landmarks"]
    assert (learnt[0], learnt[-1]) == pytest.approx((0, 100))
    assert learnt == sorted(learnt)
    (held_out,) = data.split.val
    for part, changes in ((held_out, False), (data.split.train[0], True)):
        folder = root / part.removeprefix("sub-").removesuffix("_ses-NFB3")
        scan = nib.load(folder / f"{part}_T1w.nii.gz")
        bent = np.asarray(scan.dataobj).astype(np.float32) ** 2
        nib.save(nib.Nifti1Image(bent, scan.affine), folder / f"{part}_T1w.nii.gz")
        (now,) = ready(root, *how).facts["landmarks"]
        assert (now != learnt) == changes


def test_the_original_split_can_be_asked_for(cohort, ready, module):
    root = cohort("nfbs")
    data = ready(root, *STRIPPER, "data.split=original")
    assert (len(data.split.train), len(data.split.val)) == (3, 1)
    for overrides, said in (
        (["data.split=mine"], r"data\.split must be random or original, got mine"),
        (["data.split=original", "data.folds=2"], r"has neither folds nor a test part"),
    ):
        with pytest.raises(Exception, match=said):
            module(root, *STRIPPER, *overrides)


def test_a_header_that_lies_is_named_when_its_head_is_prepared(cohort, module, caplog):
    root = cohort("nfbs")
    for path in (mask_of(root), mask_of(root).with_name(f"{SUBJECT}_T1w.nii.gz")):
        image = nib.load(path)
        image.set_sform(image.affine @ np.diag([1.1, 1, 1, 1]), 1)
        image.set_qform(None, 0)
        nib.save(image, path)
    module(root, *STRIPPER).prepare_data()
    (said,) = [one.message for one in caplog.records if one.levelname == "WARNING"]
    assert said.startswith(f"{SUBJECT}: the header gives two voxel sizes")
