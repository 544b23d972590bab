"""Slices as the Brain Tumor MRI Dataset has them: three planes, a folder per class, no patient named."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from brainseg.images.planes import PLANES, cut
from brainseg.images.volume import Volume, to_ras
from brainseg.phantom.fields import Bool, Float, random_stream
from brainseg.phantom.stripping import cut_out
from brainseg.phantom.subject import PhantomSubject

PREFIX = {"glioma": "gl", "meningioma": "me", "notumor": "no", "pituitary": "pi"}
# Pixels along a side at 1 mm, as the real files have.
SIDE_AT_1_MM = 512


@dataclass
class SliceFolder:
    """Numbers the files of each class and remembers whose they are.

    Attributes:
        side: Pixels along a side of each picture.
        per_subject: Slices of each subject.
        testing: Ids of the subjects whose slices go to Testing.
        stripped_share: Share of the subjects that are shown without skull.
        rows: File and subject of what has been written.
    """

    side: int
    per_subject: int
    testing: frozenset[str]
    stripped_share: float
    rows: list[tuple[str, str]] = field(default_factory=list)

    def write(self, root: Path, subject: PhantomSubject, seed: int, margin_mm: float) -> None:
        """The subject's slices; of a tumour's subject a third as many without tumour, as `notumor`."""
        rng = random_stream(seed, 50)
        ras = {
            name: to_ras(Volume(image[None], subject.grid)).data[0] for name, image in subject.images.items()
        }
        labels = to_ras(Volume(subject.labels[None], subject.grid)).data[0]
        brain = to_ras(Volume(subject.brain[None], subject.grid)).data[0]
        stripped, mirrored = rng.random() < self.stripped_share, rng.random() < 0.5
        if stripped:
            kept = to_ras(Volume(cut_out(subject, seed, margin_mm)[None], subject.grid)).data[0]
            ras = {name: image * kept for name, image in ras.items()}
        spacing = float(np.mean(subject.grid.spacing_mm))
        wanted = [(subject.tumor_type, self.per_subject)]
        if subject.tumor_type != "notumor":
            wanted.append(("notumor", max(1, round(self.per_subject / 3))))
        for kind, count in wanted:
            for plane, index in _chosen(rng, labels, brain, kind, count, spacing):
                name = list(ras)[0 if rng.random() < 0.8 else int(rng.integers(len(ras)))]
                path = root / self._next_name(kind, subject.id)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(
                    _framed(_displayed(ras[name], plane, index, mirrored=mirrored), self.side, rng)
                ).save(path, quality=90)

    def _next_name(self, kind: str, subject: str) -> str:
        part = "Testing" if subject in self.testing else "Training"
        number = sum(name.startswith(f"{part}/{kind}/") for name, _ in self.rows)
        name = f"{part}/{kind}/{part[:2]}-{PREFIX[kind]}_{number:04d}.jpg"
        self.rows.append((name, subject))
        return name

    def finish(self, root: Path, subjects: Sequence[tuple[str, str]]) -> None:
        """`subjects.csv`: which subject each file shows, which the real files do not tell."""
        lines = (f"{name},{subject}\n" for name, subject in (("file", "subject"), *self.rows))
        (root / "subjects.csv").write_text("".join(lines), encoding="utf-8")


def _chosen(
    rng: np.random.Generator, labels: NDArray[np.uint8], brain: Bool, kind: str, count: int, spacing_mm: float
) -> list[tuple[str, int]]:
    """Planes in turn, each with an index: where the tumour is large enough to see, or where there is none."""
    planes = list(PLANES)
    first = int(rng.integers(len(planes)))
    chosen: list[tuple[str, int]] = []
    for k in range(count):
        plane = planes[(first + k) % len(planes)]
        others = tuple(a for a in range(3) if a != PLANES[plane])
        tumor_mm2 = (labels > 0).sum(axis=others) * spacing_mm**2
        if kind == "notumor":
            size = brain.sum(axis=others)
            suitable = np.flatnonzero((tumor_mm2 == 0) & (size > 0.3 * size.max()))
        else:
            suitable = np.flatnonzero(tumor_mm2 >= max(0.35 * tumor_mm2.max(), min(60.0, tumor_mm2.max())))
        if len(suitable):
            chosen.append((plane, int(suitable[int(rng.random() * len(suitable))])))
    return chosen


def _displayed(image_RAS: Float, plane: str, index: int, *, mirrored: bool) -> Float:
    """(rows, columns) as `cut` has them; sagittal slices may face the other way, as the real set has both."""
    picture = cut(image_RAS, plane, index)
    return np.asarray(picture[:, ::-1] if mirrored and plane == "sagittal" else picture)


def _framed(picture: Float, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """8 bits in a square frame, the head about as large in it as in the real files."""
    high = np.percentile(picture, 99.5) * rng.uniform(0.9, 1.5)
    grey = np.clip(picture * (255 / max(float(high), 1e-6)), 0, 255)
    longest = max(grey.shape)
    frame = round(longest * rng.uniform(1.0, 1.12))
    canvas = np.zeros((frame, frame), dtype=np.uint8)
    top, left = ((frame - n) // 2 for n in grey.shape)
    canvas[top : top + grey.shape[0], left : left + grey.shape[1]] = np.rint(grey)
    return np.asarray(Image.fromarray(canvas).resize((side, side), Image.Resampling.BICUBIC))
