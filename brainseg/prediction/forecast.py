"""What a prediction will take, told before it starts: a rehearsal on a slab of the scan with idle networks.

Reading, resampling, writing and drawing are done for real on a third of the slices, and the networks are
timed on one window each. What grows with the scan is then scaled to the whole. Registering, of which a slab
tells nothing, is timed for one sequence of the whole scan.
"""

import copy
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainseg.config import PredictConfig, SkullStripperConfig
from brainseg.config.choices import Crop, Register, Stage
from brainseg.config.gates import Limits
from brainseg.config.prediction import WindowConfig
from brainseg.gates.atlas import atlas
from brainseg.images import nifti
from brainseg.images.layouts import Subject
from brainseg.images.masks import box_of
from brainseg.images.source import Source, read
from brainseg.images.volume import Grid, Volume, to_ras
from brainseg.prediction.meter import Meter
from brainseg.prediction.models import Models
from brainseg.prediction.outputs import own_dtype
from brainseg.prediction.scans import Scans, brain_if_stripped, registered
from brainseg.prediction.stages import sequences_of, window_options
from brainseg.prediction.subject import Job, predict_subject
from brainseg.preprocess.volumes import head_of
from brainseg.reporting.subject_page import PAGE
from brainseg.reporting.viewer import VOXELS, niivue
from brainseg.system.device import fast_precision
from brainseg.tasks import Ensemble, Segmenter, SkullStripper
from brainseg.tasks.segmenter import MIRRORED
from brainseg.tasks.volumes import whole_volume

SLAB = 3  # one of so many parts of the slices
PICTURE = 3 / (1 + 2 / SLAB)  # a picture shows three planes, of which two are cut to the slab
BRAIN_MM = np.array([150.0, 185.0, 145.0])  # along R, A and S, of an adult: while there is no mask yet
TYPICAL = 0.88  # of BRAIN_MM along each axis: a brain of 1.4 l
# Their seconds grow with the scan, those of other pieces do not.
GROWING = ("strip", "segment", "write", "judge")
REPORT_SIDES = (128, 128, 128)
ANSWERS = 4  # logits of a voxel, at most
FLOAT_MB = 4 / 2**20
BASE64 = 4 / 3
PACKED = 0.6 * BASE64  # bytes of the page for a voxel of the viewers

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
        """One batch of windows is timed after a warm-up, and counted as often as there will be such."""
        start = time.perf_counter()
        batches = self.batches(window)
        around = time.perf_counter() - start
        largest = max(batches, key=lambda shape: shape.numel())
        x = torch.zeros(largest, device=self.module.device)
        with torch.inference_mode(), fast_precision(self.module.device):
            self.module(x)
            start = time.perf_counter()
            self.module(x)
            network = time.perf_counter() - start
        share = sum(shape.numel() for shape in batches) / largest.numel()
        return self.passes * (network * share + around)

    def batches(self, window: WindowConfig) -> list[torch.Size]:
        """The shapes (N, C, x, y, z) that the network is shown in a pass."""
        shown: list[torch.Size] = []

        def idle(windows: torch.Tensor) -> torch.Tensor:
            shown.append(windows.shape)
            return windows.new_zeros(len(windows), ANSWERS, *windows.shape[2:])

        whole_volume(
            self.module, torch.zeros(self.channels, *self.shape), predict=idle, **window_options(window)
        )
        return shown

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
    meter = Meter()
    with meter.measure("read"):
        volumes = {name: read(source) for name, source in subject.images.items()}
    work = list(_work(volumes, job.models, job.options))
    with meter.measure("networks"):
        computing = sum(one.seconds(job.options.window) for one in work)
    moving = len(volumes) - 1 if job.options.pipeline.register is Register.rigid else 0
    if moving:
        with meter.measure("register"):
            computing += moving * _registering(volumes)
    if job.options.gates is not None:
        atlas()  # read once in a process, however many subjects
    with tempfile.TemporaryDirectory() as place, meter.measure("rehearsal"):
        slab, share = _slab_of(subject, volumes, Path(place) / "slab")
        written = Path(place) / "written"
        written.mkdir()
        rehearsal = replace(job, models=_idle(job.models), options=_without_stops(job.options))
        seconds = predict_subject(slab, rehearsal, written)["seconds"]
        pictures, images, page = _written_mb(written)
    growing = sum(value for name, value in seconds.items() if name in GROWING)
    fixed = sum(value for name, value in seconds.items() if name not in (*GROWING, "read"))
    arrays = max([one.memory_mb for one in work], default=0.0) + _native_mb(volumes)
    if moving or _apart(volumes):  # and of the sequences brought to the reference
        arrays += sum(volume.data.size for volume in volumes.values()) * FLOAT_MB
    held = max(*meter.peak_mb.values(), meter.peak_mb["read"] + arrays)
    disk = images / _brain_share(volumes, share) + pictures * PICTURE
    if job.options.page:
        disk += _page_mb(page, pictures, share)
    return Forecast(meter.seconds["read"] + growing / share + fixed + computing, held, disk)


def _work(volumes: Volumes, models: Models, options: PredictConfig) -> Iterator[Work]:
    reference = next(iter(volumes.values()))
    stripped = brain_if_stripped(reference)
    for stage in options.pipeline.stages:
        model = models.get(stage)
        if stage is Stage.strip and isinstance(model, SkullStripper) and stripped is None:
            known = sequences_of(model)
            heads = [volumes[known[0]]] if known else list(volumes.values())
            each = _apart(volumes) and options.pipeline.register is Register.none
            for volume in heads[: None if each else 1]:
                yield Work(model, 1, _prepared_shape(_extent_mm(volume, head_of), model))
            if options.gates is not None and options.gates.flip_agreement is not None:
                yield Work(model, 1, _prepared_shape(_extent_mm(heads[0], head_of), model))
        if stage is Stage.segment and isinstance(model, Ensemble):
            box_mm = _extent_mm(reference, _everything if stripped is None else _filled)
            if stripped is None and models.get(Stage.strip) is not None:
                box_mm = box_mm.clip(max=BRAIN_MM)
            for member in model.members:
                yield Work(member, len(MIRRORED[options.window.flips]), _prepared_shape(box_mm, member))


