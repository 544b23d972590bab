"""What a prediction will take, told before it starts: a rehearsal on a slab of the scan with idle networks.

Reading, resampling, writing and drawing are done for real on a third of the slices, and the networks are
timed on one window each. What grows with the scan is then scaled to the whole.
"""

import copy
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainseg.config import PredictConfig
from brainseg.config.schema import Stage, WindowConfig
from brainseg.device import fast_precision, peak_memory_mb
from brainseg.images import nifti
from brainseg.images.layouts import Source, Subject
from brainseg.images.margin import box_of
from brainseg.images.volume import Grid, Volume, to_ras
from brainseg.pipeline.models import Models
from brainseg.pipeline.outputs import own_dtype
from brainseg.pipeline.scans import brain_if_stripped
from brainseg.pipeline.stages import sequences_of, window_options
from brainseg.pipeline.subject import Job, predict_subject
from brainseg.preprocess.volumes import head_of
from brainseg.tasks import Ensemble, Segmenter, SkullStripper
from brainseg.tasks.segmenter import MIRRORED
from brainseg.tasks.volumes import whole_volume

SLAB = 3  # one of so many parts of the slices
PICTURE = 3 / (1 + 2 / SLAB)  # a picture shows three planes, of which two are cut to the slab
BRAIN_MM = np.array([150.0, 185.0, 145.0])  # along R, A and S, of an adult: while there is no mask yet
GROWING = ("strip", "segment", "write")  # their seconds grow with the scan, those of other pieces do not
ANSWERS = 4  # logits of a voxel, at most
FLOAT_MB = 4 / 2**20

Volumes = Mapping[str, Volume]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Forecast:
    """Of one subject."""

    seconds: float
    memory_mb: float  # the most that the process will hold, with Python and its libraries
    disk_mb: float


@dataclass(frozen=True)
class Work:
    """What one network does for a subject: so many passes over a prepared scan of that shape."""

    module: Segmenter | SkullStripper
    passes: int
    shape: Shape

    def seconds(self, window: WindowConfig) -> float:
        """One window is timed after a warm-up, and counted as often as windows will be."""
        x = torch.zeros(1, self.channels, *self.module.config.patch, device=self.module.device)
        with torch.inference_mode(), fast_precision(self.module.device):
            self.module(x)
            start = time.perf_counter()
            self.module(x)
            network = time.perf_counter() - start
        start = time.perf_counter()
        voxels = self.voxels(window)
        around = time.perf_counter() - start
        return self.passes * (network * voxels / x[0, 0].numel() + around)

    def voxels(self, window: WindowConfig) -> int:
        """Of all windows that the network is shown in a pass."""
        seen = 0

        def idle(windows: torch.Tensor) -> torch.Tensor:
            nonlocal seen
            seen += windows[:, 0].numel()
            return windows.new_zeros(len(windows), ANSWERS, *windows.shape[2:])

        whole_volume(
            self.module, torch.zeros(self.channels, *self.shape), predict=idle, **window_options(window)
        )
        return seen

    @property
    def channels(self) -> int:
        return len(self.module.config.preprocess.modalities)

    @property
    def memory_mb(self) -> float:
        """Of the prepared scan and of the logits gathered for it, before and after they are averaged."""
        return (2 * self.channels + 3 * ANSWERS) * float(np.prod(self.shape)) * FLOAT_MB


def forecast(subject: Subject, job: Job) -> Forecast:
    """What `predict_subject` will take for this subject, with these models, on this machine as it is now.

    Raises:
        UserError: The subject cannot be used.
    """
    start = time.perf_counter()
    volumes = {name: nifti.read(source.path, source.channel) for name, source in subject.images.items()}
    reading = time.perf_counter() - start
    work = list(_work(volumes, job.models, job.options))
    computing = sum(one.seconds(job.options.window) for one in work)
    with tempfile.TemporaryDirectory() as place:
        slab, share = _slab_of(subject, volumes, Path(place) / "slab")
        written = Path(place) / "written"
        written.mkdir()
        seconds = predict_subject(slab, replace(job, models=_idle(job.models)), written)["seconds"]
        pictures, images = _written_mb(written)
    growing = sum(value for name, value in seconds.items() if name in GROWING)
    fixed = sum(value for name, value in seconds.items() if name not in (*GROWING, "read"))
    held = peak_memory_mb() + max([one.memory_mb for one in work], default=0.0) + _native_mb(volumes)
    disk = images / share + pictures * PICTURE
    return Forecast(reading + growing / share + fixed + computing, held, disk)


