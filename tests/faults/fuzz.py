"""Scans and slices damaged on purpose, read one after the other, and what came of each.

Small files of a phantom are damaged by chance, always the same for a seed: bits and bytes, cuts, blocks that
changed places, other content under the name, header fields at their extremes, claims of giants, packed bombs.
Each is found, read and prepared as prediction does it, in this one process, and judged:

| outcome    | what happened                                                                                 |
| ---------- | --------------------------------------------------------------------------------------------- |
| same       | the very voxels and places of the file before it was damaged                                  |
| refused    | one line, a `UserError`                                                                       |
| unknowable | others, and nobody can tell: the file has no checksum over what was damaged, is as long as    |
|            | its header says, and an independent reader (nibabel, pydicom, PIL) finds the same in it       |
| wrong      | another exception; more than 30 s or 4 GB; a message of several lines; or other voxels or     |
|            | places without a word, where a checksum, the length or the independent reader tells           |

So one flipped bit among the voxels of a .nii is unknowable, and so is a header that still describes the file,
e.g. another voxel size; the same bit in a .nii.gz or .png is wrong unless it is refused, and so is a header
with one row too few.
"""

import gzip
import resource
import shutil
import signal
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import UserError
from brainseg.config.training import VolumePreprocess
from brainseg.images.jpeg import read_slice
from brainseg.images.layouts import find_subjects
from brainseg.images.source import read
from brainseg.phantom.subject import make_subject
from brainseg.phantom.writers import as_stored
from brainseg.preprocess.volumes import prepare_volume

MOST_SECONDS = 30.0
MOST_MB = 4000.0
PREPARED = VolumePreprocess(["t1"], [2.0, 2.0, 2.0], Intensity.zscore, Crop.none)
NAMES = {
    "nifti": "a_t1.nii",
    "nifti2": "b_t1.nii",
    "packed": "c_t1.nii.gz",
    "dicom": "d",
    "jpeg": "e.jpg",
    "png": "f.png",
}
CHECKSUMMED = {"packed", "png"}
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

Draw = np.random.Generator


@dataclass(frozen=True)
class Reading:
    """What a file holds: voxels (X, Y, Z), or pixels (H, W) that have no place, and where voxels lie."""

    voxels: np.ndarray
    affine: np.ndarray

    def same_as(self, other: "Reading") -> bool:
        """Whether voxels and places are the same but for the rounding of float32."""
        return (
            self.voxels.shape == other.voxels.shape
            and np.allclose(self.voxels, other.voxels, rtol=1e-5, atol=1e-5)
            and np.allclose(self.affine, other.affine, rtol=1e-5, atol=1e-4)
        )


@dataclass(frozen=True)
class Verdict:
    """What came of one damaged file: the table above tells the outcomes."""

    number: int
    kind: str
    damage: str
    outcome: str
    detail: str
    seconds: float
    peak_mb: float


def run(folder: Path, n: int, seed: int) -> Iterator[Verdict]:
    """Damage `n` files below a folder, one after the other, and judge the reading of each."""
    write_originals(folder / "whole", seed)
    whole = {kind: read_as_predicted(kind, folder / "whole" / name) for kind, name in NAMES.items()}
    for number in range(n):
        draw = np.random.default_rng([seed, number])
        kind = list(NAMES)[number % len(NAMES)]
        damages = BYTES | FIELDS[kind]
        name = list(damages)[draw.integers(len(damages))]
        path = _copied(folder / "whole" / NAMES[kind], folder / "damaged" / NAMES[kind])
        damages[name](path, draw)
        told = kind in CHECKSUMMED and name in BYTES and name != "another kind"
        yield _judged(number, kind, name, path, whole[kind], told)


def _copied(source: Path, target: Path) -> Path:
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir()
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    return target


# The files before they are damaged


