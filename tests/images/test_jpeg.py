import numpy as np
import pytest
from PIL import Image

from brainseg.config.errors import ImageError
from brainseg.images.jpeg import grey_uint8, read_slice


@pytest.fixture
def ramp():
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_a_grey_image_reads_the_same_in_every_mode(mode, ramp, tmp_path):
    image = Image.fromarray(ramp)
    if mode == "P":
        image.putpalette(bytes(v for grey in range(256) for v in (grey, grey, grey)))
    Image.Image.save(image if mode == "P" else image.convert(mode), tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == mode
    np.testing.assert_array_equal(read_slice(tmp_path / "a.png"), ramp)


def test_colour_becomes_luminance(tmp_path):
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert read_slice(tmp_path / "a.png").tolist() == [[76, 150, 29]]  # 255 times .299, .587 and .114


def test_what_is_transparent_is_black(ramp, tmp_path):
    pixels = np.dstack([ramp, ramp, ramp, np.where(ramp < 128, 0, 255).astype(np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_slice(tmp_path / "a.png"), np.where(ramp < 128, 0, ramp))


def test_sixteen_bits_are_brought_to_eight_between_percentiles(tmp_path):
    deep = np.arange(1000, dtype=np.uint16).reshape(25, 40) * 50
    Image.fromarray(deep).save(tmp_path / "a.png")
    grey = read_slice(tmp_path / "a.png")
    assert grey.dtype == np.uint8
    # Percentiles .5 and 99.5 of 0..999 are 4.995 and 994.005.
    assert (grey.flat[4], grey.flat[500], grey.flat[995]) == (0, 128, 255)


def test_a_bit_per_pixel(tmp_path):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_slice(tmp_path / "a.png"), 255 * np.eye(8, dtype=np.uint8))


def test_eight_bits_are_left_as_they_are_and_a_constant_slice_is_black(ramp):
    assert grey_uint8(ramp) is ramp
    assert grey_uint8(np.full((4, 4), 3.5)).max() == 0


def test_damaged_files_are_named_with_their_fault(ramp, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.jpg").write_text("not an image")
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(tmp_path / "flat.png")
    for name, message in {
        "cut.jpg": r"the image is damaged \(image file is truncated.*fetch it again",
        "text.jpg": "is not an image that can be read; give a JPEG or PNG",
        "flat.png": "all pixels are 9; an empty slice",
        "none.jpg": "no such file; give a JPEG or PNG",
        "": "is a folder",
    }.items():
        with pytest.raises(ImageError, match=f"{name}: {message}"):
            read_slice(tmp_path / name)


def test_a_slice_is_turned_as_its_exif_tag_says(tmp_path):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[:5, :10] = 200
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    for orientation, turned in {3: pixels[::-1, ::-1], 6: np.rot90(pixels, -1), 2: pixels[:, ::-1]}.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
        np.testing.assert_array_equal(read_slice(tmp_path / "turned.png"), turned)
        Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=100)
        np.testing.assert_allclose(read_slice(tmp_path / "turned.jpg"), turned, atol=12)
    np.testing.assert_array_equal(read_slice(tmp_path / "plain.png"), pixels)
