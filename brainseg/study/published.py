"""The numbers of the student report: its classifier grid, its skull strippers and its segmenter.

They stand here once. What is said about them elsewhere is computed from here.
"""

from collections.abc import Mapping
from typing import NamedTuple

ABOUT = (
    'The student report is the document that this project began with: "Classification, Skull Stripping and '
    'Segmentation of Brain Tumor MRI" by E. Ephrem and A. De Clercq (LIFPROJET, a course of the bachelor in '
    "computer science). Its own numbers stand beside ours."
)

BACKBONES = {
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "mobilenetv2": "MobileNetV2",
    "efficientnet_b0": "EfficientNetB0",
}
LOSSES = {
    "categorical_crossentropy": "Categorical crossentropy",
    "kl_divergence": "KL divergence",
    "categorical_hinge": "Categorical hinge",
}
OPTIMIZERS = {"adam": "Adam", "nadam": "Nadam", "sgd": "SGD"}

# timm's names, which our runs have, for backbones that the student report calls by Keras's names.
_SAME_BACKBONE = {"mobilenetv2_100": "mobilenetv2", "tf_efficientnet_b0": "efficientnet_b0"}
# These two are equal on one-hot targets, so their values may be compared. Any other loss is its own family.
_SAME_FAMILY = {
    "categorical_crossentropy": "crossentropy and KL divergence",
    "kl_divergence": "crossentropy and KL divergence",
    "categorical_hinge": "categorical hinge",
}

LARGEST_CLASS_SHARE = 1595 / 5712  # notumor in the Training folder; a fifth of it was kept for validation
NOT_STATED = "not stated"
SETTINGS = {  # section 3.3; the number of slices follows from the accuracies, which are all k / 1143
    "images": "Kaggle slices",
    "image side (pixels)": "128",
    "weights at the start": "ImageNet",
    "input values": NOT_STATED,
    "head": "linear",
    "epochs": "15",
    "batch size": "2",
    "training slices": "4569 of 5712",
}


class Cell(NamedTuple):
    """One combination of the grid, by the names that our config has for its parts."""

    backbone: str
    loss: str
    optimizer: str

    def __str__(self) -> str:
        return " + ".join(self)


class Published(NamedTuple):
    """The numbers of a cell: of the validation part after the last epoch."""

    loss: float
    accuracy: float


CHOSEN = Cell("vgg16", "kl_divergence", "sgd")  # section 3.4

# A row has loss and accuracy with crossentropy, then with KL divergence, then with hinge.
_TABLES = {
    "adam": {  # table 1
        "resnet50": "0.1718 0.9571  0.1673 0.9571  0.2717 0.8643",
        "vgg16": "0.1920 0.9746  0.2345 0.9343  1.0000 0.2703",
        "mobilenetv2": "0.2262 0.9448  0.1445 0.9562  0.2362 0.9265",
        "efficientnet_b0": "1.7897 0.3044  1.7647 0.2685  1.3397 0.3009",
    },
    "nadam": {  # table 2
        "resnet50": "0.1804 0.9623  0.1149 0.9711  0.1606 0.9203",
        "vgg16": "0.1217 0.9737  0.1507 0.9588  1.4593 0.2703",
        "mobilenetv2": "0.1264 0.9597  0.6589 0.8346  0.2829 0.8661",
        "efficientnet_b0": "1.4937 0.4033  7.3536 0.2265  1.4727 0.2633",
    },
    "sgd": {  # table 3
        "resnet50": "0.2397 0.9256  0.2504 0.9265  0.2151 0.8967",
        "vgg16": "0.1353 0.9545  0.2300 0.9370  0.1298 0.9361",
        "mobilenetv2": "0.3668 0.8748  0.3231 0.8888  0.2965 0.8565",
        "efficientnet_b0": "1.3472 0.3508  1.2736 0.4286  1.0084 0.3998",
    },
}


def _published() -> dict[Cell, Published]:
    cells = {}
    for optimizer, rows in _TABLES.items():
        for backbone, row in rows.items():
            values = [float(text) for text in row.split()]
            for place, loss in enumerate(LOSSES):
                cells[Cell(backbone, loss, optimizer)] = Published(*values[2 * place : 2 * place + 2])
    return cells


PUBLISHED: Mapping[Cell, Published] = _published()


class PatchMeans(NamedTuple):
    """The numbers of a skull stripper: means over batches of patches."""

    name: str
    mse: float  # the Dice loss in table 5, see docs/explanation/student-report.md
    dice: float
    iou: float


STRIPPERS: Mapping[tuple[str, bool], PatchMeans] = {  # by our network and its optional_skip
    ("residual_unet3d", False): PatchMeans("residual_unet3d_MSE_2", 0.008068, 0.9176, 0.8753),  # table 4
    ("residual_unet3d", True): PatchMeans("residual_unet3d_MSE_3", 0.010058, 0.9113, 0.8611),
    ("residual_unet3d_advanced", True): PatchMeans(  # table 5
        "ResidualUNET3D_Adam_10_3", 0.019821, 0.980179, 0.961247
    ),
}


class Spread(NamedTuple):
    """The Dice of a region over the cases of BraTS 2021's validation part, counted by its server."""

    mean: float
    median: float
    first_quartile: float
    third_quartile: float


SEGMENTER: Mapping[str, Spread] = {  # table 6
    "enhancing_tumor": Spread(0.578, 0.696, 0.459, 0.801),
    "tumor_core": Spread(0.387, 0.387, 0.245, 0.515),
    "whole_tumor": Spread(0.745, 0.776, 0.682, 0.853),
}


def published_cell(cell: Cell) -> Cell | None:
    """The student report's cell that one of ours repeats.

    mobilenetv2_100 and resnet50.a1_in1k are backbones that it has too.
    """
    name = cell.backbone.partition(".")[0]  # after the dot timm names the weights
    theirs = cell._replace(backbone=_SAME_BACKBONE.get(name, name))
    return theirs if theirs in PUBLISHED else None


def published(cell: Cell) -> Published | None:
    """The student report's numbers for one of our cells, if it has them."""
    theirs = published_cell(cell)
    return None if theirs is None else PUBLISHED[theirs]


def spoken_cell(cell: Cell) -> str:
    """A cell of the student report in its own words."""
    return f"{BACKBONES[cell.backbone]} + {LOSSES[cell.loss]} + {OPTIMIZERS[cell.optimizer]}"


def family(loss: str) -> str:
    """The name of the losses whose values may be compared with those of this one."""
    return _SAME_FAMILY.get(loss, loss)


def rank(cell: Cell) -> int:
    """The place of a cell among the 36 by accuracy. The best has 1; equal cells share the better place."""
    return 1 + sum(other.accuracy > PUBLISHED[cell].accuracy for other in PUBLISHED.values())
