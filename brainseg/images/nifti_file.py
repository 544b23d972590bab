"""What the bytes of a NIfTI file say: its header, then its voxels, read piece by piece.

A header may claim anything. What it needs is compared with the limits of a head before memory is taken, and
with the file's own length as it is read; a packed file is never unpacked further than its header needs.
"""

# mypy: allow-untyped-calls
# (nibabel is partly untyped)

import gzip
import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from numpy.typing import NDArray

from brainseg.config.errors import ImageError
from brainseg.images.nifti_header import LONGEST_HEADER, first_place, header_of
from brainseg.images.nifti_pair import parts_of
from brainseg.images.volume import Remark

MOST_BYTES = 2**31  # of voxels, and before them, unpacked
_PIECE = 2**22  # bytes


@dataclass(frozen=True)
class NiftiFile:
    """An open NIfTI file whose header makes sense.

    Attributes:
        path: Of the voxels, for messages.
        header: The first 348 or 540 bytes; at least three axes, none empty.
        content: The file with the voxels, unpacked, to be read from the first byte.
        in_pair: Whether the header came from a file of its own.
        remarks: What of the header was mended.
    """

    path: Path
    header: nib.Nifti1Header
    content: IO[bytes]
    in_pair: bool = False
    remarks: tuple[Remark, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.header.get_data_shape())

    @property
    def dtype(self) -> np.dtype[Any]:
        return cast("np.dtype[Any]", self.header.get_data_dtype())

    @property
    def start(self) -> int:
        """Where the voxels begin, in bytes: 0 stands for the first place that the header leaves free."""
        return int(self.header["vox_offset"]) or (0 if self.in_pair else first_place(self.header))

    def voxels(self, channel: int | None) -> NDArray[np.float32]:
        """The voxels (X, Y, Z) of one volume, slope and intercept applied.

        Args:
            channel: Which volume of a four-dimensional file, from 0.

        Raises:
            ImageError: There are several volumes and no channel was given, or no such channel; voxels are not
                one number each; or the file is shorter or longer than its header says, or damaged.
        """
        _refuse_types(self.dtype, self.path)
        number = self._volume_of(channel)
        data = np.empty(math.prod(self.shape[:3]), dtype=np.float32)  # pages come as they are filled
        size, volumes = data.size * self.dtype.itemsize, math.prod(self.shape[3:])
        end = self.start + volumes * size
        if max(volumes * size, self.start) > MOST_BYTES:
            raise ImageError(
                f"{self.path}: the header claims {end} bytes, more than a file may have ({MOST_BYTES}); "
                "export it again, or split it into single volumes"
            )
        self._skip(self.start + number * size, end)
        self._fill(data, end)
        self._skip((volumes - number - 1) * size, end)
        # To the end of the file, so that a gzip file's checksum, which stands there, is tested too.
        behind = len(self.content.read(self.shape[0] * self.dtype.itemsize))
        self._refuse_longer(behind, end)
        return data.reshape(self.shape[:3], order="F")

    def _volume_of(self, channel: int | None) -> int:
        shape, volumes = self.shape, math.prod(self.shape[3:])
        if channel is None and volumes > 1:
            raise ImageError(
                f"{self.path}: holds {volumes} volumes (shape {shape}) where one is needed; name the "
                f"channel, 0 to {volumes - 1}, or split the file"
            )
        if channel is not None and not (len(shape) <= 4 and 0 <= channel < volumes):
            raise ImageError(
                f"{self.path}: has no channel {channel}; its shape is {shape}, channels are 0 to "
                f"{volumes - 1}"
            )
        return channel or 0

    def _skip(self, n_bytes: int, end: int) -> None:
        while n_bytes:
            n_bytes -= len(self._piece(min(n_bytes, _PIECE), end))

    def _fill(self, data: NDArray[np.float32], end: int) -> None:
        """Read all values of `data` (N,) from where the file is."""
        slope, intercept = self.header.get_slope_inter()
        stored = (self.dtype, 0, 1.0 if slope is None else slope, 0.0 if intercept is None else intercept)
        each = _PIECE // self.dtype.itemsize
        for first in range(0, data.size, each):
            n = min(each, data.size - first)
            piece = io.BytesIO(self._piece(n * self.dtype.itemsize, end))
            with np.errstate(over="ignore", invalid="ignore"):  # who reads counts what is not finite
                data[first : first + n] = np.asarray(ArrayProxy(piece, ((n,), *stored)), dtype=np.float32)

    def _piece(self, n_bytes: int, end: int) -> bytes:
        piece = self.content.read(n_bytes)
        if len(piece) < n_bytes:
            raise ImageError(
                f"{self.path}: ends before its last voxel (its header needs {end} bytes, "
                f"{self.content.tell()} are there), probably cut off in a copy or download; fetch it again"
            )
        return piece

    def _refuse_longer(self, behind: int, end: int) -> None:
        """Refuse a file with more than a little padding behind its voxels: its header is another's.

        Where the header does not say where the voxels begin, that must follow from the length exactly.
        """
        if behind and not self.in_pair and not int(self.header["vox_offset"]):
            raise ImageError(
                f"{self.path}: the header does not say where the voxels begin (vox_offset 0), and from byte "
                f"{self.start} on there are more than it needs; export it again"
            )
        if behind >= self.shape[0] * self.dtype.itemsize:
            raise ImageError(
                f"{self.path}: goes on behind its last voxel (its header needs {end} bytes), so shape "
                f"{self.shape} or type {self.dtype} in the header is wrong; export it again"
            )


