"""Every key of the configuration: its type, its meaning and its bounds.

The values live in conf/. A field without a default (MISSING) must be given there, so that no number is
written in two places. Hydra refuses unknown keys and wrong types while it composes the config, before any job
of a sweep starts; `__post_init__` refuses values out of bounds when `brainseg.config.check` turns a section
into these classes; its messages begin with the key within the section, and `check` puts the section's name
before it.
"""

from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from math import inf, prod
from typing import Any, Optional

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from brainseg.config.errors import ConfigError

SEQUENCES = ("t1", "t1ce", "t2", "flair")
ANY = "any"  # whichever sequence there is, for a skull stripper that knows them all
OTSU = "otsu"  # in the place of a skull stripper's checkpoint
TUMOR_TYPES = ("glioma", "meningioma", "notumor", "pituitary")  # the order of the classifier's logits
# Far beyond what any model needs. A config from elsewhere, in a checkpoint for instance, asks for no more.
MOST_LEVELS, MOST_CHANNELS = 10, 4096
MOST_VOXELS = 2**25  # of a patch: a cube of 322
MOST_PIXELS = 4096  # along a side of a slice
SPACING_MM = (0.1, 50.0)
MOST_MARGIN_MM = 500


class Choice(Enum):
    """A closed list of names, written in the config and in file names as they are."""

    def __str__(self) -> str:
        return self.name


# A name of the next five needs an entry of the same name in conf/menu/ (tests/config/test_menu.py checks it).
class ClassifierLoss(Choice):
    categorical_crossentropy = "categorical_crossentropy"
    kl_divergence = "kl_divergence"
    categorical_hinge = "categorical_hinge"


class StripperLoss(Choice):
    binary_dice = "binary_dice"
    binary_iou = "binary_iou"
    binary_crossentropy = "binary_crossentropy"
    mse = "mse"
    binary_dice_bce = "binary_dice_bce"
    signed_distance = "signed_distance"
    binary_dice_bce_distance = "binary_dice_bce_distance"


DISTANCE_LOSSES = (StripperLoss.signed_distance, StripperLoss.binary_dice_bce_distance)


class SegmentationLoss(Choice):
    dice = "dice"
    dice_focal = "dice_focal"
    dice_ce = "dice_ce"
    region_dice_bce = "region_dice_bce"
    region_dice_focal = "region_dice_focal"


REGION_LOSSES = (SegmentationLoss.region_dice_bce, SegmentationLoss.region_dice_focal)


class SegmenterOutput(Choice):
    classes = "classes"  # background, necrotic core, edema, enhancing tumour: the likeliest one wins
    regions = "regions"  # whole tumour, tumour core, enhancing tumour: three masks, one within the other


class Optimizer(Choice):
    adam = "adam"
    nadam = "nadam"
    sgd = "sgd"
    adamw = "adamw"


class Scheduler(Choice):
    constant = "constant"
    cosine = "cosine"
    cosine_per_batch = "cosine_per_batch"
    cosine_per_epoch = "cosine_per_epoch"
    poly = "poly"
    one_cycle = "one_cycle"


class VolumeNet(Choice):
    """Networks for volumes, built by `brainseg.nets.build_volume_net`."""

    unet3d = "unet3d"  # the report's segmenter: no normalisation layers
    residual_unet3d = "residual_unet3d"  # the report's skull stripper, as its authors found it
    residual_unet3d_advanced = "residual_unet3d_advanced"  # and as they changed it
    unet = "unet"  # MONAI's, with instance normalisation: small and fast
    segresnet = "segresnet"
    dynunet = "dynunet"


class Norm(Choice):
    own = "own"  # of a window, for each feature map, in segresnet for groups of them; unet3d has none
    batch = "batch"  # means and deviations of training: a window of any size is seen alike


BATCH_NORMED = (VolumeNet.unet, VolumeNet.segresnet, VolumeNet.dynunet)


class Head(Choice):
    linear = "linear"
    mlp = "mlp"  # 64, dropout, 32, 16: the report's figure 11


class HeadInit(Choice):
    torch = "torch"  # uniform up to 1 / sqrt(inputs), biases too
    glorot = "glorot"  # uniform up to sqrt(6 / (inputs + outputs)), biases 0: Keras's


