"""Every key of conf/train.yaml: its type, its meaning and its bounds.

The values live in conf/. A field without a default (MISSING) must be given there, so that no number is
written in two places. Hydra refuses unknown keys and wrong types while it composes the config, before any job
of a sweep starts; `__post_init__` refuses values out of bounds when `brainseg.config.check` turns a section
into these classes.
"""

from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any, Optional

from omegaconf import MISSING

from brainseg.config.bounds import (
    at_least,
    at_most,
    auto_or_number,
    first_of,
    known,
    share,
    three_positive,
    within,
    yes_or_no,
)
from brainseg.config.choices import (
    ANY,
    BATCH_NORMED,
    DISTANCE_LOSSES,
    REGION_LOSSES,
    SEQUENCES,
    TUMOR_TYPES,
    ClassifierLoss,
    Crop,
    Head,
    HeadInit,
    Intensity,
    MonitorMode,
    Norm,
    Normalise,
    Optimizer,
    Retry,
    Scheduler,
    SegmentationLoss,
    SegmenterOutput,
    SliceCrop,
    StripperLoss,
    TypeNet,
    VolumeNet,
)
from brainseg.config.errors import ConfigError

# Far beyond what any model needs. A config from elsewhere, in a checkpoint for instance, asks for no more.
MOST_LEVELS, MOST_CHANNELS = 10, 4096
MOST_VOXELS = 2**25  # of a patch: a cube of 322
MOST_SIDE = 320  # of a cube
MOST_PIXELS = 4096  # along a side of a slice
SPACING_MM = (0.1, 50.0)
MOST_MARGIN_MM = 500
MOST_SEED = 2**32 - 1  # of numpy


def _channels_fit(channels: list[int]) -> None:
    if len(channels) > MOST_LEVELS or not all(1 <= width <= MOST_CHANNELS for width in channels):
        raise ConfigError(
            f"channels takes at most {MOST_LEVELS} levels of 1 to {MOST_CHANNELS} feature maps, "
            f"got {first_of(channels)}"
        )


def _patch_fits(patch: list[int], channels: list[int]) -> None:
    three_positive("patch", patch)
    if prod(patch) > MOST_VOXELS:
        raise ConfigError(f"patch takes at most {MOST_VOXELS} voxels, got {list(patch)}")
    halvings = len(channels) - 1
    if any(side % 2**halvings for side in patch):
        raise ConfigError(
            f"patch must be divisible by {2**halvings}, as {len(channels)} levels of channels "
            f"halve it {halvings} times; got {list(patch)}"
        )


def _proper_subsets(every: list[str]) -> list[list[str]]:
    """Large ones first."""
    sizes = range(len(every) - 1, 0, -1)
    return [list(names) for n in sizes for names in combinations(every, n)]


@dataclass
class SlicePreprocess:
    """How a 2D slice is prepared before the classifier sees it."""

    size: int = MISSING  # side of the square input, pixels
    crop: SliceCrop = MISSING  # what is cut out of the slice before it is scaled
    normalise: Normalise = MISSING  # the range of values that the backbone gets
    stripped: bool = MISSING  # slices show no skull; prediction then strips the skull first

    def __post_init__(self) -> None:
        at_least("preprocess.size", self.size, 32)
        at_most("preprocess.size", self.size, MOST_PIXELS)


@dataclass
class VolumePreprocess:
    """How a 3D scan is prepared before a network sees it. Every scan is turned to RAS first."""

    modalities: list[str] = MISSING  # sequences in the order of the channels; [any]: one of any kind
    spacing_mm: Optional[list[float]] = MISSING  # voxel size after resampling; null: the scan's own
    intensity: Intensity = MISSING  # how values are scaled
    crop: Crop = MISSING  # what is cut out of the scan

    def __post_init__(self) -> None:
        if list(self.modalities) != [ANY]:
            known("preprocess.modalities", self.modalities, SEQUENCES)
        if self.spacing_mm is not None:
            three_positive("preprocess.spacing_mm", self.spacing_mm)
            if not all(SPACING_MM[0] <= side <= SPACING_MM[1] for side in self.spacing_mm):
                raise ConfigError(
                    f"preprocess.spacing_mm takes {SPACING_MM[0]} to {SPACING_MM[1]} mm along each axis, "
                    f"got {list(self.spacing_mm)}"
                )


