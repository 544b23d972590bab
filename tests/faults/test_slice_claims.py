"""Pictures that claim more than a slice has, or are of a kind that no data set of slices has."""

import struct
import tracemalloc
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from brainseg.config.errors import ImageError
from brainseg.data.audit import audit_slices
from brainseg.data.cache import ArrayCache
from brainseg.images.jpeg import read_slice


def png(width, height, pixels=b""):
    """A PNG of one grey byte a pixel, whose sides are as told, whatever the pixels are."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def is_read_or_refused_in_one_line(path):
    try:
        return read_slice(path).dtype == np.uint8
    except ImageError as error:
        return str(error).startswith(f"{path}: ") and "\n" not in str(error)


@pytest.mark.parametrize("sides", [(6000, 6000), (12_000, 12_000), (60_000, 60_000)])
def test_a_small_file_that_claims_a_large_picture_is_refused_before_it_is_made(sides, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(*sides))
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would go to the terminal
        with pytest.raises(ImageError, match=r"a\.png: claims .*pixels.* than any slice has") as caught:
            read_slice(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert "\n" not in str(caught.value)


def test_no_flipped_bit_of_a_png_goes_unseen(tmp_path):
    grey = (np.arange(576).reshape(24, 24) // 5).astype(np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(grey).save(path)
    whole = path.read_bytes()
    read = []
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with suppress(ImageError):
            read.append(read_slice(path))
    assert all(np.array_equal(pixels, grey) for pixels in read)


def test_a_format_for_which_pil_would_start_another_program_is_not_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(ImageError, match="is not an image that can be read"):
        read_slice(tmp_path / "a.jpg")


@pytest.mark.parametrize("seed", range(30))
def test_a_picture_damaged_anywhere_is_read_or_refused_and_nothing_else(seed, tmp_path):
    draw = np.random.default_rng(seed)
    kind = ("png", "jpg", "bmp", "tif")[seed % 4]
    Image.fromarray(draw.integers(0, 255, (24, 24), np.uint8)).save(tmp_path / f"a.{kind}")
    content = bytearray((tmp_path / f"a.{kind}").read_bytes())
    for at in draw.integers(0, min(len(content), 200), 6):
        content[at] = draw.integers(256)
    (tmp_path / f"a.{kind}").write_bytes(content)
    assert is_read_or_refused_in_one_line(tmp_path / f"a.{kind}")


def test_the_audit_names_such_files_and_goes_on(tmp_path):
    for part in ("Training", "Testing"):
        for label in ("glioma", "notumor"):
            (tmp_path / part / label).mkdir(parents=True)
            noise = np.random.default_rng(len(label)).integers(0, 255, (64, 64), np.uint8)
            Image.fromarray(noise).save(tmp_path / part / label / "a.png")
    (tmp_path / "Training" / "glioma" / "b.png").write_bytes(png(60_000, 60_000))
    findings = audit_slices(tmp_path, ["glioma", "notumor"], ArrayCache(tmp_path / "cache"))
    (bad,) = [file for file in findings.files if file.fault is not None]
    assert bad.name == "Training/glioma/b.png"
    assert bad.size == "unreadable"
    assert bad.fault.startswith("claims ")
