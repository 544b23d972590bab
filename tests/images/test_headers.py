"""Headers that contradict themselves or leave something open, and formats beside NIfTI."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nibabel.nifti1 import Nifti1Pair
from nibabel.spm99analyze import Spm99AnalyzeImage

from brainseg.config.errors import ImageError
from brainseg.images import nifti
from brainseg.images.layouts import find_subjects, load_subject
from brainseg.images.source import Source

TURNED = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.2, -0.1, 0.3) @ np.diag([2.0, 2, 3]), [-70, -90, 5]
)


@pytest.fixture
def head():
    """A bright ball in air, (72, 96, 40)."""
    x, y, z = np.ogrid[:72, :96, :40]
    inside = ((x - 36) / 28) ** 2 + ((y - 48) / 40) ** 2 + ((z - 20) / 15) ** 2 < 1
    values = np.random.default_rng(0).uniform(500, 900, inside.shape)
    return np.where(inside, values, 0).astype(np.float32)


@pytest.fixture
def put(tmp_path):
    """Write voxels with both forms as given, each (affine, code), and edit the header as bytes on disk."""

    def _put(array, s=(TURNED, 1), q=(TURNED, 1), unit="mm", **fields):
        image = nib.Nifti1Image(array, None)
        image.set_qform(*q)  # sets pixdim too
        image.set_sform(*s)
        image.header.set_xyzt_units(unit)
        path = tmp_path / "a.nii"
        nib.save(image, path)
        content = bytearray(path.read_bytes())
        header = np.frombuffer(content[:348], dtype=nib.nifti1.header_dtype).copy()
        for name, value in fields.items():
            header[0][name] = value
        path.write_bytes(header.tobytes() + bytes(content[348:]))
        return path

    return _put


def said(path):
    remarks = nifti.read(path).remarks
    assert all(remark.doubts_header for remark in remarks)
    return [remark.sentence for remark in remarks]


@pytest.mark.parametrize("s", [(TURNED, 1), (TURNED, 2), (None, 0)])
@pytest.mark.parametrize("q", [(TURNED, 1), (TURNED, 2)])
@pytest.mark.parametrize("unit", ["mm", "unknown"])
def test_a_header_in_order_has_no_fault(s, q, unit, put, head):
    assert said(put(head, s, q, unit)) == []


def test_a_header_with_an_s_form_alone_has_no_fault(put, head):
    assert said(put(head, q=(None, 0), pixdim=[1, 2, 2, 3, 1, 1, 1, 1])) == []


def test_an_s_form_without_the_voxel_size_is_a_fault(put, head):
    right = np.diag([0.866, 0.866, 0.866, 1])
    (one,) = said(put(head, s=(np.eye(4), 1), q=(right, 0)))
    assert "0.866 x 0.866 x 0.866 mm (pixdim) and 1 x 1 x 1 mm (s-form" in one
    assert "1.54 times" in one
    (same,) = said(put(head, s=(np.eye(4), 1), q=(right, 1)))  # one fault is not told twice
    assert same == one


def test_forms_that_contradict_are_a_fault(put, head):
    (flipped,) = said(put(head, q=(TURNED @ np.diag([-1, 1, 1, 1]), 1)))
    assert "two orientations, RAS (s-form, which is used) and LAS (q-form)" in flipped
    shifted = TURNED.copy()
    shifted[0, 3] += 30
    for code in (1, 2):
        (moved,) = said(put(head, q=(shifted, code)))
        assert "up to 30 mm apart" in moved


def test_a_sheared_s_form_is_a_fault(put, head):
    sheared = np.diag([2.0, 2, 3, 1])
    sheared[0, 1] = 0.2
    (one,) = said(put(head, s=(sheared, 1), q=(np.diag([2.0, 2, 3, 1]), 1)))
    assert "meet at 84.3 degrees" in one


def test_a_scan_without_a_place_is_a_fault(put, head):
    (one,) = said(put(head, s=(None, 0), q=(None, 0), pixdim=[1, 2, 2, 3, 1, 1, 1, 1]))
    assert "qform_code and sform_code are 0" in one
    assert "left and right may be exchanged" in one


@pytest.mark.parametrize(("factor", "unit"), [(0.001, "metres"), (1000.0, "microns")])
def test_voxels_without_a_unit_are_taken_in_the_one_that_makes_a_head(factor, unit, put, head):
    wrong = TURNED.copy()
    wrong[:3] *= factor
    path = put(head, (wrong, 1), (wrong, 1), "unknown")
    (one,) = said(path)
    assert f"without a unit (xyzt_units 0); they were taken as {unit}" in one
    np.testing.assert_allclose(nifti.read(path).grid.affine, TURNED, atol=1e-4)
    with pytest.raises(ImageError, match="where those of a head have"):
        nifti.read(put(head, (wrong, 1), (wrong, 1), "mm"))


def test_what_nibabel_mends_is_a_fault_of_this_file_and_not_a_line_without_name(put, head, caplog, capfd):
    sentences = said(put(head, pixdim=[1, 0, 2, 3, 1, 1, 1, 1]))
    assert any("pixdim[1,2,3] should be non-zero" in one for one in sentences)
    (one,) = said(put(head, qform_code=9))
    assert "qform_code 9 not valid" in one
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_nan_in_the_background_is_0_and_said(put, head):
    known = head.copy()
    for background in (np.nan, 0):
        head[known == 0] = background
        volume = nifti.read(put(head))
        np.testing.assert_array_equal(volume.data[0], known)
        assert len(volume.remarks) == (background != 0)
        assert not any(remark.doubts_header for remark in volume.remarks)


def test_nan_around_a_normalised_brain_is_background(put, head):
    brain = head != 0
    normal = np.where(brain, (head - head[brain].mean()) / head[brain].std(), np.nan)
    np.testing.assert_array_equal(nifti.read(put(normal)).data[0] == 0, ~brain)


@pytest.mark.parametrize(
    "lost",
    [np.s_[36, 48, 20], np.s_[:, :, 18:20], np.s_[30:34, 40:48, 10:20]],
    ids=["one", "slices", "block"],
)
def test_nan_in_the_head_is_refused(lost, put, head):
    head[head == 0] = np.nan
    head[lost] = np.nan
    with pytest.raises(ImageError, match="voxels are NaN or infinite"):
        nifti.read(put(head))


# Pairs


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("named", ["hdr", "img"])
def test_a_pair_is_read_by_either_name(named, packed, head, tmp_path):
    image = Nifti1Pair(head, TURNED)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a_t1.hdr")
    if packed:
        (tmp_path / "a_t1.img.gz").write_bytes(gzip.compress((tmp_path / "a_t1.img").read_bytes()))
        (tmp_path / "a_t1.img").unlink()
    if named == "img" and packed:
        named = "img.gz"
    volume = nifti.read(tmp_path / f"a_t1.{named}")
    np.testing.assert_array_equal(volume.data[0], head)
    np.testing.assert_allclose(volume.grid.affine, TURNED, atol=1e-5)
    assert volume.remarks == ()
    assert {path.name[:8] for path in Source(tmp_path / "a_t1.hdr").files} == {"a_t1.hdr", "a_t1.img"}
    nifti.write(tmp_path / "mask.nii.gz", head > 0, volume.grid)
    assert nifti.read_labels(tmp_path / "mask.nii.gz").grid.difference(volume.grid, 1e-6) is None
    assert nifti.stem(tmp_path / "a_t1.hdr") == nifti.stem(tmp_path / "a_t1.hdr.gz") == "a_t1"


def test_a_header_without_its_voxels_and_voxels_cut_off_are_named(head, tmp_path):
    nib.save(Nifti1Pair(head, TURNED), tmp_path / "a.hdr")
    whole = (tmp_path / "a.img").read_bytes()
    (tmp_path / "a.img").write_bytes(whole[:-100])
    with pytest.raises(ImageError, match=r"a\.img: ends before its last voxel"):
        nifti.read(tmp_path / "a.hdr")
    (tmp_path / "a.img").unlink()
    with pytest.raises(ImageError, match=r"a\.hdr: its voxels, a\.img, are not beside it"):
        nifti.read(tmp_path / "a.hdr")
    (tmp_path / "b.hdr").write_text("ENVI\nsamples = 3\n" * 30)
    with pytest.raises(ImageError, match=r"b\.hdr: is no header .* but text beginning 'ENVI"):
        nifti.read(tmp_path / "b.hdr")


@pytest.mark.parametrize("order", ["<", ">"])
def test_analyze_is_read_and_its_left_and_right_are_doubted(order, head, tmp_path):
    header = Spm99AnalyzeImage.header_class(endianness=order)
    image = Spm99AnalyzeImage(np.round(head).astype(np.int16), np.diag([2.0, 2, 3, 1]), header)
    image.to_filename(tmp_path / "a.hdr")
    (tmp_path / "a.mat").unlink(missing_ok=True)
    volume = nifti.read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(volume.data[0], np.round(head))
    assert volume.grid.spacing_mm == (2, 2, 3)
    assert volume.grid.placed is False
    (remark,) = volume.remarks
    assert "an Analyze file" in remark.sentence
    assert "left and right may be exchanged" in remark.sentence
    nifti.write(tmp_path / "mask.nii.gz", head > 0, volume.grid)
    assert nifti.read_labels(tmp_path / "mask.nii.gz").grid.difference(volume.grid, 1e-6) is None


# NRRD and MetaImage


def itk_image(array, affine=TURNED):
    image = sitk.GetImageFromArray(array.transpose(2, 1, 0))
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd"])
def test_nrrd_and_metaimage_lie_where_their_headers_say(name, head, tmp_path):
    sitk.WriteImage(itk_image(head), tmp_path / name, useCompression=name == "a.nrrd")
    volume = nifti.read(tmp_path / name)
    np.testing.assert_array_equal(volume.data[0], head)
    np.testing.assert_allclose(volume.grid.affine, TURNED, atol=1e-4)
    assert volume.remarks == ()
    assert len(Source(tmp_path / name).files) == (1 if name in ("a.nrrd", "a.mha") else 2)
    nifti.write(tmp_path / "mask.nii.gz", head > 0, volume.grid)
    assert nifti.read_labels(tmp_path / "mask.nii.gz").grid.difference(volume.grid, 1e-6) is None
    assert nifti.is_nifti(tmp_path / name)


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_a_file_of_itk_that_does_not_say_where_it_lies_is_doubted(ending, head, tmp_path):
    raw = head.astype("<f4").tobytes(order="F")
    (tmp_path / "a.nrrd").write_bytes(
        b"NRRD0004\ntype: float\ndimension: 3\nsizes: 72 96 40\nspacings: 2 2 3\nencoding: raw\n"
        b"endian: little\n\n" + raw
    )
    (tmp_path / "a.mha").write_bytes(
        b"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        b"DimSize = 72 96 40\nElementSpacing = 2 2 3\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"
        + raw
    )
    volume = nifti.read(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(volume.data[0], head)
    assert volume.grid.spacing_mm == (2, 2, 3)
    assert not volume.grid.placed
    assert "does not say where the head lies" in volume.remarks[0].sentence


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_files_of_itk_that_cannot_be_used_are_named_in_one_line(ending, head, tmp_path, capfd):
    path = tmp_path / f"a.{ending}"
    sitk.WriteImage(itk_image(head), path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ImageError, match=r"a\.\w+: cannot be read") as caught:
        nifti.read(path)
    assert "\n" not in str(caught.value)
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((9, 9, 9, 3), np.float32), isVector=True), path)
    with pytest.raises(ImageError, match="holds 3 values at each voxel"):
        nifti.read(path)
    path.write_text("no image")
    with pytest.raises(ImageError, match="cannot be read"):
        nifti.read(path)
    with pytest.raises(ImageError, match="no such file"):
        nifti.read(tmp_path / f"b.{ending}")
    sitk.WriteImage(itk_image(head, np.diag([20.0, 2, 3, 1])), path)
    with pytest.raises(ImageError, match="where a scanner has"):
        nifti.read(path)


@pytest.mark.data
def test_real_nrrd_is_the_same_as_its_nifti(real_data):
    folder = real_data / "odd" / "pyradiomics_brain"
    for path in sorted(folder.glob("brain?_image.nrrd")):
        one, other = nifti.read(path), nifti.read(next(folder.glob(f"nii/{path.name[:6]}/*_t1ce.nii.gz")))
        np.testing.assert_array_equal(one.data, other.data)
        assert one.grid.difference(other.grid) is None
        assert one.remarks == other.remarks == ()


@pytest.mark.data
def test_no_real_head_has_a_fault(real_data):
    scans = [
        *(real_data / "brats13").rglob("*.nii.gz"),
        *(real_data / "ixi").rglob("*.nii.gz"),
        *(real_data / "open_ms").rglob("*.nii.gz"),
    ]
    assert len(scans) > 50
    assert {path: said(path) for path in scans if "seg" not in path.name and "mask" not in path.name} == {
        path: [] for path in scans if "seg" not in path.name and "mask" not in path.name
    }


def test_a_folder_of_mixed_formats_is_one_subject(head, tmp_path):
    nib.save(Nifti1Pair(head, TURNED), tmp_path / "a_t1.hdr")
    sitk.WriteImage(itk_image(head), tmp_path / "a_flair.nrrd")
    sitk.WriteImage(itk_image(head), tmp_path / "a_t2.mha")
    (subject,) = find_subjects(tmp_path)
    assert (subject.id, list(subject.images)) == ("a", ["t1", "t2", "flair"])
    volume = load_subject(subject, ["t1", "t2", "flair"])
    assert volume.data.shape == (3, 72, 96, 40)
    assert volume.remarks == ()