@dataclass
class SliceAugment:
    """Random changes of a training slice. 0 leaves a change out."""

    flip: float = MISSING  # probability of a left-right flip
    rotate_degrees: float = MISSING  # largest rotation
    scale: float = MISSING  # largest relative change of size
    shift: float = MISSING  # largest shift, as a share of the side
    contrast: float = MISSING  # largest relative change of the spread about the mean
    brightness: float = MISSING  # largest shift, in standard deviations of the slice
    noise: float = MISSING  # largest standard deviation of noise, in standard deviations of the slice

    def __post_init__(self) -> None:
        share("augment.flip", self.flip)


@dataclass
class VolumeAugment:
    """Random changes of a training patch. A probability of 0 leaves a change out."""

    flip: float = MISSING  # probability of a left-right flip
    affine: float = MISSING  # probability of a rotation and scaling
    rotate_degrees: float = MISSING  # largest rotation about each axis
    scale: float = MISSING  # largest relative change of size
    elastic: float = MISSING  # probability of a smooth displacement
    bend: float = MISSING  # largest displacement along each axis, voxels
    motion: float = MISSING  # probability of a head that moved while it was scanned
    motion_degrees: float = MISSING  # largest rotation of that motion about each axis
    motion_voxels: float = MISSING  # largest shift of that motion along each axis
    intensity: float = MISSING  # probability of each of bias, gamma, contrast, brightness, noise
    bias: float = MISSING  # largest logarithm of a smooth multiplicative field
    gamma: float = MISSING  # largest logarithm of the exponent
    contrast: float = MISSING  # largest relative change of the spread about the mean
    brightness: float = MISSING  # largest shift, in standard deviations
    noise: float = MISSING  # largest standard deviation of noise, in standard deviations

    def __post_init__(self) -> None:
        share("augment.flip", self.flip)
        share("augment.affine", self.affine)
        share("augment.elastic", self.elastic)
        share("augment.motion", self.motion)
        share("augment.intensity", self.intensity)


@dataclass
class Recipe:
    """How any of the models is trained."""

    optimizer: Optimizer = MISSING  # an entry of menu.optimizer
    scheduler: Scheduler = MISSING  # an entry of menu.scheduler: how the learning rate changes
    epochs: int = MISSING  # how often the training part is gone through
    batch_size: int = MISSING  # slices or patches in a batch
    ema: Optional[float] = MISSING  # decay of the mean of the weights that is kept; null: no mean
    monitor: str = MISSING  # the logged metric that decides which checkpoint is best
    monitor_mode: MonitorMode = MISSING  # whether a lower or a higher value of it is better

    def __post_init__(self) -> None:
        at_least("epochs", self.epochs, 1)
        at_least("batch_size", self.batch_size, 1)
        if self.ema is not None:
            within("ema", self.ema, 0, 1)


@dataclass
class ClassifierConfig(Recipe):
    """A timm backbone that names the tumour in one slice."""

    backbone: str = MISSING  # any name in timm.list_models()
    head: Head = MISSING  # the layers after the backbone
    dropout: float = MISSING  # dropout rate of head=mlp
    head_init: HeadInit = MISSING  # how the weights of the head begin
    drop_path: float = MISSING  # stochastic depth: rate of the last block, the others in proportion
    batch_norm_eps: Optional[float] = MISSING  # epsilon of batch normalisation; null: as in timm
    batch_norm_momentum: Optional[float] = MISSING  # 0.01 for 0.99 in Keras; null: as in timm
    pretrained: bool = MISSING  # begin with ImageNet weights, out of the file `weights` or downloaded by timm
    weights: Optional[str] = MISSING  # a file with the backbone's ImageNet weights
    classes: list[str] = MISSING  # tumour types in the order of the outputs
    preprocess: SlicePreprocess = MISSING
    margin_mm: float = MISSING  # how far slices without skull reach beyond the brain mask
    augment: SliceAugment = MISSING
    loss: ClassifierLoss = MISSING  # an entry of menu.loss

    def __post_init__(self) -> None:
        super().__post_init__()
        known("classes", self.classes, TUMOR_TYPES)
        within("dropout", self.dropout, 0, 1)
        within("drop_path", self.drop_path, 0, 1)
        at_least("margin_mm", self.margin_mm, 0)
        at_most("margin_mm", self.margin_mm, MOST_MARGIN_MM)
        if self.pretrained and self.preprocess.normalise is Normalise.caffe:
            raise ConfigError(
                "pretrained is true, but preprocess.normalise=caffe feeds values of another size than timm's "
                "weights have learnt from; set preprocess.normalise=imagenet"
            )
        if self.margin_mm and not self.preprocess.stripped:
            raise ConfigError(
                f"margin_mm is {self.margin_mm} but preprocess.stripped is false, so nothing is cut; "
                "set preprocess.stripped=true, or margin_mm=0"
            )
        if self.weights is not None and not self.pretrained:
            raise ConfigError(f"weights is {self.weights} but pretrained is false; set pretrained=true")