def _work(volumes: Volumes, models: Models, options: PredictConfig) -> Iterator[Work]:
    reference = next(iter(volumes.values()))
    stripped = brain_if_stripped(reference)
    for stage in options.pipeline.stages:
        model = models.get(stage)
        if stage is Stage.strip and isinstance(model, SkullStripper) and stripped is None:
            known = sequences_of(model)
            heads = [volumes[known[0]]] if known else list(volumes.values())
            for volume in heads[: None if _apart(volumes) else 1]:
                yield Work(model, 1, _prepared_shape(_head_mm(volume), model))
        if stage is Stage.segment and isinstance(model, Ensemble):
            box_mm = _field_mm(reference).clip(max=BRAIN_MM) if stripped is None else _box_mm(reference)
            for member in model.members:
                yield Work(member, len(MIRRORED[options.window.flips]), _prepared_shape(box_mm, member))


def _apart(volumes: Volumes) -> bool:
    """Whether sequences lie on grids of their own, so that each is stripped by itself."""
    first = next(iter(volumes.values())).grid
    return any(volume.grid.difference(first) for volume in volumes.values())


def _prepared_shape(size_mm: Any, module: Any) -> Shape:
    spacing = module.config.preprocess.spacing_mm or [1.0, 1.0, 1.0]
    x, y, z = (int(np.ceil(size / step)) for size, step in zip(size_mm, spacing, strict=True))
    return x, y, z


def _field_mm(volume: Volume) -> Any:
    ras = to_ras(volume)
    return np.multiply(ras.grid.shape, ras.grid.spacing_mm)


def _box_mm(volume: Volume) -> Any:
    ras = to_ras(volume)
    box = box_of(ras.data[0] != 0)
    return np.multiply([side.stop - side.start for side in box], ras.grid.spacing_mm)


def _head_mm(volume: Volume) -> Any:
    ras = to_ras(volume)
    box = box_of(head_of(ras.data))
    return np.multiply([side.stop - side.start for side in box], ras.grid.spacing_mm)


def _native_mb(volumes: Volumes) -> float:
    """Of the scans as read, joined and turned, and of four answers before and after they are turned back."""
    sizes = [volume.data.size for volume in volumes.values()]
    return (2 * sum(sizes) + 8 * max(sizes)) * FLOAT_MB


def _slab_of(subject: Subject, volumes: Volumes, folder: Path) -> tuple[Subject, float]:
    """The subject with the middle third of its slices only, and their share of what is bright."""
    folder.mkdir()
    images, shares = {}, []
    for name, volume in volumes.items():
        axis = int(np.abs(volume.grid.affine[2, :3]).argmax())  # runs along S
        n = volume.grid.shape[axis]
        length = max(1, n // SLAB)
        first = (n - length) // 2
        data = volume.data.take(range(first, first + length), axis=axis + 1)
        shift = np.eye(4)
        shift[axis, 3] = first
        x, y, z = data.shape[1:]
        path = folder / f"{name}.nii.gz"
        nifti.write(path, own_dtype(data[0], volume), Grid((x, y, z), volume.grid.affine @ shift))
        images[name] = Source(path)
        level = float(volume.data.mean())
        shares.append(int((data > level).sum()) / max(1, int((volume.data > level).sum())))
    slab = replace(subject, folder=folder, images=images, truth=None, brain_mask=None, brain_masks={})
    return slab, float(np.mean(shares))


def _idle(models: Models) -> Models:
    """The same models, whose networks of volumes answer at once and say next to nothing."""
    idle: Models = {}
    for stage, model in models.items():
        idle[stage] = copy.copy(model)
        if isinstance(model, SkullStripper):
            # What is brighter than the mean is brain: something has to be.
            object.__setattr__(idle[stage], "logits", lambda image, **_: image[:1] - image.mean())
        elif isinstance(model, Ensemble):
            answers = 3 if model.has_regions else 4
            object.__setattr__(idle[stage], "probabilities", _Nothing(answers))
    return idle


class _Nothing:
    """Probabilities without a tumour."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    def __call__(self, image: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        found = torch.zeros(self.answers, *image.shape[1:])
        if self.answers == 4:
            found[0] = 1.0
        return found


def _written_mb(folder: Path) -> tuple[float, float]:
    """Of pictures, which hardly grow with the scan, and of images."""
    sizes = {path: path.stat().st_size / 1e6 for path in folder.iterdir()}
    pictures = sum(size for path, size in sizes.items() if path.suffix == ".png")
    return pictures, sum(sizes.values()) - pictures
