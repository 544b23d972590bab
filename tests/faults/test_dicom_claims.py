"""DICOM files whose pixels are not what the header says, and headers that no reader expects."""

import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from brainseg.config.errors import ImageError, UserError
from brainseg.images.dicom import Series, read
from brainseg.images.dicom_header import read_header
from brainseg.images.dicom_pixels import picture_size, refuse_wrong_pixels
from brainseg.images.layouts import find_subjects

AFFINE = np.diag([-2.0, 2.0, 2.0, 1.0])
COLUMNS, ROWS, SLICES = 9, 8, 12


@pytest.fixture
def series(write_dicom, tmp_path):
    """The files of a series, 8 rows x 9 columns of 16 bits, every pixel another whole number."""
    array = np.arange(COLUMNS * ROWS * SLICES, dtype=np.int16).reshape(COLUMNS, ROWS, SLICES)
    return write_dicom(tmp_path / "in", array, AFFINE)


def edited(path, **values):
    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path)


def pixels_of(path):
    return pydicom.dcmread(path).PixelData


def refused(files, match):
    with pytest.raises(ImageError, match=match) as caught:
        read(Series(tuple(files)))
    assert "\n" not in str(caught.value)


# Pixels and what the header says of them


def test_fewer_pixels_than_rows_and_columns_are_refused_and_not_filled_up(series):
    edited(series[4], PixelData=pixels_of(series[4])[:100])
    refused(
        series, rf"{series[4].name}: 8 rows x 9 columns of 16 bits are 144 bytes, but its pixels are 100 "
    )


@pytest.mark.parametrize("name", ["Rows", "Columns"])
def test_one_row_or_column_too_few_in_every_header_is_noticed_by_what_is_left(name, series):
    for path in series:
        edited(path, **{name: {"Rows": ROWS, "Columns": COLUMNS}[name] - 1})
    refused(series, r"rows x . columns of 16 bits are 1\d\d bytes, but its pixels are 144 bytes")


def test_eight_bits_in_the_header_of_sixteen_are_refused(series):
    edited(series[0], BitsAllocated=8, BitsStored=8, HighBit=7)
    refused(series, "columns of 8 bits are 72 bytes, but its pixels are 144 bytes")


def test_a_file_that_ends_within_its_pixels_is_refused(series):
    series[2].write_bytes(series[2].read_bytes()[:-20])
    refused(series, rf"{series[2].name}: .* are 144 bytes, but its pixels are 124 bytes, probably cut off")


def test_a_header_without_pixels_or_their_size_is_refused(series):
    dataset = pydicom.dcmread(series[0])
    del dataset.BitsAllocated
    dataset.save_as(series[0])
    refused(series, "no usable BitsAllocated")


def test_a_file_that_is_packed_as_a_whole_is_read(series):
    array = read(Series(tuple(series))).data
    for path in series:
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.save_as(path)
    np.testing.assert_array_equal(read(Series(tuple(series))).data, array)