@dataclass
class VolumeRecipe(Recipe):
    """What the two models of volumes share."""

    net: VolumeNet = MISSING  # the network
    channels: list[int] = MISSING  # feature maps of each level, from full resolution down
    dropout: Any = MISSING  # dropout rate; for unet3d also a list with a rate for each level
    preprocess: VolumePreprocess = MISSING
    patch: list[int] = MISSING  # voxels of a training patch, and of a window, along R, A, S
    patches_per_volume: int = MISSING  # drawn from each training scan in an epoch
    foreground_share: float = MISSING  # share of the patches whose centre lies in the brain or tumour
    augment: VolumeAugment = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        _channels_fit(self.channels)
        _patch_fits(self.patch, self.channels)
        at_least("patches_per_volume", self.patches_per_volume, 1)
        for rate in self.dropout if isinstance(self.dropout, list) else [self.dropout]:
            within("dropout", rate, 0, 1)
        share("foreground_share", self.foreground_share)


@dataclass
class SkullStripperConfig(VolumeRecipe):
    """A 3D network with one logit per voxel: brain or not."""

    loss: StripperLoss = MISSING  # an entry of menu.loss
    optional_skip: bool = MISSING  # convolutions on the uppermost skip connection of residual_unet3d

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss in DISTANCE_LOSSES and self.preprocess.spacing_mm is None:
            raise ConfigError(
                f"loss={self.loss} measures in mm, but preprocess.spacing_mm is null, which leaves each scan "
                "its own voxels; set it, for instance to [1,1,1]"
            )
        if len(self.preprocess.modalities) != 1:
            raise ConfigError(
                f"preprocess.modalities takes one sequence, a skull stripper sees one image at a time; "
                f"got {list(self.preprocess.modalities)}"
            )


@dataclass
class SegmenterConfig(VolumeRecipe):
    """A 3D network that outlines a tumour's parts, from all its sequences or from a subset of them."""

    output: SegmenterOutput = MISSING  # what the network tells of each voxel
    cavity: bool = MISSING  # resection cavities are a class and a region of their own; false: background
    margin_mm: float = MISSING  # how far the scans that the network sees reach beyond the brain mask
    loss: SegmentationLoss = MISSING  # an entry of menu.loss
    norm: Norm = MISSING  # normalisation layers of unet, segresnet and dynunet
    deep_supervision: bool = MISSING  # the coarser levels of dynunet are compared with the truth as well
    subsets: Any = MISSING  # lists of sequences that may stand for all in prediction; any: every subset
    subset_share: float = MISSING  # share of the training patches that show one of the subsets only

    def __post_init__(self) -> None:
        super().__post_init__()
        known("preprocess.modalities", self.preprocess.modalities, SEQUENCES)
        at_least("margin_mm", self.margin_mm, 0)
        at_most("margin_mm", self.margin_mm, MOST_MARGIN_MM)
        share("subset_share", self.subset_share)
        if (self.loss in REGION_LOSSES) != (self.output is SegmenterOutput.regions):
            fitting = [str(loss) for loss in SegmentationLoss if (loss in REGION_LOSSES) == self._has_regions]
            raise ConfigError(
                f"loss={self.loss} does not go with output={self.output}; take one of {', '.join(fitting)}"
            )
        if self.deep_supervision and self.net is not VolumeNet.dynunet:
            raise ConfigError(f"deep_supervision=true needs net=dynunet, {self.net} has one output only")
        if self.norm is Norm.batch and self.net not in BATCH_NORMED:
            raise ConfigError(
                f"norm=batch is not for net={self.net}; take one of {', '.join(map(str, BATCH_NORMED))}"
            )
        if bool(self.trained_subsets()) != (self.subset_share > 0):
            raise ConfigError(
                f"subset_share is {self.subset_share} and subsets is {self.subsets}: set both, "
                "for instance to 0.5 and any, or neither"
            )

    @property
    def class_count(self) -> int:
        """How many classes a voxel may have: background, three of the tumour, and the cavity."""
        return 5 if self.cavity else 4

    @property
    def cavity_in_words(self) -> str:
        return " and resection cavity last (segmenter.cavity=true)" if self.cavity else ""

    @property
    def _has_regions(self) -> bool:
        return self.output is SegmenterOutput.regions

    def trained_subsets(self) -> list[list[str]]:
        """The proper subsets of the modalities that training shows, each in the order of the channels."""
        every = list(self.preprocess.modalities)
        if self.subsets == ANY:
            return _proper_subsets(every)
        if not isinstance(self.subsets, list) or not all(isinstance(names, list) for names in self.subsets):
            raise ConfigError(f"subsets takes lists of modalities, or any; got {self.subsets}")
        for names in self.subsets:
            known("subsets", names, tuple(every))
            if len(names) == len(every):
                raise ConfigError(f"subsets holds {names}, which are all modalities; leave it out")
        return [[name for name in every if name in names] for names in self.subsets]


