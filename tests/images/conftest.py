import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def scan():
    """A small scan of non-constant float32 voxels, (5, 6, 7)."""
    return np.arange(5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7)


@pytest.fixture
def save(tmp_path):
    """Write an array to a NIfTI file and give its path; the affine is 1 x 2 x 3 mm in LPS unless given."""

    def _save(name, array, affine=None, *, sform=1, qform=1, image_class=nib.Nifti1Image):
        affine = np.diag([-1.0, -2.0, 3.0, 1.0]) if affine is None else affine
        image = image_class(array, affine)
        image.set_sform(affine, sform)
        image.set_qform(affine, qform)
        image.header.set_xyzt_units("mm", "sec")
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(image, path)
        return path

    return _save


@pytest.fixture
def touch(tmp_path):
    """Make empty files, for readers of names."""

    def _touch(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return _touch
