"""One head, in each of the 48 ways in which its files may be stored."""

from pathlib import Path

import nibabel as nib
import numpy as np

from brainseg.phantom import write_cohort


def oblong_head(folder: Path) -> Path:
    """A patient's four sequences in RAS, voxels of 4.5 x 5 x 5.5 mm."""
    write_cohort(folder, layout="bids", subjects=1, seed=12, spacing_mm=5.0, types=["glioma"])
    for path in folder.glob("sub-001/anat/*.nii.gz"):
        scan = nib.load(path)
        affine = scan.affine @ np.diag([0.9, 1.0, 1.1, 1.0])
        nib.save(nib.Nifti1Image(np.asarray(scan.dataobj), affine), path)
    return folder / "sub-001"


def stored_as(orientation: str, head: Path, folder: Path) -> Path:
    """The head's files once more, with their axes in this order and direction."""
    for path in head.glob("anat/*.nii.gz"):
        scan = nib.load(path)
        turns = nib.orientations.ornt_transform(
            nib.io_orientation(scan.affine), nib.orientations.axcodes2ornt(tuple(orientation))
        )
        (folder / "anat").mkdir(parents=True, exist_ok=True)
        nib.save(scan.as_reoriented(turns), folder / "anat" / path.name)
    return folder
