import errno
import gzip
import subprocess
import sys
import textwrap

import nibabel as nib
import numpy as np
import pytest

from brainseg.config.errors import GeometryError, ImageError, LabelError
from brainseg.images import nifti
from brainseg.images.volume import Grid


def test_reading_gives_voxels_float32_with_slope_and_intercept_applied(tmp_path):
    image = nib.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    nib.save(image, tmp_path / "a.nii.gz")
    volume = nifti.read(tmp_path / "a.nii.gz")
    assert volume.data.dtype == np.float32
    assert volume.data.shape == (1, 2, 2, 2)
    assert volume.data.ravel().tolist() == [10, 10.5, 11, 11.5, 12, 12.5, 13, 13.5]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image])
def test_both_versions_of_nifti_are_read_and_written_back_in_place(name, image_class, save, scan, tmp_path):
    path = save(name, scan, image_class=image_class)
    volume = nifti.read(path)
    assert volume.grid.orientation == "LPS"
    np.testing.assert_array_equal(volume.data[0], scan)
    assert nifti.read_labels(path).grid.difference(volume.grid, 1e-9) is None
    nifti.write(tmp_path / f"out_{name}", volume.data[0], volume.grid)
    assert nifti.read(tmp_path / f"out_{name}").grid.difference(volume.grid, 1e-9) is None


def test_a_packed_file_named_nii_and_the_reverse_are_read_by_their_content(save, scan, tmp_path):
    (tmp_path / "b.nii").write_bytes(save("a.nii.gz", scan).read_bytes())
    (tmp_path / "d.nii.gz").write_bytes(save("c.nii", scan).read_bytes())
    for name in ("b.nii", "d.nii.gz"):
        np.testing.assert_array_equal(nifti.read(tmp_path / name).data[0], scan)
        assert nifti.read_labels(tmp_path / name).grid.shape == (5, 6, 7)


@pytest.mark.parametrize("shape", [(5, 6, 7, 1), (5, 6, 7, 1, 1)])
def test_a_trailing_axis_of_one_is_squeezed_and_written_back_without(shape, save, scan, tmp_path):
    volume = nifti.read(save("a.nii.gz", scan.reshape(shape)))
    assert volume.data.shape == (1, 5, 6, 7)
    nifti.write(tmp_path / "b.nii.gz", volume.data[0] > 3, volume.grid)
    assert nib.load(tmp_path / "b.nii.gz").shape == (5, 6, 7)


def test_a_channel_of_a_four_dimensional_file(save, scan):
    path = save("a.nii.gz", np.stack([scan, scan + 1000], axis=-1))
    np.testing.assert_array_equal(nifti.read(path, channel=1).data[0], scan + 1000)
    with pytest.raises(ImageError, match=r"holds 2 volumes .*name the channel, 0 to 1"):
        nifti.read(path)
    with pytest.raises(ImageError, match=r"no channel 2; .* channels are 0 to 1"):
        nifti.read(path, channel=2)


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (2, 0), (0, 1), (4, 1), (0, 0)])
def test_what_is_written_lies_exactly_where_the_scan_lies(sform, qform, save, scan, tmp_path):
    rotation = nib.eulerangles.euler2mat(0.2, -0.1, 0.3) @ np.diag([0.7, 1.1, 3.3])
    path = save("a.nii.gz", scan, nib.affines.from_matvec(rotation, [1, 2, 3]), sform=sform, qform=qform)
    nifti.write(tmp_path / "mask.nii.gz", scan > 9, nifti.read(path).grid)
    before, after = nib.load(path), nib.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(after.affine, before.affine)
    for form in ("sform", "qform"):
        old, new = (getattr(image.header, f"get_{form}")(coded=True) for image in (before, after))
        assert old[1] == new[1] == {"sform": sform, "qform": qform}[form]
        if old[1]:
            np.testing.assert_array_equal(old[0], new[0])
    assert after.header.get_xyzt_units() == ("mm", "sec")
    assert after.get_data_dtype() == np.uint8
    assert (after.dataobj.slope, after.dataobj.inter) == (1, 0)


def test_q_form_and_s_form_that_differ_are_both_kept(save, scan, tmp_path):
    image = nib.load(save("a.nii.gz", scan))
    image.set_qform(np.diag([1.0, 1.0, 1.0, 1]), 2)
    image.set_sform(np.diag([-1.0, -1.0, 2.0, 1]), 4)
    nib.save(image, tmp_path / "b.nii.gz")
    nifti.write(tmp_path / "c.nii.gz", scan, nifti.read(tmp_path / "b.nii.gz").grid)
    written = nib.load(tmp_path / "c.nii.gz").header
    np.testing.assert_array_equal(written.get_sform(), np.diag([-1, -1, 2, 1]))
    np.testing.assert_array_equal(written.get_qform(), np.diag([1, 1, 1, 1]))