def test_something_behind_the_last_element_that_claims_gigabytes_is_refused(series):
    claim = b"\xe1\x7f\x10\x10OB\0\0" + (2**32 - 16).to_bytes(4, "little")  # (7FE1,1010), 4 GiB
    series[3].write_bytes(series[3].read_bytes() + claim + bytes(8))
    refused(
        series, rf"{series[3].name}: its element \(7FE1,1010\) is of no type that DICOM has, or claims more"
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_sequence_of_noise_never_ends_in_a_traceback(seed, series):
    noise = np.random.default_rng(seed).bytes(64)
    items = b"\xfe\xff\x00\xe0" + (56).to_bytes(4, "little") + noise[:56] if seed % 2 else noise
    element = b"\xe1\x7f\x10\x10SQ\0\0" + len(items).to_bytes(4, "little") + items
    series[3].write_bytes(series[3].read_bytes() + element)
    refused(series, series[3].name)


def test_a_file_that_does_not_say_how_its_pixels_are_stored_is_refused(series):
    meta = b"\x02\x00\x10\x00UI"  # (0002,0010)
    content = series[0].read_bytes()
    assert content.count(meta) == 1
    series[0].write_bytes(content.replace(meta, b"\x02\x00\x11\x00UI"))
    refused(series, "no usable TransferSyntaxUID")


def test_padding_and_compressed_pixels_are_read_as_before(series):
    array = read(Series(tuple(series))).data
    edited(series[0], PixelData=pixels_of(series[0]) + bytes(2))
    for path in series[1:]:
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, encoding_plugin="pydicom")
        dataset.save_as(path)
    np.testing.assert_array_equal(read(Series(tuple(series))).data, array)


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_a_compressed_picture_of_another_size_than_the_header_says_is_refused_before_it_is_made(
    kind, tmp_path
):
    path = tmp_path / "a.dcm"
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressor(kind)
    writer.Execute(sitk.GetImageFromArray(np.arange(160, dtype=np.uint16).reshape(1, 10, 16)))
    refuse_wrong_pixels(path, 10, 16)
    frame = next(generate_frames(pixels_of(path), number_of_frames=1))
    assert picture_size(frame) == (10, 16)
    edited(path, PixelData=encapsulate([frame]), Rows=12)
    with pytest.raises(
        ImageError, match="header says 12 rows x 16 columns, but the picture in it has 10 x 16"
    ):
        refuse_wrong_pixels(path, 12, 16)


# Claims of giants


def test_rows_and_columns_of_a_giant_take_no_memory(series):
    for path in series:
        edited(path, Rows=65535, Columns=65535)
    tracemalloc.start()
    refused(series, "its headers claim 65535 x 65535 x 12 voxels, more than any scan of a head has")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_slices_a_metre_apart_or_without_end_are_refused(series):
    for number, path in enumerate(series):
        edited(path, ImagePositionPatient=[0, 0, 1000 * number])
    refused(series, "voxels are 2 x 2 x 1000 mm, where those of a head have 0.05 to 100")
    for number, path in enumerate(series):
        edited(path, ImagePositionPatient=[0, 0, f"{number}e300"])
    refused(series, r"1e\+300 mm")


def test_a_packed_file_that_may_unpack_to_gigabytes_is_refused(series):
    dataset = pydicom.dcmread(series[0])
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(series[0])
    assert read_header(series[0], ["Rows"]) == {"Rows": ROWS}
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    beginning = series[0].read_bytes()
    with series[0].open("wb") as file:
        file.write(beginning[:400])
        for _ in range(1100):
            file.write(packer.compress(bytes(10**6)))
    with pytest.raises(ImageError, match="may unpack to more than"):
        read_header(series[0], ["Rows"])


# Headers that break DICOM's rules


def test_a_number_with_too_few_bytes_is_absent(series):
    content = series[0].read_bytes()
    rows = b"\x28\x00\x10\x00US"
    assert content.count(rows) == 1
    at = content.index(rows) + len(rows)
    series[0].write_bytes(content[:at] + b"\1\0" + content[at + 2 : at + 3] + content[at + 4 :])
    assert "Rows" not in read_header(series[0], ["Rows", "Columns"])
    refused(series, "no usable Rows")


@pytest.mark.parametrize("value", ["1\\2", "abc", "nan", "9" * 16])
@pytest.mark.parametrize("name", ["NumberOfFrames", "SeriesNumber", "EchoTime", "SamplesPerPixel"])
def test_nonsense_in_place_of_a_number_never_ends_in_a_traceback(name, value, series, tmp_path):
    tag = pydicom.tag.Tag(name)
    for path in series:
        dataset = pydicom.dcmread(path)
        dataset.add_new(tag, "LO", value)
        dataset.save_as(path)
    with suppress(UserError):
        found = find_subjects(tmp_path / "in")
        read(found[0].images["t1"].series)


@pytest.mark.parametrize(
    "name", ["ImageType", "ScanningSequence", "SeriesDescription", "PatientID", "Modality"]
)
def test_a_number_in_place_of_text_never_ends_in_a_traceback(name, series, tmp_path):
    for path in series:
        dataset = pydicom.dcmread(path)
        dataset.add_new(pydicom.tag.Tag(name), "US", 7)
        dataset.save_as(path)
    with suppress(UserError):
        find_subjects(tmp_path / "in")
