"""Tumour classes and tumour regions: from one to the other, with probabilities and without.

Classes exclude one another (`images.labels.CLASSES`); the regions of the tumour lie one within the other, and
the resection cavity outside of them (`REGIONS` there). Models that know no cavity have 4 classes and 3
regions, the others 5 and 4.
"""

import torch
from torch import Tensor

from brainseg.images.labels import (
    BACKGROUND,
    CLASSES,
    EDEMA,
    ENHANCING_TUMOR,
    NECROTIC_CORE,
    RESECTION_CAVITY,
    TUMOR_REGIONS,
    regions_with,
)

HALF = 0.5


def region_probabilities(class_probabilities: Tensor) -> Tensor:
    """Probability of each region (R, X, Y, Z): the sum of those of its classes (K, X, Y, Z)."""
    regions = regions_with(cavity=len(class_probabilities) == len(CLASSES))
    return torch.stack([class_probabilities[list(members)].sum(dim=0) for members in regions.values()])


def classes_of_regions(probabilities: Tensor) -> Tensor:
    """Class indices (X, Y, Z) of region probabilities (R, X, Y, Z), each region from one half on.

    Enhancing tumour counts as core, and core as tumour, even where the larger region's own probability is
    below one half. A voxel that is both tumour and resection cavity is what is more probable.
    """
    tumor, cavity = probabilities[: len(TUMOR_REGIONS)], probabilities[len(TUMOR_REGIONS) :]
    whole, core, enhancing = tumor >= HALF
    classes = torch.full(whole.shape, BACKGROUND, dtype=torch.uint8, device=probabilities.device)
    classes[whole] = EDEMA
    classes[core] = NECROTIC_CORE
    classes[enhancing] = ENHANCING_TUMOR
    for one in cavity:
        classes[(one >= HALF) & (one > tumor.amax(dim=0))] = RESECTION_CAVITY
    return classes


def at_temperatures(probabilities: Tensor, temperatures: Tensor) -> Tensor:
    """Region probabilities (R, ...) with each region's logits divided by its temperature (R,).

    Every temperature leaves one half, and so each region's edge, where it is.
    """
    limit = torch.finfo(torch.float32).eps
    logits = probabilities.float().clamp(limit, 1 - limit).logit_()
    return logits.div_(temperatures.to(logits).view(-1, *[1] * (logits.ndim - 1))).sigmoid_()


def most_probable(probabilities_KXYZ: Tensor) -> Tensor:
    """The class of each voxel (X, Y, Z), the first of equals."""
    # argmax over so few channels, which lie far apart in memory, takes many times as long.
    best = probabilities_KXYZ[0].clone()
    found = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
    for index, one in enumerate(probabilities_KXYZ[1:], start=1):
        found.masked_fill_(one > best, index)
        torch.maximum(best, one, out=best)
    return found
