"""One subject in the files of a real data set: names, folders, orientation, dtype and label values.

| layout     | as published                                                                                |
| ---------- | ------------------------------------------------------------------------------------------- |
| brats      | BraTS 2021: 240 x 240 x 155 at 1 mm, LPS, int16, skull removed, labels 0 1 2 4 (uint8)       |
| brats-post | BraTS 2024 after treatment: the same scans by their newer names, labels 0 1 2 3 4            |
| msd        | Medical Segmentation Decathlon Task01: such scans four-dimensional, labels in another order |
| nfbs       | Neurofeedback Skull-stripped: 256 x 256 x 192 at 1 mm, PIR, T1w with brain and brain mask    |
| kaggle     | Brain Tumor MRI Dataset: JPEG slices, see `slices`                                           |
| bids       | Brain Imaging Data Structure: whole heads; the truth is a derivative, out of readers' sight  |
| types      | a folder for each tumour type, with subjects without skull under the names of BraTS         |
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainseg.config import SEQUENCES, TUMOR_TYPES
from brainseg.images import nifti
from brainseg.images.labels import CLASSES, CONVENTIONS, from_classes
from brainseg.images.volume import Grid
from brainseg.phantom.fields import Float, random_stream
from brainseg.phantom.head import Pose
from brainseg.phantom.stripping import cut_out
from brainseg.phantom.subject import WHOLE_HEAD, PhantomSubject, head_grid

# BraTS moves every brain into one space, so little is left of pose and size; these brains are not stretched.
_REGISTERED = Pose(offset_mm=(0.0, -9.0, -2.0), rotation_sd_deg=1.5)
SLICE_HEAD = Pose(offset_mm=(0.0, -12.0, 35.0))
_NFBS_HEAD = Pose(offset_mm=(0.0, -8.0, 40.0))


@dataclass(frozen=True)
class Layout:
    """How subjects of a layout are made and written.

    Attributes:
        types: Tumour types in turn where none are asked for.
        grid: The grid at a voxel size in mm.
        pose: A subject's pose from its seed.
        sequences: A subject's sequences from its seed.
        name: The subject's id from its number, counted from 0.
        write: Writes one subject into the cohort's folder, from its seed and the margin of the cut around its
            brain in mm; layouts of whole heads make no cut.
        finish: Writes what describes the whole cohort, from ids and types.
        has_cavities: Whether its labels have a value for the resection cavity of operated heads.
    """

    types: Sequence[str]
    grid: Callable[[float], Grid]
    pose: Callable[[int], Pose]
    sequences: Callable[[int], Sequence[str]]
    name: Callable[[int], str]
    write: Callable[[Path, PhantomSubject, int, float], None]
    finish: Callable[[Path, Sequence[tuple[str, str]]], None]
    has_cavities: bool = False


def as_stored(image: Float) -> NDArray[np.int16]:
    """Scanner units as 16-bit integers."""
    return np.asarray(np.clip(np.rint(image), 0, 32767), dtype=np.int16)


def brats_grid(spacing_mm: float) -> Grid:
    """The field of view of BraTS; at 1 mm its very grid."""
    return _grid((240.0, 240.0, 155.0), spacing_mm, "LPS", corner_mm=(0.5, 239.5, -0.5))


def slice_grid(spacing_mm: float) -> Grid:
    """Heads down to the chin, as pictures in the kaggle set show them."""
    return _grid((192.0, 232.0, 240.0), spacing_mm, "RAS", corner_mm=(-96.0, -116.0, -120.0))


def nfbs_grid(spacing_mm: float) -> Grid:
    return _grid((256.0, 256.0, 192.0), spacing_mm, "PIR", corner_mm=(128.0, 160.0, -96.0))


def _grid(
    size_mm: tuple[float, float, float], spacing_mm: float, axes: str, corner_mm: tuple[float, float, float]
) -> Grid:
    """Axes such as "LPS" from the outer corner of the first voxel; `corner_mm` along each axis of `axes`."""
    shape = [max(1, round(s / spacing_mm)) for s in size_mm]
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for column, (letter, corner) in enumerate(zip(axes, corner_mm, strict=True)):
        row = next(i for i, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        sign = 1 if letter in "RAS" else -1
        affine[row, column] = sign * spacing_mm
        affine[row, 3] = corner + sign * spacing_mm / 2
    return Grid((shape[0], shape[1], shape[2]), affine)


def _write(path: Path, array: NDArray[Any], grid: Grid) -> None:
    nifti.write(path, array, grid, synthetic=True)


def _write_brats(root: Path, subject: PhantomSubject, seed: int, margin_mm: float) -> None:
    folder, kept = root / subject.id, cut_out(subject, seed, margin_mm)
    for name, image in subject.images.items():
        _write(folder / f"{subject.id}_{name}.nii.gz", as_stored(image * kept), subject.grid)
    labels = from_classes(subject.labels, CONVENTIONS["brats-2018"])
    _write(folder / f"{subject.id}_seg.nii.gz", labels, subject.grid)


def _write_type(root: Path, subject: PhantomSubject, seed: int, margin_mm: float) -> None:
    _write_brats(root / subject.tumor_type, subject, seed, margin_mm)


_POST_NAMES = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f"}


def _write_brats_post(root: Path, subject: PhantomSubject, seed: int, margin_mm: float) -> None:
    folder, kept = root / subject.id, cut_out(subject, seed, margin_mm)
    for name, image in subject.images.items():
        _write(folder / f"{subject.id}-{_POST_NAMES[name]}.nii.gz", as_stored(image * kept), subject.grid)
    labels = from_classes(subject.labels, CONVENTIONS["brats-2024-post"])
    _write(folder / f"{subject.id}-seg.nii.gz", labels, subject.grid)


def _write_msd(root: Path, subject: PhantomSubject, seed: int, margin_mm: float) -> None:
    kept = cut_out(subject, seed, margin_mm)
    channels = np.stack([as_stored(subject.images[name] * kept) for name in _MSD_CHANNELS])
    _write(root / "imagesTr" / f"{subject.id}.nii.gz", channels, subject.grid)
    labels = from_classes(subject.labels, CONVENTIONS["msd-task01"])
    _write(root / "labelsTr" / f"{subject.id}.nii.gz", labels, subject.grid)


_MSD_CHANNELS = {"flair": "FLAIR", "t1": "T1w", "t1ce": "t1gd", "t2": "T2w"}


def _finish_msd(root: Path, subjects: Sequence[tuple[str, str]]) -> None:
    _write_json(
        root / "dataset.json",
        {
            "name": "BRATS",
            "description": "Synthetic gliomas made by brainseg; not patients",
            "reference": "brainseg phantom",
            "licence": "CC0",
            "release": "1.0",
            "tensorImageSize": "4D",
            "modality": {str(i): name for i, name in enumerate(_MSD_CHANNELS.values())},
            "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
            "numTraining": len(subjects),
            "numTest": 0,
            "training": [
                {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
                for name, _ in subjects
            ],
            "test": [],
        },
    )


def _write_nfbs(root: Path, subject: PhantomSubject, seed: int, margin_mm: float) -> None:
    stem = root / subject.id / f"sub-{subject.id}_ses-NFB3_T1w"
    scan = as_stored(subject.images["t1"])
    _write(stem.with_name(stem.name + ".nii.gz"), scan, subject.grid)
    _write(stem.with_name(stem.name + "_brain.nii.gz"), scan * subject.brain, subject.grid)
    _write(stem.with_name(stem.name + "_brainmask.nii.gz"), subject.brain, subject.grid)


def _nfbs_pose(seed: int) -> Pose:
    """Half of the heads without a face: published heads have none, a patient's own scan has one."""
    face = bool(random_stream(seed, 40).random() < 0.5)
    return Pose(offset_mm=_NFBS_HEAD.offset_mm, rotation_sd_deg=_NFBS_HEAD.rotation_sd_deg, face=face)


