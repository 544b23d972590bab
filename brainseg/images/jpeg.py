"""Single slices in everyday image formats (JPEG, PNG, ...) as grey uint8."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from brainseg.config.errors import ImageError

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")  # none that starts a program
SUFFIXES = {
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2", ".j2k"),
}
COLOURED = 30  # grey levels between the colours of a pixel; JPEG makes some of grey too
MOST_PIXELS = 2**25  # 5792 x 5792: more than a film that was scanned has
_LOCK = Lock()
_DEEP = {"I", "F", "I;16", "I;16B", "I;16L"}  # more than 8 bits a pixel


def read_slice(path: str | Path) -> NDArray[np.uint8]:
    """A slice (H, W) in grey, 0 to 255.

    Colour becomes luminance, and transparent pixels become black. `grey_uint8` scales more than 8 bits to
    0..255.

    Raises:
        ImageError: The file is missing, no image, cut off, larger than any slice, all of one value, or
            several pictures.
    """
    with _slice_at(Path(path)) as image:
        return _grey(image, path)


def read_picture(path: str | Path) -> tuple[NDArray[np.uint8], float]:
    """A slice as `read_slice` gives it, and the share of it that is in colour; the file is read once.

    A pixel is in colour if its red, green and blue differ by more than 30 of 255.

    Raises:
        ImageError: As `read_slice`.
    """
    with _slice_at(Path(path)) as image:
        return _grey(image, path), _colour_share(image)


@contextmanager
def _slice_at(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():
        raise ImageError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; give a JPEG or PNG")
    with opened(path) as image:
        _refuse_several(image, path)
        yield image


def _grey(image: Image.Image, path: str | Path) -> NDArray[np.uint8]:
    grey = grey_uint8(pixels_of(image))
    if grey.min() == grey.max():
        raise ImageError(f"{path}: all pixels are {grey.flat[0]}; an empty slice, leave it out")
    return grey


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image file of a slice's size, its pixels not yet decoded; faults met within are named as the file's.

    Raises:
        ImageError: It is no image, larger than any slice, or damaged.
    """
    try:
        with _opened_quietly(path) as image:
            _refuse_large(image.width, image.height, path)
            if image.format == "PNG":
                image.verify()  # the checksums, which decoding does not look at; the image is then used up
        with _opened_quietly(path) as image:
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: is not an image that can be read; give a JPEG or PNG") from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path}: claims more pixels than any slice has ({error}); export it again"
        ) from error
    except Exception as error:  # PIL meets broken bytes with many types
        said = " ".join(str(error).split())
        raise ImageError(f"{path}: the image is damaged ({said}); fetch it again") from error


def _opened_quietly(path: Path) -> Image.Image:
    with _LOCK, warnings.catch_warnings():  # warnings are the same for all threads
        warnings.simplefilter("ignore")  # of sizes, where our limit is lower, and of tags
        return Image.open(path, formats=FORMATS)


def _refuse_large(width: int, height: int, path: Path) -> None:
    if width * height > MOST_PIXELS:
        raise ImageError(
            f"{path}: claims {width} x {height} pixels, more than any slice has (at most "
            f"{MOST_PIXELS / 1e6:.0f} million); export it again"
        )


def _colour_share(image: Image.Image) -> float:
    if image.mode in _DEEP or image.mode in ("L", "LA", "1"):
        return 0.0
    small = image.convert("RGB")
    small.thumbnail((96, 96))
    pixels = np.asarray(small).astype(np.int16)
    return float(((pixels.max(axis=2) - pixels.min(axis=2)) > COLOURED).mean())


def _refuse_several(image: Image.Image, path: Path) -> None:
    """Refuse a stack of pictures, of which PIL reads the first alone; the preview in a JPEG is none."""
    pictures = getattr(image, "n_frames", 1)
    if pictures > 1 and image.format in ("TIFF", "GIF", "WEBP", "PNG"):
        raise ImageError(f"{path}: holds {pictures} pictures; save each slice as a file of its own")


def grey_uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """A slice (H, W) or (H, W, 3) as grey uint8 (H, W); one that is so already is not changed.

    Colour becomes luminance, .299 R + .587 G + .114 B (ITU-R BT.601, as PIL does). Values other than
    uint8 are clipped to their percentiles .5 and 99.5 and scaled to 0..255; if these are equal the slice
    is all 0.
    """
    if image.ndim == 3:
        image = _luminance(image)
    if image.dtype == np.uint8:
        return image
    low, high = (float(v) for v in np.percentile(image, (0.5, 99.5)))
    if low == high:
        return np.zeros(image.shape, dtype=np.uint8)
    unit = np.clip((image.astype(np.float32) - low) / (high - low), 0, 1)
    return np.asarray(np.rint(255 * unit), dtype=np.uint8)


def _luminance(image: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 3) to (H, W), of the same kind: uint8 stays uint8."""
    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).convert("L"))
    return np.asarray(image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32))


def pixels_of(image: Image.Image) -> NDArray[Any]:
    """The pixels of an image as grey (H, W) or colour (H, W, 3); those with more than 8 bits keep them.

    They are as a viewer shows them: turned as the EXIF tag says, which phones and scanners set.
    """
    image.load()
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # PIL warns of damaged tags without the file's name, and turns nothing
        image = ImageOps.exif_transpose(image)
    if image.mode in _DEEP:
        return np.asarray(image)
    if image.mode in ("L", "RGB"):
        return np.asarray(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        colour = image.convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", colour.size, "black"), colour).convert("L"))
    return np.asarray(image.convert("L" if image.mode == "1" else "RGB"))  # "1", "P", "CMYK", "YCbCr"