def _registering(volumes: Volumes) -> float:
    """Seconds to register one sequence and to resample it."""
    (reference, one), *_ = combinations(volumes, 2)
    start = time.perf_counter()
    registered(Scans({name: volumes[name] for name in (reference, one)}, reference, [])).on_reference(one)
    return time.perf_counter() - start


def _apart(volumes: Volumes) -> bool:
    """Whether sequences lie on grids of their own, so that each is stripped by itself."""
    first = next(iter(volumes.values())).grid
    return any(volume.grid.difference(first) for volume in volumes.values())


def _prepared_shape(size_mm: Any, module: Any) -> Shape:
    if module.config.preprocess.crop is Crop.report:
        return REPORT_SIDES
    spacing = module.config.preprocess.spacing_mm or [1.0, 1.0, 1.0]
    x, y, z = (int(np.ceil(size / step)) for size, step in zip(size_mm, spacing, strict=True))
    return x, y, z


def _extent_mm(volume: Volume, mask_of: Callable[[Any], Any]) -> Any:
    """Sides along R, A and S of the box around what `mask_of` takes of an image (1, X, Y, Z)."""
    ras = to_ras(volume)
    x, y, z = (
        len(range(*side.indices(n)))
        for side, n in zip(box_of(mask_of(ras.data)), ras.grid.shape, strict=True)
    )
    return np.multiply((x, y, z), ras.grid.spacing_mm)


def _filled(image: Any) -> Any:
    return image[0] != 0


def _everything(image: Any) -> Any:
    return np.ones(image.shape[1:], bool)


def _brain_share(volumes: Volumes, share: float) -> float:
    """Of the brain that will be written, what the slab holds: of an ellipsoid of a typical height."""
    reference = next(iter(volumes.values()))
    if brain_if_stripped(reference) is not None:
        return share
    slab = min(_extent_mm(reference, _everything)[2] / SLAB / (TYPICAL * BRAIN_MM[2]), 1.0)
    return float(1.5 * slab - 0.5 * slab**3)  # of a ball of height 1, between two planes at +-slab / 2


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


def _without_stops(options: PredictConfig) -> PredictConfig:
    """The same with gates that measure all and stop nothing, and nothing registered.

    A slab is not as high as a brain, and does not say how a head has moved.
    """
    options = replace(options, pipeline=replace(options.pipeline, register=Register.none))
    if options.gates is None:
        return options
    gates = copy.copy(options.gates)
    for one in fields(gates):
        held = getattr(gates, one.name)
        if isinstance(held, Limits):
            setattr(gates, one.name, replace(held, fail=None))
    return replace(options, gates=gates)


def _idle(models: Models) -> Models:
    """The same models, whose networks of volumes answer at once and say next to nothing."""
    idle: Models = {}
    for stage, model in models.items():
        idle[stage] = copy.copy(model)
        if isinstance(model, SkullStripper):
            object.__setattr__(idle[stage], "logits", partial(_column_of_brain, model.config))
        elif isinstance(model, Ensemble):
            answers = 3 if model.has_regions else 4
            object.__setattr__(idle[stage], "probabilities", _Nothing(answers))
            if model.config.preprocess.crop is Crop.report:  # of which a slab has not the shape
                whole = replace(model.config.preprocess, crop=Crop.none)
                object.__setattr__(idle[stage], "config", replace(model.config, preprocess=whole))
    return idle


def _column_of_brain(config: SkullStripperConfig, image_CXYZ: torch.Tensor, **_: Any) -> torch.Tensor:
    """Logits of an ellipse as wide as a typical brain around the middle, the same in every slice."""
    spacing = config.preprocess.spacing_mm or [1.0, 1.0, 1.0]
    x, y = (
        ((torch.arange(n) - (n - 1) / 2) * step / (TYPICAL * side / 2)) ** 2
        for n, step, side in zip(image_CXYZ.shape[1:3], spacing, BRAIN_MM, strict=False)
    )
    return (1 - x[:, None, None] - y[:, None]).expand(image_CXYZ.shape[1:])[None]


class _Nothing:
    """Probabilities without a tumour."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    def __call__(self, image: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        found = torch.zeros(self.answers, *image.shape[1:])
        if self.answers == 4:
            found[0] = 1.0
        return found


def _written_mb(folder: Path) -> tuple[float, float, float]:
    """Of pictures, which hardly grow with the scan, of images, and of the page."""
    sizes = {path: path.stat().st_size / 1e6 for path in folder.iterdir()}
    pictures = sum(size for path, size in sizes.items() if path.suffix == ".png")
    page = sum(size for path, size in sizes.items() if path.name == PAGE)
    return pictures, sum(sizes.values()) - pictures - page, page


def _page_mb(page: float, pictures: float, share: float) -> float:
    """Of a page whose slab's took so much: the script stays, the volumes grow to the most that it holds."""
    script = niivue()
    fixed = len(script.packed) / 1e6 if script else 0.0
    volumes = page - fixed - pictures * BASE64
    return fixed + pictures * PICTURE * BASE64 + min(volumes / share, VOXELS * PACKED / 1e6)
