"""Closed lists of names, written in the configuration and in file names as they are."""

from enum import Enum

SEQUENCES = ("t1", "t1ce", "t2", "flair")
ANY = "any"  # whichever sequence there is, for a skull stripper that knows them all
OTSU = "otsu"  # in the place of a skull stripper's checkpoint
TUMOR_TYPES = ("glioma", "meningioma", "notumor", "pituitary")  # the order of the classifier's logits


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