def write_originals(folder: Path, seed: int) -> None:
    """A head of 5 mm in each format of volumes, and a slice of it in each format of slices."""
    head = make_subject(seed, tumor_type="glioma", spacing_mm=5.0, sequences=["t1"])
    array, affine = as_stored(head.images["t1"]), head.grid.affine
    folder.mkdir(parents=True)
    for kind, image_class in (
        ("nifti", nib.Nifti1Image),
        ("nifti2", nib.Nifti2Image),
        ("packed", nib.Nifti1Image),
    ):
        image = image_class(array, affine)
        image.set_qform(affine, 1)
        image.set_sform(affine, 1)
        nib.save(image, folder / NAMES[kind])
    write_series(folder / NAMES["dicom"], array, affine)
    picture = array[:, :, array.shape[2] // 2]
    picture = Image.fromarray((picture * (255 / picture.max())).astype(np.uint8).repeat(4, 0).repeat(4, 1))
    picture.save(folder / NAMES["jpeg"], quality=90)
    picture.save(folder / NAMES["png"])


def write_series(folder: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """(X, Y, Z) as a DICOM series, a file for each Z, rows along X from the last Y to the first."""
    folder.mkdir()
    lps = _LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    across, upward = lps[:3, 0] / spacing[0], lps[:3, 1] / spacing[1]
    study, series = generate_uid(), generate_uid()
    for z in range(array.shape[2]):
        corner = lps @ [0, array.shape[1] - 1, z, 1]
        dataset = pydicom.Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid()
        dataset.Modality, dataset.PatientID, dataset.SeriesDescription = "MR", "P1", "t1"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SeriesNumber, dataset.InstanceNumber = 1, z + 1
        dataset.ImageOrientationPatient = [f"{v:.9g}" for v in (*across, *-upward)]
        dataset.ImagePositionPatient = [f"{v:.9g}" for v in corner[:3]]
        dataset.PixelSpacing = [f"{spacing[1]:.9g}", f"{spacing[0]:.9g}"]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 1
        pixels = np.ascontiguousarray(array[:, ::-1, z].T)
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(folder / f"IM{z:03d}", enforce_file_format=True)


# Damage to bytes, whatever they mean


def _on_bytes(change: Callable[[bytearray, Draw], bytes]) -> Callable[[Path, Draw], None]:
    """Damage to a file; of a series, to one of its files."""

    def damage(path: Path, draw: Draw) -> None:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        file = files[draw.integers(len(files))]
        file.write_bytes(change(bytearray(file.read_bytes()), draw))

    return damage


def _flipped(content: bytearray, draw: Draw, n: int, end: int) -> bytes:
    for at in draw.integers(0, min(end, len(content)), n):
        content[at] ^= 1 << int(draw.integers(8))
    return content


def _run_of(content: bytearray, draw: Draw, value: int) -> bytes:
    start, length = int(draw.integers(len(content))), int(draw.integers(1, 200))
    content[start : start + length] = bytes([value]) * len(content[start : start + length])
    return content


def _swapped(content: bytearray, draw: Draw) -> bytes:
    size = len(content) // 4
    one, other = int(draw.integers(0, size)), int(draw.integers(2 * size, 3 * size))
    content[one : one + size], content[other : other + size] = (
        content[other : other + size],
        content[one : one + size],
    )
    return content


def _another_kind(path: Path, draw: Draw) -> None:
    folder = path.parent.parent / "whole"
    others = [folder / name for name in NAMES.values() if (folder / name).is_file()]
    content = others[draw.integers(len(others))].read_bytes()
    _on_bytes(lambda _, __: content)(path, draw)


BYTES: dict[str, Callable[[Path, Draw], None]] = {
    "one bit": _on_bytes(lambda content, draw: _flipped(content, draw, 1, len(content))),
    "bits at the beginning": _on_bytes(lambda content, draw: _flipped(content, draw, 3, 600)),
    "many bits": _on_bytes(lambda content, draw: _flipped(content, draw, 30, len(content))),
    "cut": _on_bytes(lambda content, draw: content[: draw.integers(len(content))]),
    "emptied": _on_bytes(lambda content, draw: b""),
    "a run of zeros": _on_bytes(lambda content, draw: _run_of(content, draw, 0)),
    "a run of ones": _on_bytes(lambda content, draw: _run_of(content, draw, 255)),
    "blocks swapped": _on_bytes(_swapped),
    "bytes of words swapped": _on_bytes(
        lambda content, draw: np.frombuffer(content[: len(content) // 2 * 2], "<u2").astype(">u2").tobytes()
    ),
    "more behind": _on_bytes(lambda content, draw: content + draw.bytes(int(draw.integers(1, 5000)))),
    "twice": _on_bytes(lambda content, draw: content + content),
    "noise": _on_bytes(lambda content, draw: draw.bytes(len(content))),
    "text": _on_bytes(lambda content, draw: b"patient,age\n" * int(draw.integers(1, 500))),
    "another kind": _another_kind,
}


# Damage to what a header says, the rest of the file being in order

EXTREMES = [
    0,
    1,
    -1,
    2,
    3,
    7,
    127,
    128,
    255,
    1000,
    32767,
    -32768,
    65535,
    2**31 - 1,
    1e-30,
    1e30,
    np.nan,
    np.inf,
    -np.inf,
]


def _in_header(change: Callable[[Any, Draw], None]) -> Callable[[Path, Draw], None]:
    """Change the header of a NIfTI file, past nibabel's own care, and pack the file again if it was."""

    def damage(path: Path, draw: Draw) -> None:
        packed = path.suffix == ".gz"
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        kind = nib.Nifti2Header if content[4:8] == b"n+2\0" else nib.Nifti1Header
        size = kind.template_dtype.itemsize
        header = kind(content[:size])
        with np.errstate(all="ignore"):
            change(header, draw)
        content = header.binaryblock + content[size:]
        path.write_bytes(gzip.compress(content, 1) if packed else content)

    return damage


def _one_field(header: Any, draw: Draw) -> None:
    names = header.template_dtype.names
    name = names[draw.integers(len(names))]
    values = header[name].reshape(-1)
    extreme = EXTREMES[draw.integers(len(EXTREMES))]
    if values.dtype.kind == "S":
        header[name] = draw.bytes(values.dtype.itemsize)
        return
    if values.dtype.kind in "iu":
        extreme = _clipped(extreme, values.dtype)
    values = values.copy()
    values[draw.integers(len(values))] = extreme
    header[name] = values.reshape(header[name].shape)


def _clipped(number: float, dtype: np.dtype[Any]) -> int:
    limits = np.iinfo(dtype)
    if not np.isfinite(number):
        return int(limits.min if number < 0 else limits.max)
    return int(min(max(number, limits.min), limits.max))


def _claims_giant(header: Any, draw: Draw) -> None:
    header["dim"][1:4] = draw.choice([1400, 2000, 2048, 30_000, 32_767], 3)


def _begins_elsewhere(header: Any, draw: Draw) -> None:
    header["vox_offset"] = _of_kind(
        header["vox_offset"], [0, 16, 351, 352, 353, 368, 544, 10**6, -352, np.inf][draw.integers(10)]
    )


def _of_kind(like: np.ndarray, number: float) -> float:
    return number if like.dtype.kind == "f" else _clipped(number, like.dtype)


def _bomb(path: Path, draw: Draw) -> None:
    """Gigabytes of zeros, packed, behind a header that is as it was or claims them."""
    content = bytearray(gzip.decompress(path.read_bytes())[:352])
    header = nib.Nifti1Header(bytes(content[:348]))
    if draw.integers(2):
        header["dim"][1:4] = [500, 500, 1000]
        header["datatype"], header["bitpix"] = 64, 64
        header["srow_x"], header["srow_y"], header["srow_z"] = np.diag([0.5, 0.5, 0.1, 0])[:3]
    zeros = gzip.compress(bytes(2**26), 6)  # members behind one another unpack as one file
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4)) + zeros * int(draw.integers(20, 90)))


def _one_element(path: Path, draw: Draw) -> None:
    """A DICOM element of one file, or of all, set to what it should never be."""
    keyword = ELEMENTS[draw.integers(len(ELEMENTS))]
    values = [
        "",
        "abc",
        "nan",
        "inf",
        "-1",
        "0",
        "1e300",
        "1\\2",
        "1\\0\\0\\0\\1\\0",
        "0\\0\\0",
        "9" * 16,
        "\x1b[31m",
    ]
    vr, value = [("LO", values[draw.integers(len(values))]), ("US", int(draw.choice([0, 1, 255, 65535])))][
        draw.integers(2)
    ]
    files = sorted(path.iterdir())
    for file in files if draw.integers(2) else [files[draw.integers(len(files))]]:
        dataset = pydicom.dcmread(file)
        dataset.add_new(pydicom.tag.Tag(keyword), vr, value)
        dataset.save_as(file)


ELEMENTS = [
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
    *("PhotometricInterpretation", "NumberOfFrames", "ImageOrientationPatient", "ImagePositionPatient"),
    *("PixelSpacing", "RescaleSlope", "RescaleIntercept", "EchoTime", "ImageType", "Modality", "PatientID"),
    *("SeriesInstanceUID", "StudyInstanceUID", "SeriesNumber", "SeriesDescription"),
]


def _larger_jpeg(path: Path, draw: Draw) -> None:
    content = bytearray(path.read_bytes())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", *draw.choice([1, 100, 5000, 30_000, 65_535], 2))
    path.write_bytes(content)


def _larger_png(path: Path, draw: Draw) -> None:
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", *draw.choice([1, 100, 5000, 30_000, 2**31 - 1], 2))
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)