_BIDS_SUFFIX = {"t1": "T1w", "t1ce": "ce-gadolinium_T1w", "t2": "T2w", "flair": "FLAIR"}


def _write_bids(root: Path, subject: PhantomSubject, seed: int, margin_mm: float) -> None:
    folder = root / subject.id / "anat"
    for name, image in subject.images.items():
        path = folder / f"{subject.id}_{_BIDS_SUFFIX[name]}.nii.gz"
        _write(path, as_stored(image), subject.grid)
        sidecar = {"Modality": "MR", "Manufacturer": "none: a phantom made by brainseg"}
        if name == "t1ce":
            sidecar["ContrastBolusIngredient"] = "GADOLINIUM"
        _write_json(path.with_name(path.name.removesuffix(".nii.gz") + ".json"), sidecar)
    truth = root / "derivatives" / "truth" / subject.id / "anat"
    _write(truth / f"{subject.id}_desc-brain_mask.nii.gz", subject.brain, subject.grid)
    labels = from_classes(subject.labels, CONVENTIONS["brats-2023"])
    _write(truth / f"{subject.id}_dseg.nii.gz", labels, subject.grid)


def _finish_bids(root: Path, subjects: Sequence[tuple[str, str]]) -> None:
    description = {"Name": "Synthetic patients made by brainseg", "BIDSVersion": "1.9.0", "License": "CC0"}
    _write_json(root / "dataset_description.json", {**description, "DatasetType": "raw"})
    _write_table(root / "participants.tsv", ("participant_id", "tumor_type"), subjects)
    truth = root / "derivatives" / "truth"
    generated = {"DatasetType": "derivative", "GeneratedBy": [{"Name": "brainseg phantom"}]}
    _write_json(truth / "dataset_description.json", {**description, **generated})
    values = CONVENTIONS["brats-2023"].classes
    rows = [(str(value), CLASSES[index]) for value, index in values.items()]
    _write_table(truth / "dseg.tsv", ("index", "name"), rows)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in (columns, *rows)), encoding="utf-8")