class Intensity(Choice):
    zscore = "zscore"  # mean 0, standard deviation 1 over the whole volume
    zscore_nonzero = "zscore_nonzero"  # the same over voxels that are not 0, for skull-stripped scans
    minmax = "minmax"  # to [0, 1]
    percentile = "percentile"  # robust range of the head to [0, 1], for scans with skull and air
    landmarks = "landmarks"  # percentiles of the head as the training part has them, then zscore of the head


class Crop(Choice):
    none = "none"
    nonzero = "nonzero"  # the box of the voxels that are not 0, for skull-stripped scans
    head = "head"  # the box of the head, for scans with air around it
    report = "report"  # voxels 56 to 183, 56 to 183, 13 to 140 of 240 x 240 x 155, once scaled


class SliceCrop(Choice):
    none = "none"
    head = "head"


class Normalise(Choice):
    imagenet = "imagenet"  # mean and deviation of ImageNet, what timm's pretrained weights were trained with
    unit = "unit"  # to [0, 1]
    head = "head"  # mean 0, deviation 1 over the slice's own bright pixels: scanners differ in brightness
    caffe = "caffe"  # 0 to 255 less ImageNet's mean: Keras's for VGG16 and ResNet50
    tf = "tf"  # to [-1, 1]: Keras's for MobileNetV2. Its EfficientNetB0 divides by 255 itself, as unit does
    double_scaled = "double_scaled"  # imagenet of x / 255, a mistake: where the network divides by 255 again


class MonitorMode(Choice):
    min = "min"
    max = "max"


class Blend(Choice):
    constant = "constant"
    gaussian = "gaussian"


class Flips(Choice):
    none = "none"
    left_right = "left_right"
    all = "all"  # along each axis and combination of axes: eight times the work


class Stage(Choice):
    strip = "strip"
    classify = "classify"
    segment = "segment"


class Align(Choice):
    resample = "resample"  # sequences on other grids are brought to the first one's by their headers
    refuse = "refuse"


class Register(Choice):
    none = "none"  # the headers say where sequences lie
    rigid = "rigid"  # each sequence is moved onto the first one's head: patients move between scans


def _at_most(key: str, value: float, high: float) -> None:
    if not value <= high:  # NaN is not
        raise ConfigError(f"{key} must be at most {high}, got {value}")


def _at_least(key: str, value: float, low: float) -> None:
    if not value >= low:
        raise ConfigError(f"{key} must be at least {low}, got {value}")


def _within(key: str, value: float, low: float, high: float) -> None:
    if not low <= value < high:
        raise ConfigError(f"{key} must be in [{low}, {high}), got {value}")


