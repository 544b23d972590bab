"""Closed lists of names, written in the configuration and in file names as they are."""

from enum import Enum
from typing import Literal, get_args

# What can be trained: sections of conf/train.yaml.
TASKS = ("classifier", "skullstripper", "segmenter", "volume_classifier")
SEQUENCES = ("t1", "t1ce", "t2", "flair")
ANY = "any"  # every sequence, for a skull stripper that was trained with all of them
OTSU = "otsu"  # in the place of a skull stripper's checkpoint
BUILTIN = "builtin"  # in the place of any model's checkpoint: the one that comes with brainseg
TUMOR_TYPES = ("glioma", "meningioma", "notumor", "pituitary")  # the order of the classifier's logits
KeptCheckpoint = Literal["best", "last"]  # of a run
Protocol = Literal["brats-legacy", "brats-2023", "brats-2026"]  # how a challenge counts
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
PhantomLayout = Literal[
    "brats", "brats-post", "msd", "nfbs", "bids", "kaggle", "types"
]  # whose file names a cohort has
PHANTOM_LAYOUTS: tuple[PhantomLayout, ...] = get_args(PhantomLayout)
Contrast = Literal["realistic", "random"]  # how bright the tissues of a phantom are


class Choice(Enum):
    """A closed list of names, written in the config and in file names as they are."""

    def __str__(self) -> str:
        return self.name


# A name of the next five needs an entry of the same name in conf/menu/ (tests/config/test_menu.py checks it).
class ClassifierLoss(Choice):
    categorical_crossentropy = "categorical_crossentropy"  # mean of -log p of the true class
    kl_divergence = "kl_divergence"  # Kullback-Leibler divergence, clipped as in Keras
    categorical_hinge = "categorical_hinge"  # margin between the true and the best wrong class, as in Keras


class StripperLoss(Choice):
    binary_dice = "binary_dice"  # 1 less the soft Dice score
    binary_iou = "binary_iou"  # 1 less the soft intersection over union
    binary_crossentropy = "binary_crossentropy"  # mean of -log p of the true side of each voxel
    mse = "mse"  # mean squared difference of probability and mask
    binary_dice_bce = "binary_dice_bce"  # binary_dice plus binary_crossentropy
    signed_distance = "signed_distance"  # the network learns the distance to the brain's edge, mm
    binary_dice_bce_distance = "binary_dice_bce_distance"  # the sum of these two


DISTANCE_LOSSES = (StripperLoss.signed_distance, StripperLoss.binary_dice_bce_distance)


class SegmentationLoss(Choice):
    dice = "dice"  # 1 less the mean soft Dice score of the classes
    dice_focal = "dice_focal"  # dice plus the focal loss: the loss of the student report
    dice_ce = "dice_ce"  # dice plus the cross-entropy
    region_dice_bce = "region_dice_bce"  # for output=regions: Dice plus binary cross-entropy
    region_dice_focal = "region_dice_focal"  # for output=regions: Dice plus binary focal loss


REGION_LOSSES = (SegmentationLoss.region_dice_bce, SegmentationLoss.region_dice_focal)


class SegmenterOutput(Choice):
    classes = "classes"  # background, necrotic core, edema, enhancing tumour: each voxel gets the likeliest
    regions = "regions"  # whole tumour, tumour core, enhancing tumour: three masks that may overlap


class Optimizer(Choice):
    adam = "adam"  # with the defaults of Keras
    nadam = "nadam"  # Adam with Nesterov momentum, with the defaults of Keras
    sgd = "sgd"  # stochastic gradient descent, with the defaults of Keras
    adamw = "adamw"  # Adam with decoupled weight decay


class Scheduler(Choice):
    constant = "constant"  # the rate of the optimizer throughout
    cosine = "cosine"  # down to eta_min along half a cosine, epoch by epoch
    cosine_per_batch = "cosine_per_batch"  # down and up every 2 x epochs batches
    cosine_per_epoch = "cosine_per_epoch"  # the same schedule, stepped after each epoch as it was meant
    poly = "poly"  # down to 0 by (1 - epoch / epochs) ^ power
    one_cycle = "one_cycle"  # up to the rate of the optimizer, then down to almost 0, batch by batch


class VolumeNet(Choice):
    """Networks for volumes, built by `brainseg.nets.build_volume_net`."""

    unet3d = "unet3d"  # the segmenter of the student report, without normalisation layers
    residual_unet3d = "residual_unet3d"  # the original skull stripper, which the student report began with
    residual_unet3d_advanced = "residual_unet3d_advanced"  # the same network as the student report changed it
    unet = "unet"  # the UNet of MONAI, with instance normalisation: small and fast
    segresnet = "segresnet"  # the SegResNet of MONAI
    dynunet = "dynunet"  # the DynUNet of MONAI, which follows nnU-Net