def test_a_scan_that_does_not_say_where_it_lies_is_read_and_told_apart(save, scan):
    assert nifti.read(save("a.nii.gz", scan, sform=0, qform=0)).grid.placed is False
    assert nifti.read(save("b.nii.gz", scan, sform=0, qform=1)).grid.placed is True


def test_free_text_of_the_scan_is_not_carried_into_results(save, scan, tmp_path):
    image = nib.load(save("a.nii.gz", scan))
    image.header["descrip"] = b"Jane Doe 1970"
    nib.save(image, tmp_path / "b.nii.gz")
    nifti.write(tmp_path / "c.nii", scan, nifti.read(tmp_path / "b.nii.gz").grid)
    assert b"Jane" not in (tmp_path / "c.nii").read_bytes()


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_the_dtype_is_kept_and_bool_becomes_uint8(dtype, scan, tmp_path):
    array = (scan > 9).astype(dtype)
    nifti.write(tmp_path / "a.nii.gz", array, Grid(scan.shape, np.eye(4)))
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == (np.uint8 if dtype is np.bool_ else dtype)
    np.testing.assert_array_equal(np.asarray(image.dataobj), array)


def test_probabilities_of_k_classes_become_the_fourth_axis(save, scan, tmp_path):
    grid = nifti.read(save("a.nii.gz", scan)).grid
    nifti.write(tmp_path / "p.nii.gz", np.stack([scan, 2 * scan]), grid)
    image = nib.load(tmp_path / "p.nii.gz")
    assert image.shape == (5, 6, 7, 2)
    np.testing.assert_array_equal(image.affine, grid.affine)
    np.testing.assert_array_equal(np.asarray(image.dataobj)[..., 1], 2 * scan)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", ">f4", "f8", "i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_holds_byte_for_byte_what_nibabel_writes(name, dtype, order, save, scan, tmp_path):
    """However the array lies in memory; four-dimensional ones too."""
    grid = nifti.read(save("scan.nii.gz", scan, sform=1, qform=1)).grid
    for array in (scan, np.stack([scan, scan + 1, 2 * scan])):
        array = np.asarray(array.astype(dtype), order=order)
        nifti.write(tmp_path / name, array, grid)
        native = array.astype(array.dtype.newbyteorder("="))
        voxels = native if array.ndim == 3 else np.moveaxis(native, 0, -1)
        image = nib.Nifti1Image(voxels, grid.affine, dtype=native.dtype)
        for field in nifti._PLACE_FIELDS:
            image.header[field] = grid.header[field]
        image.header["pixdim"][4:] = 1
        image.header.set_slope_inter(1, 0)
        content = (tmp_path / name).read_bytes()
        assert (gzip.decompress(content) if name.endswith(".gz") else content) == image.to_bytes()


def test_the_same_content_is_packed_into_the_same_bytes(scan, tmp_path):
    grid = Grid(scan.shape, np.eye(4))
    for name in ("a.nii.gz", "b.nii.gz"):
        nifti.write(tmp_path / name, scan, grid)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert (tmp_path / "a.nii.gz").read_bytes()[3:8] == bytes(5)  # no name, no time


def test_writing_off_the_grid_another_extension_or_dtype_is_refused(scan, tmp_path):
    grid = Grid(scan.shape, np.eye(4))
    with pytest.raises(GeometryError, match=r"array is \(5, 6, 6\) but the grid is \(5, 6, 7\)"):
        nifti.write(tmp_path / "a.nii.gz", scan[..., :-1], grid)
    with pytest.raises(ImageError, match=r"a.mgz: the name must end with .nii or .nii.gz"):
        nifti.write(tmp_path / "a.mgz", scan, grid)
    with pytest.raises(ImageError, match=r"NIfTI has no float16; convert"):
        nifti.write(tmp_path / "a.nii.gz", scan.astype(np.float16), grid)
    assert list(tmp_path.iterdir()) == []


def test_labels_keep_their_values_and_may_be_all_background(save):
    labels = np.zeros((3, 3, 3), np.uint8)
    assert nifti.read_labels(save("empty.nii.gz", labels)).data.max() == 0
    labels[1, 1, 1] = 4
    volume = nifti.read_labels(save("seg.nii.gz", labels))
    assert volume.data.dtype == np.int32
    assert volume.data[0, 1, 1, 1] == 4


def test_labels_that_were_interpolated_are_refused(save):
    labels = np.zeros((3, 3, 3), np.float32)
    labels[0, 0, :2] = 0.5
    with pytest.raises(LabelError, match=r"seg.nii.gz: 2 voxels are not whole numbers, e.g. 0.5, .*nearest"):
        nifti.read_labels(save("seg.nii.gz", labels))


