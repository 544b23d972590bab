"""Visits of one patient are known by names, folders and headers, in every way that data sets write them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from brainseg.images.layouts import survey

# Files without their ending, each the first image of a subject, by patient.
SAME = {
    "BraTS": [f"BraTS-GLI-00001-00{k}/BraTS-GLI-00001-00{k}-t1n" for k in (0, 1)],
    "BraTS in two folders": [f"{part}/BraTS-GLI-00001-00{k}/BraTS-GLI-00001-00{k}-t1n" for k, part in
                             enumerate(("Training", "Additional"))],
    "BraTS MEN-RT": [f"BraTS-MEN-RT-0001-{k}/BraTS-MEN-RT-0001-{k}_t1c" for k in (1, 2)],
    "UCSF-PDGM": ["a_nifti/UCSF-PDGM-0004_T1", "b_nifti/UCSF-PDGM-0004_FU001d_T1"],
    "UCSF-BMSR": ["100101A/100101A_T1pre", "100101A/100101A_FLAIR", "100101B/100101B_T1pre"],
    "UCSD-PTGBM": [f"UCSD-PTGBM-0001_0{k}/UCSD-PTGBM-0001_0{k}_T1post" for k in (1, 2)],
    "UCSF-ALPTDG": [f"100001/100001_time{k}_t1ce" for k in (1, 2)],
    "UPENN-GBM": [f"UPENN-GBM-00001_{k}/UPENN-GBM-00001_{k}_T1" for k in (11, 21)],
    "LUMIERE": [f"Imaging/Patient-001/week-{k}/T1" for k in ("000-1", "044")],
    "MU-Glioma-Post": [f"PatientID_0003/Timepoint_{k}/PatientID_0003_Timepoint_{k}_brain_t1n"
                       for k in (1, 2)],
    "RHUH-GBM": [f"RHUH-0001/{k}/RHUH-0001_{k}_t1" for k in (0, 2)],
    "Yale": [f"YG_0A1B2C/{d}/YG_0A1B2C_{d}_PRE" for d in ("2013-06-27", "2014-01-05")],
    "BIDS": [f"sub-01/ses-{k}/anat/sub-01_ses-{k}_T1w" for k in (1, 2)],
    "folders of years": ["p1/2019/t1", "p1/2020/t1"],
    "folders of years above": ["2019/p1/t1", "2020/p1/t1"],
    "folders of sequences in them": ["p1/2019/T1/scan", "p1/2020/FLAIR/scan"],
    "names of weeks": ["p1_week-000_t1", "p1_week-044_t1"],
    "dates": ["p1_20190401_t1", "p1_20200512_t1"],
    "before and after": ["p1_baseline_t1", "p1_followup2_t1"],
    "said before": ["preop_p1_t1", "postop_p1_t1"],
    "dates of dcm2niix": ["head_t1_mprage_sag_20200101_5", "head_t1_mprage_sag_20210101_5"],
}  # fmt: skip
DIFFERENT = {
    "NFBS": [f"A000{k}/sub-A000{k}_ses-NFB3_T1w" for k in (28185, 28352)],
    "BraTS 2018": [f"HGG/Brats18_TCIA_{k}_1/Brats18_TCIA_{k}_1_t1" for k in (101, 102)],
    "BraTS 2021": [f"BraTS2021_0000{k}/BraTS2021_0000{k}_t1" for k in (0, 2)],
    "numbers like years": ["case_2010_t1", "case_2011_t1"],
    "scans by the hundred": [f"train/scan_{k:03d}/t1" for k in (1, 2)],
    "visits and no patient": ["visit1/t1", "visit2/t1"],
    "one name at two hospitals": ["a/p1/p1_t1", "b/p1/p1_t1"],
    "BIDS of two data sets": [f"{k}/sub-01/anat/sub-01_T1w" for k in "ab"],
}


@pytest.fixture
def patients(tmp_path):
    """The patients of the subjects that such files make."""

    def _patients(names):
        rng = np.random.default_rng(0)
        for name in names:
            path = Path(tmp_path / "set" / f"{name}.nii.gz")
            path.parent.mkdir(parents=True, exist_ok=True)
            voxels = rng.integers(1, 900, (4, 4, 4)).astype(np.int16)
            nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
        return [one.patient for one in survey(tmp_path / "set").subjects]

    return _patients


@pytest.mark.parametrize("way", SAME)
def test_visits_of_one_patient_are_known(patients, way):
    found = patients(SAME[way])
    assert len(found) == 2
    assert len(set(found)) == 1


@pytest.mark.parametrize("way", DIFFERENT)
def test_what_says_no_patient_is_one_of_its_own(patients, way):
    found = patients(DIFFERENT[way])
    assert len(found) == len(set(found)) == 2