@contextmanager
def opened(path: Path) -> Iterator[NiftiFile]:
    """A NIfTI or Analyze file with its header read; of a pair, either file may be named.

    Raises:
        ImageError: The file is missing, no NIfTI, or its header makes no sense.
    """
    path, voxels = parts_of(path)
    _refuse_missing(path)
    with _named_faults(path), _unpacked(path) as content:
        header, remarks = header_of(content.read(LONGEST_HEADER), path)
        if voxels == path:
            content.seek(0)
            yield NiftiFile(path, header, content, remarks=remarks)
            return
    if not voxels.exists():
        raise ImageError(f"{path}: its voxels, {voxels.name}, are not beside it; copy both files")
    _refuse_missing(voxels)
    with _named_faults(voxels), _unpacked(voxels) as content:
        yield NiftiFile(voxels, header, content, in_pair=True, remarks=remarks)


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            reason = (error.strerror or str(error)).lower()
            raise ImageError(f"{path}: cannot be read ({reason}); make it readable") from error
        raise _damaged(path, error) from error
    except (EOFError, zlib.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ImageError:
    return ImageError(
        f"{path}: the gzip file is damaged ({error}), probably cut off in a copy or download "
        f"({path.stat().st_size} bytes); fetch it again"
    )


def _unpacked(path: Path) -> IO[bytes]:
    """The file, unpacked if it begins as gzip does: some copies are named .nii but packed, or the reverse."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path)) if packed else open(path, "rb")


def _refuse_types(stored: np.dtype[Any], path: Path) -> None:
    if stored.fields is not None or stored.kind not in "iufb":
        name = "colour (RGB)" if stored.fields is not None else f"of type {stored}"
        raise ImageError(f"{path}: voxels are {name}, not one number each; export as greyscale")


def _refuse_missing(path: Path) -> None:
    if path.is_dir():
        raise ImageError(f"{path}: is a folder; give a .nii or .nii.gz file")
    if not path.exists():
        raise ImageError(f"{path}: no such file; check the path")
    if not path.is_file():  # a pipe would be waited for
        raise ImageError(f"{path}: is no file but a pipe or a device; give a .nii or .nii.gz file")
    if path.stat().st_size == 0:
        raise ImageError(f"{path}: the file is empty (0 bytes); fetch it again")
