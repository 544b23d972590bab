"""Public data sets by the names that they are published with, made of phantoms."""

import nibabel as nib
import numpy as np
import pytest

from brainseg.images.layouts import load_subject, survey
from brainseg.images.nifti import read_labels

ALL = ["t1", "t1ce", "t2", "flair"]
NEW = ("t1n", "t1c", "t2w", "t2f", "seg")


def brats(code):
    return [f"BraTS-{code}-00001-000/BraTS-{code}-00001-000-{word}" for word in NEW]


P = "UCSF-PDGM-0004_nifti/UCSF-PDGM-0004"
U = "UPENN-GBM-00001_11"
MU = "PatientID_0003/Timepoint_1/PatientID_0003_Timepoint_1"
LUMIERE = "Imaging/Patient-001/week-000-1"
# Files, the one subject, its sequences, its truth, its tumour type and its layout.
SETS = {
    "BraTS 2018": (
        [f"HGG/Brats18_X_1/Brats18_X_1_{word}" for word in ("t1", "t1ce", "t2", "flair", "seg")],
        *("Brats18_X_1", ALL, "seg", "glioma", "brats-2018"),
    ),
    "BraTS 2021": (
        [f"BraTS2021_00001/BraTS2021_00001_{word}" for word in ("t1", "t1ce", "t2", "flair", "seg")],
        *("BraTS2021_00001", ALL, "seg", "glioma", "brats-2018"),
    ),
    **{
        f"BraTS {code}": (brats(code), f"BraTS-{code}-00001-000", ALL, "seg", kind, "brats-2023")
        for code, kind in (
            *(("GLI", "glioma"), ("MEN", "meningioma"), ("MET", None)),
            *(("PED", "glioma"), ("SSA", "glioma"), ("GoAT", None)),
        )
    },
    "BraTS MEN-RT": (
        [f"BraTS-MEN-RT-0001-1/BraTS-MEN-RT-0001-1_{word}" for word in ("t1c", "gtv")],
        *("BraTS-MEN-RT-0001-1", ["t1ce"], "gtv", "meningioma", "loose"),
    ),
    "UCSF-PDGM": (
        [f"{P}_{w}" for w in ("T1", "T1c", "T2", "FLAIR", "T1_bias", "T1c_bias", "T2_bias", "FLAIR_bias")]
        + [f"{P}_{w}" for w in ("SWI", "SWI_bias", "DWI", "ADC", "ASL", "DTI_eddy_FA", "tumor_segmentation")]
        + [f"{P}_{w}" for w in ("brain_segmentation", "brain_parenchyma_segmentation")],
        *("UCSF-PDGM-0004", ALL, "tumor_segmentation", "glioma", "brats-2018"),
    ),
    "UCSF-BMSR": (
        [f"100101A/100101A_{w}" for w in ("T1pre", "T1post", "FLAIR", "T2Synth", "subtraction", "seg")]
        + ["100101A/100101A_BraTS-seg"],
        *("100101A", ALL, "BraTS-seg", None, "brats-2023"),
    ),
    "UPENN-GBM": (
        [f"images_structural/{U}/{U}_{w}" for w in ("T1", "T1GD", "T2", "FLAIR")]
        + [f"images_structural_unstripped/{U}/{U}_{w}_unstripped" for w in ("T1", "T1GD", "T2", "FLAIR")]
        + [f"images_DTI/images_DTI/{U}/{U}_DTI_FA", f"images_segm/{U}_segm"]
        + [f"automated_segm/{U}_automated_approx_segm"],
        *(U, ALL, "segm", "glioma", "brats-2018"),
    ),
    "LUMIERE": (
        [f"{LUMIERE}/{w}" for w in ("T1", "CT1", "T2", "FLAIR")]
        + [f"{LUMIERE}/DeepBraTumIA-segmentation/atlas/skull_strip/{w}_skull_strip" for w in ("t1", "ct1")]
        + [f"{LUMIERE}/DeepBraTumIA-segmentation/atlas/segmentation/seg_mask"]
        + [f"{LUMIERE}/HD-GLIO-AUTO-segmentation/native/segmentation_CT1_origspace"]
        + [f"{LUMIERE}/HD-GLIO-AUTO-segmentation/registered/T1_r2s_bet_reg"],
        *("Patient-001_week-000-1", ALL, None, "glioma", "loose"),
    ),
    "MU-Glioma-Post": (
        [f"{MU}_{w}" for w in ("brain_t1n", "brain_t1c", "brain_t2w", "brain_t2f", "tumorMask")],
        *("PatientID_0003_Timepoint_1", ALL, "tumorMask", "glioma", "brats-2023"),
    ),
    "RHUH-GBM": (
        [f"RHUH-0001/0/RHUH-0001_0_{w}" for w in ("t1", "t1ce", "t2", "flair", "adc", "segmentations")],
        *("RHUH-0001_0", ALL, "segmentations", "glioma", "loose"),
    ),
    "EGD": (
        [f"EGD-0001/{w}" for w in ("1_T1/NIFTI/T1", "2_T1GD/NIFTI/T1GD", "3_T2/NIFTI/T2")]
        + [f"EGD-0001/{w}" for w in ("4_FLAIR/NIFTI/FLAIR", "5_MASK/NIFTI/MASK")],
        *("EGD-0001", ALL, "MASK", "glioma", "loose"),
    ),
    "Yale-Brain-Mets": (
        [f"YG_0A1B2C/2013-06-27/YG_0A1B2C_2013-06-27_{w}" for w in ("PRE", "POST", "T2", "FLAIR")],
        *("YG_0A1B2C_2013-06-27", ALL, None, None, "loose"),
    ),
    "BraTS-Toolkit": (
        [f"X7/hdbet_brats-space/X7_hdbet_brats_{w}" for w in ("t1", "t1c", "t2", "fla")],
        *("X7", ALL, None, None, "loose"),
    ),
}


