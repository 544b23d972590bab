"""Tumour classes and tumour regions: from one to the other, with probabilities and without.

Classes exclude one another (`images.labels.CLASSES`); regions lie one within the other (`REGIONS` there).
"""

import torch
from torch import Tensor

from brainseg.images.labels import BACKGROUND, EDEMA, ENHANCING_TUMOR, NECROTIC_CORE, REGIONS

HALF = 0.5


def region_probabilities(class_probabilities: Tensor) -> Tensor:
    """Probability of each region (R, X, Y, Z): the sum of those of its classes (4, X, Y, Z)."""
    return torch.stack([class_probabilities[list(members)].sum(dim=0) for members in REGIONS.values()])


def classes_of_regions(probabilities: Tensor) -> Tensor:
    """Class indices (X, Y, Z) of region probabilities (R, X, Y, Z), each region from one half on.

    Enhancing tumour counts as core, and core as tumour, even where the larger region's own probability is
    below one half.
    """
    whole, core, enhancing = probabilities >= HALF
    classes = torch.full(whole.shape, BACKGROUND, dtype=torch.uint8, device=probabilities.device)
    classes[whole] = EDEMA
    classes[core] = NECROTIC_CORE
    classes[enhancing] = ENHANCING_TUMOR
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