def _nothing(root: Path, subjects: Sequence[tuple[str, str]]) -> None:
    """BraTS, NFBS and folders of types have no file about the whole."""


LAYOUTS: dict[str, Layout] = {
    "brats": Layout(
        types=("glioma",), grid=brats_grid, pose=lambda seed: _REGISTERED, sequences=lambda seed: SEQUENCES,
        name=lambda number: f"BraTS2021_{number:05d}", write=_write_brats, finish=_nothing,
    ),
    "brats-post": Layout(
        types=("glioma",), grid=brats_grid, pose=lambda seed: _REGISTERED, sequences=lambda seed: SEQUENCES,
        name=lambda number: f"BraTS-GLI-{number:05d}-100", write=_write_brats_post, finish=_nothing,
        has_cavities=True,
    ),
    "msd": Layout(
        types=("glioma",), grid=brats_grid, pose=lambda seed: _REGISTERED, sequences=lambda seed: SEQUENCES,
        name=lambda number: f"BRATS_{number + 1:03d}", write=_write_msd, finish=_finish_msd,
    ),
    "nfbs": Layout(
        types=("notumor", "glioma", "notumor", "meningioma", "notumor", "pituitary"), grid=nfbs_grid,
        pose=_nfbs_pose, sequences=lambda seed: ("t1",),
        name=lambda number: f"A{28185 + number:08d}", write=_write_nfbs, finish=_nothing,
    ),
    "bids": Layout(
        types=TUMOR_TYPES, grid=head_grid, pose=lambda seed: WHOLE_HEAD, sequences=lambda seed: SEQUENCES,
        name=lambda number: f"sub-{number + 1:03d}", write=_write_bids, finish=_finish_bids,
    ),
    "types": Layout(
        types=TUMOR_TYPES, grid=head_grid, pose=lambda seed: WHOLE_HEAD, sequences=lambda seed: SEQUENCES,
        name=lambda number: f"phantom_{number:04d}", write=_write_type, finish=_nothing,
    ),
}  # fmt: skip