_NIFTI = {
    "a header field": _in_header(_one_field),
    "a giant claimed": _in_header(_claims_giant),
    "voxels said to begin elsewhere": _in_header(_begins_elsewhere),
}
FIELDS: dict[str, dict[str, Callable[[Path, Draw], None]]] = {
    "nifti": _NIFTI,
    "nifti2": _NIFTI,
    "packed": _NIFTI | {"a bomb": _bomb},
    "dicom": {"an element": _one_element, "another element": _one_element, "a third element": _one_element},
    "jpeg": {"other sides claimed": _larger_jpeg},
    "png": {"other sides claimed": _larger_png},
}


# Reading and judging


def read_as_predicted(kind: str, path: Path) -> Reading:
    """Find, read and prepare a file as prediction, or the audit of slices, does."""
    if kind in ("jpeg", "png"):
        return Reading(read_slice(path).astype(np.float64), np.eye(4))
    (subject,) = find_subjects(path, "t1")
    source = subject.images["t1"]
    volume = read(source)
    prepare_volume(volume, PREPARED)
    return Reading(volume.data[0], volume.grid.affine)


def read_independently(kind: str, path: Path) -> Reading:
    """The same by nibabel, pydicom or PIL alone; any exception says that they find something else."""
    if kind in ("jpeg", "png"):
        return Reading(np.asarray(Image.open(path).convert("L"), np.float64), np.eye(4))
    return _by_pydicom(path) if kind == "dicom" else _by_nibabel(path)