def test_a_missing_file_a_folder_and_an_empty_file(tmp_path):
    (tmp_path / "empty.nii.gz").touch()
    for read in (nifti.read, nifti.read_labels):
        with pytest.raises(ImageError, match=r"a.nii.gz: no such file; check the path"):
            read(tmp_path / "a.nii.gz")
        with pytest.raises(ImageError, match=r"is a folder; give a \.nii"):
            read(tmp_path)
        with pytest.raises(ImageError, match=r"the file is empty \(0 bytes\)"):
            read(tmp_path / "empty.nii.gz")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_gzip_file_cut_off_in_a_download(keep, save, rng_scan):
    path = save("a.nii.gz", rng_scan)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ImageError, match=r"a.nii.gz: the gzip file is damaged .*fetch it again"):
        nifti.read(path)


def test_a_flipped_byte_in_the_voxels_is_found_by_the_checksum(save, rng_scan):
    path = save("a.nii.gz", rng_scan)
    content = bytearray(path.read_bytes())
    content[-4000] ^= 1  # random numbers do not compress: they are stored as they are
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"damaged \(CRC check failed"):
        nifti.read(path)


def test_an_uncompressed_file_that_ends_early(save, scan):
    path = save("a.nii", scan)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ImageError, match=r"a.nii: ends before its last voxel"):
        nifti.read(path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"patient,age\n1,2\n" * 40, r"text beginning 'patient,age"),
        (b"\xff\xd8\xff\xe0" + bytes(600), "a JPEG"),
        (bytes(128) + b"DICM" + bytes(600), "a DICOM file"),
        (bytes(600), "something unknown"),
        (b"PK\x03\x04" + bytes(10), "a zip archive"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_that_is_no_nifti_is_named_for_what_it_is(content, kind, pack, tmp_path, caplog):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(pack(content))
    for read in (nifti.read, nifti.read_labels):
        with pytest.raises(ImageError, match=f"a.nii.gz: is not a NIfTI image but {kind}.*dcm2niix"):
            read(path)
    assert not caplog.records  # nibabel would have its say too


def test_nan_and_infinite_voxels_are_counted(save, scan):
    scan[0, 0, :3] = [np.nan, np.inf, -np.inf]
    for read in (nifti.read, nifti.read_labels):
        with pytest.raises(ImageError, match=r"3 of 210 voxels are NaN or infinite"):
            read(save("a.nii.gz", scan))


def test_a_constant_scan_is_refused_with_its_value(save):
    with pytest.raises(ImageError, match=r"all voxels are 12; an empty or failed scan"):
        nifti.read(save("a.nii.gz", np.full((3, 3, 3), 12, np.int16)))


def test_colour_complex_and_flat_images_are_refused(save):
    rgb = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(ImageError, match=r"voxels are colour \(RGB\), .*greyscale"):
        nifti.read(save("rgb.nii.gz", rgb))
    with pytest.raises(ImageError, match=r"voxels are of type complex64"):
        nifti.read(save("complex.nii.gz", np.ones((3, 3, 3), np.complex64)))
    with pytest.raises(ImageError, match=r"has 2 dimensions \(3, 4\)"):
        nifti.read(save("flat.nii.gz", np.ones((3, 4), np.float32)))


def broken_header(path, **fields):
    """Overwrite header fields on disk, past nibabel's own care."""
    content = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(content[:348]))
    for field, value in fields.items():
        header[field] = value
    content[:348] = header.binaryblock
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"srow_x": [0, 0, 0, 0]}, r"places all voxels in a plane \(voxel size 0 x 2 x 3 mm\)"),
        ({"srow_x": [np.nan, 0, 0, 0]}, "affine in the header is not finite"),
        ({"srow_x": [0, -2, 0, 0]}, "places all voxels in a plane"),
        ({"dim": [3, 5, 0, 7, 1, 1, 1, 1]}, r"shape \(5, 0, 7\) has an empty axis"),
        ({"datatype": 12345}, "the NIfTI header is broken"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(fields, message, save, scan):
    path = broken_header(save("a.nii", scan), **fields)
    for read in (nifti.read, nifti.read_labels):
        with pytest.raises(ImageError, match=message):
            read(path)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(scan, tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"old")

    def full(header, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nib.Nifti1Header, "write_to", full)
    with pytest.raises(ImageError, match=r"no space left on device \(\d+ MB free there\); make room"):
        nifti.write(path, scan, Grid(scan.shape, np.eye(4)))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_real_limit_on_the_size_of_files_is_reported_in_one_line(name, tmp_path):
    program = f"""
        import resource, numpy as np
        from brainseg.images import nifti
        from brainseg.images.volume import Grid
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        noise = np.random.default_rng(0).random((40, 40, 40))
        try:
            nifti.write({str(tmp_path / "out" / name)!r}, noise, Grid((40, 40, 40), np.eye(4)))
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ImageError")
    assert f"{name}: not written, file too large" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def rng_scan():
    return np.random.default_rng(0).integers(0, 255, (30, 30, 30), dtype=np.uint8)