@dataclass
class VolumeClassifierConfig(Recipe):
    """A 3D network that names the tumour in a whole scan without skull, from one sequence or several."""

    net: TypeNet = MISSING  # the network
    channels: list[int] = MISSING  # of residual and unet_encoder: feature maps of each level
    dropout: float = MISSING  # dropout rate before the last layer
    classes: list[str] = MISSING  # tumour types in the order of the outputs
    preprocess: VolumePreprocess = MISSING
    side: int = MISSING  # voxels a side of the cube about the middle of the brain that the network sees
    margin_mm: float = MISSING  # how far the scans that the network sees reach beyond the brain mask
    subset_share: float = MISSING  # share of the training scans that show some of their sequences only
    turns: float = MISSING  # probability that a training scan is laid in another of the 48 orientations
    augment: VolumeAugment = MISSING
    loss: ClassifierLoss = MISSING  # an entry of menu.loss

    def __post_init__(self) -> None:
        super().__post_init__()
        _channels_fit(self.channels)
        known("classes", self.classes, TUMOR_TYPES)
        within("dropout", self.dropout, 0, 1)
        at_least("side", self.side, 16)
        at_most("side", self.side, MOST_SIDE)
        at_least("margin_mm", self.margin_mm, 0)
        at_most("margin_mm", self.margin_mm, MOST_MARGIN_MM)
        share("subset_share", self.subset_share)
        share("turns", self.turns)
        spacing_mm = self.preprocess.spacing_mm
        if spacing_mm is None or len(set(spacing_mm)) > 1:
            raise ConfigError(
                f"preprocess.spacing_mm is {spacing_mm}, but a classifier of volumes sees cubes; set it, for "
                "instance to [3,3,3]"
            )
        if self.preprocess.intensity is Intensity.landmarks:
            raise ConfigError(
                "preprocess.intensity=landmarks is not for a classifier of volumes, which sees any part of "
                "its sequences; set preprocess.intensity=zscore_nonzero"
            )
        if self.subset_share and len(self.preprocess.modalities) == 1:
            raise ConfigError(
                f"subset_share is {self.subset_share}, but {self.preprocess.modalities[0]} is the only "
                "sequence; set subset_share=0"
            )

    def trained_subsets(self) -> list[list[str]]:
        """The proper subsets of the modalities that training shows, each in the order of the channels."""
        return _proper_subsets(list(self.preprocess.modalities)) if self.subset_share else []


@dataclass
class Paths:
    """Folders that are read and written."""

    data: str = MISSING  # the data sets, a folder each
    cache: str = MISSING  # preprocessed scans; safe to delete
    outputs: str = MISSING  # all runs
    run: Optional[str] = MISSING  # this run; null where nothing runs: --cfg job --resolve


