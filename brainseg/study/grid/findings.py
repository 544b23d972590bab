"""What is wrong in the report's own account of its grid, computed from its numbers."""

from statistics import fmean

from brainseg.study.classifier_runs import COLLAPSE_MARGIN
from brainseg.study.grid.intervals import Estimate, mean_of, overlap, wilson
from brainseg.study.published import (
    BACKBONES,
    CHOSEN,
    LARGEST_CLASS_SHARE,
    LOSSES,
    OPTIMIZERS,
    PUBLISHED,
    VALIDATION_SLICES,
    Cell,
    family,
    n_right,
    rank,
)

ONE_CLASS_RIGHT = 309  # of the 1143 slices: 0.2703, the accuracy of both collapsed cells with VGG16
EQUAL_LOSSES = (
    "Crossentropy and KL divergence are mathematically equal on one-hot targets; as Keras clips zeros their "
    "values differ by at most 4.6e-6."
)


def findings() -> list[str]:
    """One paragraph for each, in the order of the report."""
    return [
        _validation_part(),
        _choice(),
        _equal_losses(),
        _incomparable_losses(),
        _collapsed_cells(),
        _efficientnet(),
        "Figures 8 and 9: the text argues from figure 8 about the losses, but its caption says optimizers, "
        "and figure 9's says losses; the captions are swapped. The text speaks of 30 epochs, the experiments "
        "had 15.",
        "The KPI table 3.6.1 is not of a classifier: its columns are Optional Skip, MSE, Dice and IoU, and "
        "its numbers (0.019821, 98.0179 %, 96.1247 %) are those of the skull stripper's table 5 under the "
        "name MobileNetV2_SGD_kl_divergence_50_2.h5, where the text describes a VGG16. The report holds no "
        "score of its advanced classifier, so none stands beside ours.",
    ]


def report_collapsed(cell: Cell) -> bool:
    """Whether the report's cell is no better than always naming the largest class of its data."""
    return PUBLISHED[cell].accuracy <= LARGEST_CLASS_SHARE + COLLAPSE_MARGIN


def report_estimate(cell: Cell) -> Estimate:
    """The report's accuracy with Wilson's interval of its 1143 slices."""
    accuracy = PUBLISHED[cell].accuracy
    right = n_right(accuracy)
    assert right is not None, accuracy  # as tested for all 36
    return Estimate(
        accuracy, *wilson(right, VALIDATION_SLICES), how=f"Wilson, {right} of {VALIDATION_SLICES}"
    )


def best_of_report() -> Cell:
    return max(PUBLISHED, key=lambda cell: PUBLISHED[cell].accuracy)


def like_best_in_report() -> list[Cell]:
    """The cells whose intervals overlap that of the best, it among them."""
    best = report_estimate(best_of_report())
    return [cell for cell in PUBLISHED if overlap(report_estimate(cell), best)]


def report_pairs() -> tuple[Estimate, Estimate]:
    """Crossentropy minus KL divergence over the report's 12 pairs: accuracy, loss."""
    pairs = [
        (values, PUBLISHED[cell._replace(loss="kl_divergence")])
        for cell, values in PUBLISHED.items()
        if cell.loss == "categorical_crossentropy"
    ]
    accuracy = mean_of([one.accuracy - other.accuracy for one, other in pairs])
    return accuracy, mean_of([one.loss - other.loss for one, other in pairs])


def named(cell: Cell) -> str:
    """A cell in the report's words."""
    return f"{BACKBONES[cell.backbone]} + {LOSSES[cell.loss]} + {OPTIMIZERS[cell.optimizer]}"


def _validation_part() -> str:
    fitting = sum(n_right(values.accuracy) is not None for values in PUBLISHED.values())
    return (
        f"{fitting} of the {len(PUBLISHED)} accuracies are k/{VALIDATION_SLICES} cut off after four "
        f"decimals. {VALIDATION_SLICES} is a fifth of 5712, the Training folder of the set that the report "
        "cites, so the grid was most likely trained on 4569 of its slices, not on the 3264 that section 3.1 "
        "describes (35 % of which are 1143 too)."
    )


def _choice() -> str:
    best = best_of_report()
    low = min(PUBLISHED, key=lambda cell: PUBLISHED[cell].loss)
    like_best = like_best_in_report()
    place = "is one" if CHOSEN in like_best else "is none"
    return (
        f"The report settles on {named(CHOSEN)}. By its own tables that cell, "
        f"{PUBLISHED[CHOSEN].accuracy:.4f}, has place {rank(CHOSEN)} of {len(PUBLISHED)} by accuracy. The "
        f"best accuracy is that of {named(best)}, "
        f"{PUBLISHED[best].accuracy:.4f}; the lowest loss that of {named(low)}, {PUBLISHED[low].loss:.4f}. "
        f"With one run a cell and {VALIDATION_SLICES} slices, the 95 % intervals of {len(like_best)} cells "
        f"overlap that of the best; the chosen cell {place} of them."
    )


def _equal_losses() -> str:
    accuracy, _ = report_pairs()
    return (
        f"{EQUAL_LOSSES} The choice of KL divergence over crossentropy thus has no mathematical ground: "
        "what differs is the noise of training. Over the report's own 12 pairs crossentropy is ahead by "
        f"{accuracy.mean:+.4f} in accuracy, 95 % interval {accuracy.low:+.4f} to {accuracy.high:+.4f} (t)."
    )


def _incomparable_losses() -> str:
    lows: dict[str, Cell] = {}
    for cell in sorted(PUBLISHED, key=lambda cell: PUBLISHED[cell].loss):
        lows.setdefault(family(cell.loss), cell)
    said = ", and ".join(
        f"{kind} has its lowest with {named(cell)}, {PUBLISHED[cell].loss:.4f}" for kind, cell in lows.items()
    )
    return (
        'The report looks for "the lowest loss" across loss functions. Hinge lies in [0, 2] on '
        "probabilities, the others have no upper bound: their values say nothing about each other. "
        f"The family {said}."
    )


def _collapsed_cells() -> str:
    collapsed = [cell for cell in PUBLISHED if report_collapsed(cell)]
    resnets = [values.accuracy for cell, values in PUBLISHED.items() if cell.backbone == "resnet50"]
    vggs = sum(cell.backbone == "vgg16" for cell in collapsed)
    constant = 2 * (1 - ONE_CLASS_RIGHT / VALIDATION_SLICES)
    return (
        f"{len(collapsed)} of the {len(PUBLISHED)} cells are collapsed networks (accuracy of at most the "
        f"largest class's share, {LARGEST_CLASS_SHARE:.1%}, plus {COLLAPSE_MARGIN:.0%}). The hinge values "
        f"give two away: 1.0000 is the loss of the uniform output, and {constant:.4f} with an accuracy of "
        "0.2703 that of the same class for every slice, "
        f"2 * (1 - {ONE_CLASS_RIGHT}/{VALIDATION_SLICES}). VGG16, the chosen "
        f"backbone, collapses {vggs} times in 9, ResNet50 never (mean accuracy {fmean(resnets):.4f})."
    )


def _efficientnet() -> str:
    accuracies = [values.accuracy for cell, values in PUBLISHED.items() if cell.backbone == "efficientnet_b0"]
    return (
        f"EfficientNetB0 fails in all its cells ({min(accuracies):.4f} to {max(accuracies):.4f}). That fits "
        "an input that is scaled twice: Keras's EfficientNetB0 divides by 255 itself, so that x/255 becomes "
        "a nearly constant image. The report does not say how it scaled."
    )