def _share(key: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{key} must be in [0, 1], got {value}")


def _three_positive(key: str, values: list[Any]) -> None:
    if len(values) != 3 or not all(0 < value < inf for value in values):
        raise ConfigError(
            f"{key} takes three positive numbers, one per axis (R, A, S), got {_first_of(values)}"
        )


def _first_of(values: list[Any]) -> str:
    """The first ones of a list, for a message."""
    return f"{list(values)}" if len(values) <= 12 else f"{list(values[:12])} and {len(values) - 12} more"


def _known(key: str, values: list[str], known: tuple[str, ...]) -> None:
    unknown = [value for value in values if value not in known]
    if unknown or not values or len(set(values)) < len(values):
        raise ConfigError(f"{key} takes distinct names out of {list(known)}, got {list(values)}")


def _channels_fit(channels: list[int]) -> None:
    if len(channels) > MOST_LEVELS or not all(1 <= width <= MOST_CHANNELS for width in channels):
        raise ConfigError(
            f"channels takes at most {MOST_LEVELS} levels of 1 to {MOST_CHANNELS} feature maps, "
            f"got {_first_of(channels)}"
        )


def _patch_fits(patch: list[int], channels: list[int]) -> None:
    _three_positive("patch", patch)
    if prod(patch) > MOST_VOXELS:
        raise ConfigError(f"patch takes at most {MOST_VOXELS} voxels, got {list(patch)}")
    halvings = len(channels) - 1
    if any(side % 2**halvings for side in patch):
        raise ConfigError(
            f"patch must be divisible by {2**halvings}, as {len(channels)} levels of channels "
            f"halve it {halvings} times; got {list(patch)}"
        )


@dataclass
class SlicePreprocess:
    """How a 2D slice is prepared before the classifier sees it."""

    size: int = MISSING  # side of the square input, pixels
    crop: SliceCrop = MISSING
    normalise: Normalise = MISSING
    stripped: bool = MISSING  # the classifier is shown scans without skull; in prediction, after stripping

    def __post_init__(self) -> None:
        _at_least("preprocess.size", self.size, 32)
        _at_most("preprocess.size", self.size, MOST_PIXELS)


@dataclass
class VolumePreprocess:
    """How a 3D scan is prepared before a network sees it. Every scan is turned to RAS first."""

    modalities: list[str] = MISSING  # sequences, in the channel order of the network's input; or [any]
    spacing_mm: Optional[list[float]] = MISSING  # voxel size after resampling; null keeps the scan's own
    intensity: Intensity = MISSING
    crop: Crop = MISSING

    def __post_init__(self) -> None:
        if list(self.modalities) != [ANY]:
            _known("preprocess.modalities", self.modalities, SEQUENCES)
        if self.spacing_mm is not None:
            _three_positive("preprocess.spacing_mm", self.spacing_mm)
            if not all(SPACING_MM[0] <= side <= SPACING_MM[1] for side in self.spacing_mm):
                raise ConfigError(
                    f"preprocess.spacing_mm takes {SPACING_MM[0]} to {SPACING_MM[1]} mm along each axis, "
                    f"got {list(self.spacing_mm)}"
                )


@dataclass
class SliceAugment:
    """Random changes of a training slice. 0 leaves a change out."""

    flip: float = MISSING  # probability of a left-right flip
    rotate_degrees: float = MISSING  # largest angle
    scale: float = MISSING  # largest relative change of size
    shift: float = MISSING  # largest shift, share of the side
    contrast: float = MISSING  # largest relative change of the spread about the mean
    brightness: float = MISSING  # largest shift, in standard deviations of the slice
    noise: float = MISSING  # largest standard deviation of noise, in standard deviations of the slice

    def __post_init__(self) -> None:
        _share("augment.flip", self.flip)


@dataclass
class VolumeAugment:
    """Random changes of a training patch. A probability of 0 leaves a change out."""

    flip: float = MISSING  # probability of a left-right flip
    affine: float = MISSING  # probability of a rotation and scaling
    rotate_degrees: float = MISSING  # at most, about each axis
    scale: float = MISSING  # largest relative change of size
    elastic: float = MISSING  # probability of a smooth displacement
    bend: float = MISSING  # its most along each axis, voxels
    motion: float = MISSING  # probability of a head that moved while it was scanned
    motion_degrees: float = MISSING  # at most, about each axis
    motion_voxels: float = MISSING  # at most, along each axis
    intensity: float = MISSING  # probability of each of the changes below
    bias: float = MISSING  # logarithm of the strongest smooth field, at most
    gamma: float = MISSING  # logarithm of the exponent, at most
    contrast: float = MISSING  # largest relative change of the spread about the mean
    brightness: float = MISSING  # largest shift, in standard deviations
    noise: float = MISSING  # largest standard deviation of noise, in standard deviations

    def __post_init__(self) -> None:
        for name in ("flip", "affine", "elastic", "motion", "intensity"):
            _share(f"augment.{name}", getattr(self, name))


@dataclass
class Recipe:
    """How any of the models is trained."""

    optimizer: Optimizer = MISSING
    scheduler: Scheduler = MISSING
    epochs: int = MISSING
    batch_size: int = MISSING  # slices, or patches
    ema: Optional[float] = MISSING  # decay of the averaged weights that are validated and kept; null: none
    monitor: str = MISSING  # the logged metric that decides which checkpoint is best
    monitor_mode: MonitorMode = MISSING

    def __post_init__(self) -> None:
        _at_least("epochs", self.epochs, 1)
        _at_least("batch_size", self.batch_size, 1)
        if self.ema is not None:
            _within("ema", self.ema, 0, 1)


@dataclass
class ClassifierConfig(Recipe):
    """A timm backbone that names the tumour in one slice."""

    backbone: str = MISSING  # any name in timm.list_models()
    head: Head = MISSING
    dropout: float = MISSING  # of the mlp head
    head_init: HeadInit = MISSING
    drop_path: float = MISSING  # stochastic depth: the rate of the last block
    batch_norm_eps: Optional[float] = MISSING  # null: timm's
    batch_norm_momentum: Optional[float] = MISSING  # as torch counts it, 0.01 for Keras's 0.99; null: timm's
    pretrained: bool = MISSING  # start from ImageNet weights, by timm's download or from `weights`
    weights: Optional[str] = MISSING  # a file with the backbone's ImageNet weights
    classes: list[str] = MISSING  # in the order of the logits
    preprocess: SlicePreprocess = MISSING
    margin_mm: float = MISSING  # how far beyond the brain mask slices without skull reach
    augment: SliceAugment = MISSING
    loss: ClassifierLoss = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        _known("classes", self.classes, TUMOR_TYPES)
        _within("dropout", self.dropout, 0, 1)
        _within("drop_path", self.drop_path, 0, 1)
        _at_least("margin_mm", self.margin_mm, 0)
        _at_most("margin_mm", self.margin_mm, MOST_MARGIN_MM)
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

    net: VolumeNet = MISSING
    channels: list[int] = MISSING  # feature maps from full resolution down
    dropout: Any = MISSING  # one rate; for unet3d also a list of one rate for each level
    preprocess: VolumePreprocess = MISSING
    patch: list[int] = MISSING  # voxels along R, A, S
    patches_per_volume: int = MISSING  # drawn from each training scan in an epoch
    foreground_share: float = MISSING  # of the patches whose centre lies in the foreground
    augment: VolumeAugment = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        _channels_fit(self.channels)
        _patch_fits(self.patch, self.channels)
        _at_least("patches_per_volume", self.patches_per_volume, 1)
        for rate in self.dropout if isinstance(self.dropout, list) else [self.dropout]:
            _within("dropout", rate, 0, 1)
        _share("foreground_share", self.foreground_share)


@dataclass
class SkullStripperConfig(VolumeRecipe):
    """A 3D network with one logit per voxel: brain or not."""

    loss: StripperLoss = MISSING
    optional_skip: bool = MISSING  # of residual_unet3d: convolutions on its uppermost skip connection

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

    output: SegmenterOutput = MISSING
    margin_mm: float = MISSING  # beyond the brain mask that is shown to the network
    loss: SegmentationLoss = MISSING
    norm: Norm = MISSING  # of unet, segresnet and dynunet
    deep_supervision: bool = MISSING  # of dynunet: its coarser levels are compared with the truth as well
    subsets: Any = MISSING  # lists of modalities that the model may be given instead of all; any: each subset
    subset_share: float = MISSING  # of the training patches that are shown with one of these only

    def __post_init__(self) -> None:
        super().__post_init__()
        _known("preprocess.modalities", self.preprocess.modalities, SEQUENCES)
        _at_least("margin_mm", self.margin_mm, 0)
        _at_most("margin_mm", self.margin_mm, MOST_MARGIN_MM)
        _share("subset_share", self.subset_share)
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
    def _has_regions(self) -> bool:
        return self.output is SegmenterOutput.regions

    def trained_subsets(self) -> list[list[str]]:
        """The proper subsets of the modalities that training shows, each in the order of the channels."""
        every = list(self.preprocess.modalities)
        if self.subsets == ANY:
            sizes = range(len(every) - 1, 0, -1)
            return [list(names) for n in sizes for names in combinations(every, n)]
        if not isinstance(self.subsets, list) or not all(isinstance(names, list) for names in self.subsets):
            raise ConfigError(f"subsets takes lists of modalities, or any; got {self.subsets}")
        for names in self.subsets:
            _known("subsets", names, tuple(every))
            if len(names) == len(every):
                raise ConfigError(f"subsets holds {names}, which are all modalities; leave it out")
        return [[name for name in every if name in names] for names in self.subsets]


@dataclass
class Paths:
    data: str = MISSING
    cache: str = MISSING
    outputs: str = MISSING
    run: Optional[str] = MISSING  # None where nothing runs: --cfg job --resolve


@dataclass
class TrainerConfig:
    """The part of pytorch_lightning.Trainer that may be set without a "+"."""

    _target_: str = MISSING
    default_root_dir: Optional[str] = MISSING
    max_epochs: int = MISSING
    max_time: Optional[str] = MISSING  # "DD:HH:MM:SS", of this process: a resumed run has as long again
    checkpoint_minutes: Optional[float] = MISSING  # between two checkpoints within an epoch; null: none there
    accelerator: str = MISSING
    devices: Any = MISSING
    num_nodes: int = MISSING
    strategy: str = MISSING
    precision: str = MISSING  # auto: bf16-mixed where the device is fast at it, 32-true elsewhere
    gradient_clip_val: Optional[float] = MISSING
    accumulate_grad_batches: int = MISSING
    check_val_every_n_epoch: int = MISSING
    limit_train_batches: Any = MISSING  # an int counts batches, a float is a share of them
    limit_val_batches: Any = MISSING
    limit_test_batches: Any = MISSING
    log_every_n_steps: int = MISSING
    num_sanity_val_steps: int = MISSING
    deterministic: Any = MISSING  # true, false or warn
    enable_model_summary: bool = MISSING
    use_distributed_sampler: bool = MISSING


@dataclass
class TrainConfig:
    """The whole of conf/train.yaml. Of the three task sections only the trained one is filled in."""

    task: str = MISSING  # set by model=...; a plain string, as ${${task}.epochs} needs one
    classifier: ClassifierConfig = MISSING
    skullstripper: SkullStripperConfig = MISSING
    segmenter: SegmenterConfig = MISSING

    name: str = MISSING
    group: Optional[str] = MISSING
    tags: list[str] = MISSING
    seed: int = MISSING
    resume: Optional[str] = MISSING
    overwrite: bool = MISSING
    start_from: Optional[str] = MISSING  # of the same task and network; resume, where given, goes before it
    test: bool = MISSING
    paths: Paths = MISSING

    data: Any = MISSING  # a datamodule: its constructor is its schema
    trainer: TrainerConfig = MISSING
    callbacks: Any = MISSING
    logger: Any = MISSING
    menu: Any = MISSING


@dataclass
class WindowConfig:
    """Sliding-window inference."""

    overlap: float = MISSING  # share of a window that the next one covers
    blend: Blend = MISSING
    batch_size: int = MISSING
    flips: Flips = MISSING  # mirror images that the segmenter sees too, and whose mean is taken

    def __post_init__(self) -> None:
        _within("window.overlap", self.overlap, 0, 1)
        _at_least("window.batch_size", self.batch_size, 1)


@dataclass
class VoteConfig:
    """How slices of a volume vote on the tumour type."""

    sequence: Optional[str] = MISSING  # null: the first of t1ce, flair, t2, t1 that the subject has
    offsets_mm: list[float] = MISSING  # of the slices from the middle, in each of the three planes
    healthy_at: float = MISSING  # mean probability of notumor from which the subject counts as healthy
    denoise_from: Optional[float] = MISSING  # noise, as a share of the median intensity; null: never
    denoise_mm: float = MISSING  # standard deviation of the Gaussian filter

    def __post_init__(self) -> None:
        if self.sequence is not None:
            _known("vote.sequence", [self.sequence], SEQUENCES)
        if not self.offsets_mm or min(self.offsets_mm) < 0:
            raise ConfigError(f"vote.offsets_mm takes numbers from 0 up, got {list(self.offsets_mm)}")
        _share("vote.healthy_at", self.healthy_at)
        _at_least("vote.denoise_mm", self.denoise_mm, 0)


@dataclass
class PipelineConfig:
    """Which stages run, in which order, and what stops them."""

    stages: list[Stage] = MISSING
    stop_if_healthy: bool = MISSING  # leave out the stages after classify when it says notumor
    align: Align = MISSING
    register: Register = MISSING

    def __post_init__(self) -> None:
        names = [str(stage) for stage in self.stages]
        _known("pipeline.stages", names, tuple(stage.name for stage in Stage))
        if self.register is Register.rigid and self.align is Align.refuse:
            raise ConfigError(
                "pipeline.register=rigid resamples what it has moved, but pipeline.align is refuse; "
                "set pipeline.align=resample, or pipeline.register=none"
            )


@dataclass
class Limits:
    """What a measure may be: [low, high], null for an end that is open, null for both."""

    review: Any = MISSING  # outside of this a person should look
    fail: Any = MISSING  # outside of this the subject stops

    def __post_init__(self) -> None:
        for name, ends in (("review", self.review), ("fail", self.fail)):
            if ends is None:
                continue
            numbers = [end for end in ends if end is not None] if isinstance(ends, list) else []
            if not numbers or len(ends) != 2 or numbers != sorted(numbers):
                raise ConfigError(f"gates: {name} takes [low, high], of which one may be null; got {ends}")


@dataclass
class SequenceLimits:
    """What a measure may be in each sequence."""

    t1: Optional[Limits] = MISSING
    t1ce: Optional[Limits] = MISSING
    t2: Optional[Limits] = MISSING
    flair: Optional[Limits] = MISSING


@dataclass
class ContradictionsConfig:
    """When two stages contradict each other."""

    tumor_ml: float = MISSING  # outlined, where the classifier sees none
    no_tumor_ml: float = MISSING  # at most outlined, where it sees one
    meningioma_depth_mm: float = MISSING  # of its nearest part below the brain's surface
    pituitary_sella_mm: float = MISSING  # of its middle from the sella
    glioma_sella_mm: float = MISSING  # nearer than that
    heat_in_tumor: float = MISSING  # share of Grad-CAM, less than that
    heat_in_brain: float = MISSING


@dataclass
class GatesConfig:
    """What every measure may be; null: not looked at. What each means: brainseg/gates/words.py."""

    synthetic_only: Optional[Limits] = MISSING
    lowest_intensity: Optional[Limits] = MISSING
    negative_share: Optional[Limits] = MISSING
    grey_levels: Optional[Limits] = MISSING
    saturated_share: Optional[Limits] = MISSING
    noise: Optional[Limits] = MISSING
    lost_slices: Optional[Limits] = MISSING
    slice_order: Optional[Limits] = MISSING
    slice_jump: Optional[Limits] = MISSING
    air_level: Optional[Limits] = MISSING
    ghost_level: Optional[Limits] = MISSING
    air_structure: Optional[Limits] = MISSING
    sharpness: Optional[Limits] = MISSING
    field_of_view_mm: Optional[Limits] = MISSING
    same_image: Optional[Limits] = MISSING
    apart_mm: Optional[Limits] = MISSING
    brain_ml: Optional[Limits] = MISSING
    brain_pieces: Optional[Limits] = MISSING
    brain_holes: Optional[Limits] = MISSING
    brain_right_mm: Optional[Limits] = MISSING
    brain_front_mm: Optional[Limits] = MISSING
    brain_up_mm: Optional[Limits] = MISSING
    brain_cut_cm2: Optional[Limits] = MISSING
    brain_cut_below_cm2: Optional[Limits] = MISSING
    brain_asymmetry: Optional[Limits] = MISSING
    flip_agreement: Optional[Limits] = MISSING
    uprightness: Optional[Limits] = MISSING
    csf_over_white: Optional[SequenceLimits] = MISSING
    white_over_gray: Optional[SequenceLimits] = MISSING
    plane_agreement: Optional[Limits] = MISSING
    type_entropy: Optional[Limits] = MISSING
    type_share: Optional[Limits] = MISSING
    tumor_ml: Optional[Limits] = MISSING
    tumor_pieces: Optional[Limits] = MISSING
    tumor_outside: Optional[Limits] = MISSING
    tumor_at_edge: Optional[Limits] = MISSING
    tumor_unsure: Optional[Limits] = MISSING
    contradictions: Optional[ContradictionsConfig] = MISSING


@dataclass
class PredictConfig:
    """The whole of conf/predict.yaml."""

    input: str = MISSING
    sequence: Optional[str] = MISSING  # of a single file or DICOM series that does not say it
    skullstripper: Optional[str] = MISSING
    classifier: Optional[str] = MISSING
    segmenter: Any = MISSING  # a checkpoint, a run, a sweep, or a list of these, whose mean is taken
    pipeline: PipelineConfig = MISSING
    window: WindowConfig = MISSING
    vote: VoteConfig = MISSING
    gates: Optional[GatesConfig] = MISSING  # null: nothing is judged
    labels: Optional[str] = MISSING  # convention of the label map that is written; null: the segmenter's own
    save_probabilities: bool = MISSING
    montage: bool = MISSING
    page: bool = MISSING  # report.html of each subject, index.html of all
    forecast: bool = MISSING  # of seconds, memory and disk, before anything is predicted
    device: str = MISSING
    output: str = MISSING
    derivatives: Optional[str] = MISSING  # a folder that gets the results as a BIDS data set, too
    overwrite: bool = MISSING

    def __post_init__(self) -> None:
        if self.sequence is not None:
            _known("sequence", [self.sequence], SEQUENCES)


def register_schemas() -> None:
    """Make the schemas known to Hydra; conf/train.yaml and conf/predict.yaml name them first."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="predict_schema", node=PredictConfig)
