"""NIfTI headers that claim what is not so: where voxels begin, how many there are, how large they are."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from brainseg.config.errors import ImageError
from brainseg.config.training import VolumePreprocess
from brainseg.images import nifti
from brainseg.images.volume import Grid, Volume, resample_to
from brainseg.preprocess.volumes import prepare_volume

SHAPE = (5, 6, 7)
KINDS = {nib.Nifti1Header: 352, nib.Nifti2Header: 544}  # with the first byte that a header leaves to voxels


@pytest.fixture
def scan():
    """(5, 6, 7), every voxel another whole number."""
    return np.arange(5 * 6 * 7, dtype=np.int16).reshape(SHAPE)


def stored(kind, voxels, behind=b"", **fields):
    """The bytes of a file: a header whose fields are set past nibabel's own care, four bytes, the voxels."""
    header = kind()
    header.set_data_shape(voxels.shape)
    header.set_data_dtype(voxels.dtype)
    header.set_sform(np.diag([2.0, 2.0, 2.0, 1.0]), 1)
    header["magic"] = kind.single_magic
    header["vox_offset"] = KINDS[kind]
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(4) + voxels.tobytes(order="F") + behind


def refused(path, content, match):
    """The file is refused in one line that names it."""
    path.write_bytes(content)
    with pytest.raises(ImageError, match=match) as caught:
        nifti.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def peak_mb(read, *arguments):
    tracemalloc.start()
    try:
        with pytest.raises(ImageError):
            read(*arguments)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


# Where the voxels begin


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_leaves_the_start_open_is_followed_where_the_length_fits_exactly(
    kind, pack, scan, tmp_path
):
    (tmp_path / "a.nii").write_bytes(pack(stored(kind, scan, vox_offset=0)))
    np.testing.assert_array_equal(nifti.read(tmp_path / "a.nii").data[0], scan)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_leaves_the_start_open_is_refused_where_the_length_does_not_fit(
    kind, pack, scan, tmp_path
):
    longer = pack(stored(kind, scan, b"\1", vox_offset=0))
    refused(tmp_path / "a.nii", longer, r"where the voxels begin \(vox_offset 0\)")
    shorter = pack(stored(kind, scan, vox_offset=0)[:-1])
    refused(tmp_path / "a.nii", shorter, "ends before its last voxel")


@pytest.mark.parametrize("offset", [np.inf, -np.inf, np.nan, -1, 352.5])
def test_a_start_that_is_no_byte_of_a_file_is_refused(offset, scan, tmp_path):
    content = stored(nib.Nifti1Header, scan, vox_offset=offset)
    refused(tmp_path / "a.nii", content, rf"begin at byte {offset:g} \(vox_offset\), where a whole number")


@pytest.mark.parametrize(("offset", "why"), [(100, "too low"), (4000, "ends before"), (1e30, "claims")])
def test_a_start_within_the_header_or_beyond_the_file_is_refused(offset, why, scan, tmp_path):
    refused(tmp_path / "a.nii", stored(nib.Nifti1Header, scan, vox_offset=offset), why)


# How many voxels there are


@pytest.mark.parametrize("side", [1400, 32767])
def test_a_short_file_that_claims_a_giant_takes_no_memory(side, scan, tmp_path):
    content = stored(nib.Nifti1Header, scan, dim=[3, side, side, side, 1, 1, 1, 1])
    for path, packed in ((tmp_path / "a.nii", content), (tmp_path / "b.nii.gz", gzip.compress(content))):
        refused(path, packed, rf"the header claims {side} x {side} x {side} voxels, more than any scan of a")
        assert peak_mb(nifti.read, path) < 10


@pytest.mark.parametrize("volumes", [30_000, 32_767])
def test_many_volumes_are_counted_too(volumes, scan, tmp_path):
    content = stored(nib.Nifti1Header, scan, dim=[4, 250, 250, 7, volumes, 1, 1, 1])
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ImageError, match=r"claims \d+ bytes, more than a file may have"):
        nifti.read(tmp_path / "a.nii", 0)


def test_negative_sides_are_refused_and_two_of_them_make_no_positive_number(scan, tmp_path):
    content = stored(nib.Nifti1Header, scan, dim=[3, -5, -6, 7, 1, 1, 1, 1])
    refused(tmp_path / "a.nii", content, r"the shape \(-5, -6, 7\) has an empty axis")


def test_a_packed_file_is_not_unpacked_further_than_its_header_needs(scan, tmp_path):
    bomb = gzip.compress(stored(nib.Nifti1Header, scan) + bytes(200_000_000), compresslevel=1)
    refused(tmp_path / "a.nii.gz", bomb, "goes on behind its last voxel")
    assert peak_mb(nifti.read, tmp_path / "a.nii.gz") < 10


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_side_that_is_one_too_short_is_noticed_by_the_bytes_that_are_left(axis, scan, tmp_path):
    sides = [n - (place == axis) for place, n in enumerate(SHAPE)]
    content = stored(nib.Nifti1Header, scan, dim=[3, *sides, 1, 1, 1, 1])
    refused(tmp_path / "a.nii", content, "goes on behind its last voxel .* shape .* is wrong")


def test_less_than_a_row_of_padding_is_left_alone(scan, tmp_path):
    (tmp_path / "a.nii").write_bytes(stored(nib.Nifti1Header, scan, bytes(9)))  # a row has ten
    np.testing.assert_array_equal(nifti.read(tmp_path / "a.nii").data[0], scan)


# How large voxels are


@pytest.mark.parametrize("mm", [1000.0, 1e-3, 1e20, 1e-20])
def test_voxels_of_no_head_are_refused_with_their_size(mm, scan, tmp_path):
    content = stored(nib.Nifti1Header, scan, srow_x=[mm, 0, 0, 0])
    refused(
        tmp_path / "a.nii", content, r"voxels are \S+ x 2 x 2 mm, where those of a head have 0\.05 to 100"
    )


def test_a_field_of_view_wider_than_any_scanner_is_refused(scan, tmp_path):
    content = stored(nib.Nifti1Header, scan, srow_z=[0, 0, 90, 0])
    refused(tmp_path / "a.nii", content, "a field of view of 10 x 12 x 630 mm, where a scanner has 600 mm")


def test_resampling_is_refused_where_the_new_grid_would_not_fit_in_memory():
    coarse = Grid((4, 5, 6), np.diag([100.0, 100.0, 100.0, 1.0]))
    volume = Volume(np.random.default_rng(0).random((1, 4, 5, 6), np.float32), coarse)
    wanted = VolumePreprocess(["t1"], [0.1, 50.0, 50.0])
    assert peak_mb(prepare_volume, volume, wanted) < 10
    with pytest.raises(
        ImageError, match=r"of 100 x 100 x 100 mm, resampled to 0.1 x 50 x 50 mm, would have 4000 x 10 "
    ):
        prepare_volume(volume, wanted)
    giant = Grid((1400, 1400, 1400), np.eye(4))
    assert peak_mb(lambda: resample_to(volume, giant, nearest=True)) < 10


def test_a_broken_quaternion_is_refused_in_one_line(scan, tmp_path):
    content = stored(nib.Nifti1Header, scan, sform_code=0, qform_code=1, quatern_b=3.0)
    refused(tmp_path / "a.nii", content, "the NIfTI header is broken")