class TypeNet(Choice):
    """Networks that name the tumour in a volume, built by `brainseg.nets.build_type_net`."""

    residual = "residual"  # compact and residual, with batch normalisation: small and fast
    resnet10 = "resnet10"  # the ResNet of MONAI with one block to a level
    resnet18 = "resnet18"  # the ResNet of MONAI with two blocks to a level
    densenet121 = "densenet121"  # the DenseNet121 of MONAI
    unet_encoder = "unet_encoder"  # the way down of segmenter.net=unet, whose weights it can begin with


class Norm(Choice):
    own = "own"  # means and deviations of the window itself; the usual norm of each network
    batch = "batch"  # means and deviations of the training, so that windows of any size are normalised alike


BATCH_NORMED = (VolumeNet.unet, VolumeNet.segresnet, VolumeNet.dynunet)


class Head(Choice):
    linear = "linear"  # one layer from the features to the classes
    mlp = "mlp"  # layers of 64, 32 and 16 with dropout after the first: figure 11 of the student report


class HeadInit(Choice):
    torch = "torch"  # uniform within +-1 / sqrt(inputs), biases too: the default of torch
    glorot = "glorot"  # uniform within +-sqrt(6 / (inputs + outputs)), biases 0: the default of Keras


class Intensity(Choice):
    zscore = "zscore"  # mean 0, standard deviation 1 over the whole volume
    zscore_nonzero = "zscore_nonzero"  # the same over voxels that are not 0, for scans without skull
    minmax = "minmax"  # the lowest value becomes 0, the highest 1
    percentile = "percentile"  # a robust range of the head becomes [0, 1], for scans with skull and air
    landmarks = "landmarks"  # percentiles of the head become those of the training, then zscore


class Crop(Choice):
    none = "none"  # the whole scan
    nonzero = "nonzero"  # the box of the voxels that are not 0, for scans without skull
    head = "head"  # the box of the head, for scans with air around it
    report = "report"  # voxels 56:184, 56:184, 13:141 after scaling, as in the student report


class SliceCrop(Choice):
    none = "none"  # the whole slice
    head = "head"  # the box of the head, made square


class Normalise(Choice):
    imagenet = "imagenet"  # mean and deviation of ImageNet, as timm's pretrained weights expect
    unit = "unit"  # [0, 1], as Keras feeds EfficientNetB0, which divides by 255 itself
    head = "head"  # mean 0, deviation 1 over the bright pixels of the slice itself
    caffe = "caffe"  # [0, 255] less the mean of ImageNet, as Keras feeds VGG16 and ResNet50
    tf = "tf"  # [-1, 1], as Keras feeds MobileNetV2
    double_scaled = "double_scaled"  # imagenet of x / 255: the mistake that an experiment studies


class MonitorMode(Choice):
    min = "min"  # lower is better, as for a loss
    max = "max"  # higher is better, as for Dice


class Retry(Choice):
    none = "none"  # no job that has ended is begun again
    failed = "failed"  # jobs that have failed are begun again, from their last checkpoint if there is one


class Pruner(Choice):
    median = "median"  # a trial below the median of the others at that epoch
    hyperband = "hyperband"  # all but the best of a bracket, at some of the epochs
    none = "none"  # no trial is ended early


class Blend(Choice):
    constant = "constant"  # every voxel of a window counts the same
    gaussian = "gaussian"  # voxels near the middle of a window count more


class Flips(Choice):
    none = "none"  # only the scan itself
    left_right = "left_right"  # the scan and its mirror image: twice the work
    all = "all"  # mirrored along every combination of the three axes: eight times the work


class Stage(Choice):
    strip = "strip"  # skull stripping
    classify = "classify"  # tumour type, by a vote of slices
    classify_volume = "classify_volume"  # tumour type, from the whole brain at once
    segment = "segment"  # tumour outline


class Align(Choice):
    resample = "resample"  # sequences on other grids are resampled to the grid of the first one
    refuse = "refuse"  # a subject whose sequences lie on different grids fails


class Identify(Choice):
    names = "names"  # what names, sidecars, headers and folders say
    content = "content"  # the contrast inside the brain too, where these say nothing, or the opposite


class Precision(Choice):
    auto = "auto"  # the faster one
    float32 = "float32"  # all in single precision
    bf16 = "bf16"  # products in bfloat16, sums in float32


class Register(Choice):
    none = "none"  # the headers say where the sequences lie
    rigid = "rigid"  # each sequence is registered to the first one: patients move between scans