@pytest.fixture
def published(tmp_path):
    """Write small phantoms under the names of a set: scans of many values, label maps and masks of few."""

    def _write(names):
        rng = np.random.default_rng(0)
        for k, name in enumerate(names):
            path = tmp_path / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            is_label = "seg" in name.lower().split("/")[-1] or name.endswith(("gtv", "MASK", "tumorMask"))
            voxels = rng.integers(0, 2, (4, 4, 4)) if is_label else rng.integers(1, 900, (4, 4, 4)) + k
            nib.save(nib.Nifti1Image(voxels.astype(np.int16), np.diag([-1.0, -1.0, 1.0, 1.0])), path)
        return tmp_path

    return _write


@pytest.mark.parametrize("name", SETS)
def test_a_public_set_is_read_by_its_names(name, published):
    names, identity, sequences, truth, tumor_type, layout = SETS[name]
    root = published(names)
    found = survey(root)
    (subject,) = found.subjects
    assert (subject.id, list(subject.images)) == (identity, sequences)
    assert (subject.truth.name if subject.truth else None) == (
        truth and next(f"{n.split('/')[-1]}.nii.gz" for n in names if n.endswith(f"_{truth}") or n.endswith(
            (f"-{truth}", f"/{truth}")))
    )  # fmt: skip
    assert (subject.tumor_type, subject.layout) == (tumor_type, layout)
    assert (subject.fault, subject.warnings) == (None, ())
    assert load_subject(subject, sequences).data.shape == (len(sequences), 4, 4, 4)
    if subject.truth is not None:
        assert read_labels(subject.truth).data.max() == 1
    assert sum(len(one.paths) for one in found.fates) == len(names)
    used = [one for one in found.fates if one.role in ALL]
    assert len(used) == len(sequences)


def test_which_of_two_goes_first_and_why_the_rest_is_left_out(published):
    root = published(SETS["UCSF-PDGM"][0])
    (subject,) = survey(root).subjects
    assert subject.brain_mask.name == "UCSF-PDGM-0004_brain_segmentation.nii.gz"
    said = {file.name: one.why for one in survey(root).fates for file in one.paths}
    assert said["UCSF-PDGM-0004_T1_bias.nii.gz"] == "UCSF-PDGM-0004_T1.nii.gz goes first as the t1"
    assert said["UCSF-PDGM-0004_ADC.nii.gz"] == "ADC of UCSF-PDGM is no scan that is used"


def test_what_stands_back_is_taken_where_it_is_alone(published):
    (subject,) = survey(published([f"{P}_T1_bias", f"{P}_FLAIR_bias"])).subjects
    assert list(subject.images) == ["t1", "flair"]


def test_visits_of_public_patients_stay_apart(published):
    names = [f"Patient-{p}/week-{w}/{q}" for p, w in (("01", "000"), ("01", "044"), ("02", "000")) for q in
             ("T1", "CT1")]  # fmt: skip
    ids = [one.id for one in survey(published(names)).subjects]
    assert ids == ["Patient-01_week-000", "Patient-01_week-044", "Patient-02_week-000"]