@dataclass
class TrainerConfig:
    """The common part of pytorch_lightning.Trainer; `+trainer.KEY=VALUE` sets any other key of it."""

    _target_: str = MISSING
    default_root_dir: Optional[str] = MISSING  # where Lightning writes what has no place of its own
    max_epochs: int = MISSING  # stops after so many epochs; the schedule stays that of TASK.epochs
    max_time: Optional[str] = MISSING  # DD:HH:MM:SS; a run that is resumed has as long again
    early_stopping: Optional[int] = MISSING  # ends after so many epochs without a better metric; null: never
    checkpoint_minutes: Optional[float] = MISSING  # between two checkpoints; 0: each batch; null: each epoch
    accelerator: str = MISSING  # auto, cpu, gpu or mps
    devices: Any = MISSING  # how many, a list of their numbers, or auto
    num_nodes: int = MISSING  # machines of a cluster
    strategy: str = MISSING  # auto, or ddp for several processes
    precision: str = MISSING  # 32-true, bf16-mixed, ...; auto: the faster, timed before 200 steps or more
    threads: Any = MISSING  # that compute; auto: OMP_NUM_THREADS, else what data.workers leaves of the cores
    compile: Any = MISSING  # compile the network; auto: on a GPU, for a training of 2,000 steps or more
    half_images: Any = MISSING  # images changed on the CPU go to the device as float16; auto: to a GPU
    augment_on_device: Any = MISSING  # training samples are painted and changed on the device; auto: on a GPU
    gradient_clip_val: Optional[float] = MISSING  # largest norm of the gradient; null: any
    accumulate_grad_batches: int = MISSING  # batches to an optimizer step
    check_val_every_n_epoch: int = MISSING  # epochs from one validation to the next
    limit_train_batches: Any = MISSING  # whole number: batches of an epoch; decimal: share of them; null: all
    limit_val_batches: Any = MISSING  # the same of the validation
    limit_test_batches: Any = MISSING  # the same of the test
    log_every_n_steps: int = MISSING  # batches from one logged value to the next
    num_sanity_val_steps: int = MISSING  # batches of a trial validation before the training
    deterministic: Any = MISSING  # true: only operations that give the same result each time; false; or warn
    enable_model_summary: bool = MISSING  # print the layers and their sizes
    use_distributed_sampler: bool = MISSING  # leave it false: the data shares an epoch out itself

    def __post_init__(self) -> None:
        at_least("trainer.max_epochs", self.max_epochs, -1)
        yes_or_no("trainer.compile", self.compile)
        auto_or_number("trainer.threads", self.threads)
        yes_or_no("trainer.half_images", self.half_images)
        yes_or_no("trainer.augment_on_device", self.augment_on_device)
        at_least("trainer.num_nodes", self.num_nodes, 1)
        at_least("trainer.accumulate_grad_batches", self.accumulate_grad_batches, 1)
        at_least("trainer.check_val_every_n_epoch", self.check_val_every_n_epoch, 1)
        at_least("trainer.log_every_n_steps", self.log_every_n_steps, 1)
        at_least("trainer.num_sanity_val_steps", self.num_sanity_val_steps, -1)
        if self.gradient_clip_val is not None:
            at_least("trainer.gradient_clip_val", self.gradient_clip_val, 0)
        if self.checkpoint_minutes is not None:
            at_least("trainer.checkpoint_minutes", self.checkpoint_minutes, 0)
        if isinstance(self.early_stopping, int):
            at_least("trainer.early_stopping", self.early_stopping, 1)


@dataclass
class SweepConfig:
    """What a sweep (`-m`) does when the same command is given again."""

    retry: Retry = MISSING  # which jobs that have ended are begun again
    storage: Optional[str] = MISSING  # data base of a job's study; hydra/sweeper=optuna sets these three
    study: Optional[str] = MISSING  # name of that study in it
    trial: Optional[int] = MISSING  # number of the job's trial in the study


@dataclass
class TrainConfig:
    """The whole of conf/train.yaml. Only the section of the task that is trained is filled in."""

    task: str = MISSING  # set by model=NAME: classifier, skullstripper, segmenter or volume_classifier
    classifier: ClassifierConfig = MISSING
    skullstripper: SkullStripperConfig = MISSING
    segmenter: SegmenterConfig = MISSING
    volume_classifier: VolumeClassifierConfig = MISSING

    name: str = MISSING  # name of the run, in its folder's name and in W&B
    group: Optional[str] = MISSING  # group of runs in W&B, for instance a sweep
    tags: list[str] = MISSING  # tags of the run in W&B
    seed: int = MISSING  # seed of all random numbers: weights, splits, patches, augmentation
    resume: Optional[str] = MISSING  # folder of a stopped run, or a checkpoint in it: that run goes on
    overwrite: bool = MISSING  # a new run replaces the checkpoints of an earlier one in its folder
    start_from: Optional[str] = MISSING  # checkpoint of the same task and network with the first weights
    test: bool = MISSING  # score the best checkpoint on the test part after training
    sweep: SweepConfig = MISSING
    paths: Paths = MISSING

    data: Any = MISSING  # a datamodule: its constructor is its schema
    trainer: TrainerConfig = MISSING
    callbacks: Any = MISSING
    logger: Any = MISSING
    menu: Any = MISSING

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0)
        at_most("seed", self.seed, MOST_SEED)