def _by_nibabel(path: Path) -> Reading:
    image = nib.load(path)
    voxels = np.asarray(image.dataobj, np.float32)
    length = len(gzip.decompress(path.read_bytes())) if path.suffix == ".gz" else path.stat().st_size
    behind = length - image.dataobj.offset - image.dataobj.dtype.itemsize * voxels.size
    if not 0 <= behind < image.shape[0] * image.dataobj.dtype.itemsize:
        raise ValueError(f"{behind} bytes behind the voxels")
    unit_mm = {1: 1000.0, 3: 0.001}.get(int(image.header["xyzt_units"]) & 7, 1.0)
    return Reading(voxels.reshape(image.shape[:3]), np.diag([unit_mm, unit_mm, unit_mm, 1]) @ image.affine)


def _by_pydicom(path: Path) -> Reading:
    """Of the files that were taken for the series; what is left out is named in the log."""
    (subject,) = find_subjects(path, "t1")
    slices = [pydicom.dcmread(file) for file in subject.images["t1"].files]
    turn = np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(*turn)
    slices.sort(key=lambda one: float(np.dot(np.array(one.ImagePositionPatient, float), normal)))
    arrays = [
        one.pixel_array * float(one.get("RescaleSlope", 1)) + float(one.get("RescaleIntercept", 0))
        for one in slices
    ]
    first, last = (np.array(one.ImagePositionPatient, float) for one in (slices[0], slices[-1]))
    between_rows, between_columns = (float(v) for v in slices[0].PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = turn[0] * between_columns, -turn[1] * between_rows
    affine[:3, 2] = (last - first) / (len(slices) - 1)
    affine[:3, 3] = first + turn[1] * between_rows * (slices[0].Rows - 1)
    return Reading(np.stack(arrays)[:, ::-1].transpose(2, 1, 0), _LPS @ affine)


def _judged(number: int, kind: str, damage: str, path: Path, whole: Reading, told: bool) -> Verdict:
    spent = {"seconds": 0.0, "peak_mb": 0.0}
    outcome, detail = "same", ""
    try:
        with bounded(spent):
            found = read_as_predicted(kind, path)
        if not found.same_as(whole):
            outcome, detail = _other(kind, path, found, told)
    except UserError as error:
        outcome, detail = ("wrong" if "\n" in str(error) else "refused"), str(error)
    except (Exception, OutOfTime) as error:
        outcome, detail = "wrong", f"{type(error).__name__}: {error}"
    if spent["seconds"] > MOST_SECONDS or spent["peak_mb"] > MOST_MB:
        outcome, detail = "wrong", f"{spent['seconds']:.1f} s, {spent['peak_mb']:.0f} MB: {detail}"
    return Verdict(number, kind, damage, outcome, detail, spent["seconds"], spent["peak_mb"])


def _other(kind: str, path: Path, found: Reading, told: bool) -> tuple[str, str]:
    """What other voxels or places than before the damage are."""
    if told:
        return "wrong", "read as something else, where a checksum tells"
    try:
        there = read_independently(kind, path)
    except Exception as error:
        return "wrong", f"read as something else, where another reader says {type(error).__name__}: {error}"
    return ("unknowable", "") if found.same_as(there) else ("wrong", "another reader finds something else")


class OutOfTime(BaseException):
    """Not an Exception, so that no reader takes it for a broken file."""


@contextmanager
def bounded(spent: dict[str, float]) -> Iterator[None]:
    """Note the processor's seconds and the peak of memory within; end what takes far more than it may."""

    def late(*_: object) -> None:
        raise OutOfTime("it did not end")

    limits = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + int(2 * MOST_MB * 1e6), limits[1]))
    former = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 4 * MOST_SECONDS)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory_mb("VmRSS")
    start = time.process_time()  # what else the machine does does not count
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        spent |= {"seconds": time.process_time() - start, "peak_mb": memory_mb("VmHWM") - before}


def memory_mb(name: str) -> float:
    """What this process holds (VmRSS), or the most that it held since the peak began anew (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(name))
