"""Patterns in scores that point to a mistake in the labels or in the table, and not to a bad network."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from brainseg.images.labels import CAVITY, CLASSES, RESECTION_CAVITY, TUMOR_REGIONS
from brainseg.metrics.summary import Summary


def suspicions(
    voxels: NDArray[np.int64],
    summaries: Mapping[str, Summary],
    regions: Collection[str] = tuple(TUMOR_REGIONS),
    *,
    cavity: bool = True,
) -> list[str]:
    """A sentence for each pattern that is found.

    Args:
        voxels: Counts (5, 5) over all cases: true class down, predicted class across.
        summaries: By score, "dice/whole_tumor".
        regions: That were scored. The parts of a tumour are looked at where all of them were.
        cavity: Whether true labels may have a resection cavity.
    """
    parts = set(TUMOR_REGIONS) <= set(regions)
    classes = [*range(1, RESECTION_CAVITY)] if parts else []
    classes += [RESECTION_CAVITY] if CAVITY in regions else []
    return [
        *_never_predicted(voxels, classes),
        *(() if cavity else _cavity_unknown(voxels)),
        *_swapped(voxels, classes),
        *(_below_a_part(summaries) if parts else ()),
        *_mean_is_median(summaries),
    ]


def _never_predicted(voxels: NDArray[np.int64], classes: Sequence[int]) -> Iterator[str]:
    for value in classes:
        if not voxels[value].any() or voxels[:, value].any():
            continue
        if value == RESECTION_CAVITY:
            yield (
                f"{CAVITY} is in true label maps but in no predicted one, so it is scored as an empty guess; "
                "the model may not know it (a segmenter learns it by segmenter.cavity=true): leave it out by "
                f"--regions {','.join(TUMOR_REGIONS)}"
            )
        else:
            yield (
                f"{CLASSES[value]} is in true label maps but in no predicted one; check that both have the "
                "same labels (--labels-truth, --labels-guess)"
            )


def _cavity_unknown(voxels: NDArray[np.int64]) -> Iterator[str]:
    if n := int(voxels[:, RESECTION_CAVITY].sum()):
        yield (
            f"{CAVITY} is in predicted label maps ({n} voxels), but the true labels have none: it counts as "
            "background; if label 4 of the truth is one, set --labels-truth brats-2024-post"
        )


def _swapped(voxels: NDArray[np.int64], classes: Sequence[int]) -> Iterator[str]:
    for one, other in itertools.combinations(classes, 2):
        crossed = voxels[one, other] + voxels[other, one]
        right = voxels[one, one] + voxels[other, other]
        if crossed > right:
            yield (
                f"{CLASSES[one]} and {CLASSES[other]} look swapped: {crossed} voxels have the label of the "
                f"other class and {right} their own; check --labels-truth and --labels-guess"
            )


def _below_a_part(summaries: Mapping[str, Summary]) -> Iterator[str]:
    """The core and the whole tumour contain the enhancing tumour, and are easier to find."""
    dices = {region: summaries[f"dice/{region}"].mean for region in TUMOR_REGIONS}
    enhancing = dices["enhancing_tumor"]
    checks = {
        "tumor_core": "check that necrotic_core and edema are not swapped",
        "whole_tumor": "check the labels",
    }
    for region, advice in checks.items():
        if dices[region] < enhancing:
            yield (
                f"Dice of {region} ({dices[region]:.3f}) is below that of enhancing_tumor ({enhancing:.3f}), "
                f"which is a part of it; this is rare, {advice}"
            )


def _mean_is_median(summaries: Mapping[str, Summary]) -> Iterator[str]:
    for name, one in summaries.items():
        equal = f"{one.mean:.3f}" == f"{one.median:.3f}"
        if name.startswith("dice/") and one.n > 2 and equal and one.quartiles[0] != one.quartiles[1]:
            yield f"{name}: mean and median are equal to three digits; check that no number was copied"
