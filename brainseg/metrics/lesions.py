"""Scores lesion by lesion, as the BraTS challenges count from 2023 on, for masks (X, Y, Z) of one region.

Both protocols start from parts whose voxels touch by a face, an edge or a corner. They differ in which parts
belong to one lesion, in how a guess is matched to it, and even in what HD95 means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, optimize
from scipy.spatial import KDTree

from brainseg.images.masks import box_of
from brainseg.metrics.overlap import dice
from brainseg.metrics.surface import surface_distances

Mask = NDArray[np.bool_]
Parts = NDArray[np.integer[Any]]

MISSED_2023_MM = 374.0
DILATIONS_2023, LEAST_MM3_2023 = 3, 50.0  # for gliomas; for metastases 1 and 2
_STRUCTURE_2023 = ndimage.generate_binary_structure(3, 2)  # faces and edges, no corners
LEAST_DICE_2026 = 1e-6


@dataclass(frozen=True)
class Lesion:
    """A lesion of the truth; or a predicted part that belongs to none, whose `volume_mm3` is 0."""

    volume_mm3: float
    dice: float
    hd95_mm: float
    found: bool
    counted: bool = True  # small ones are not, in 2023
    nsd: float = float("nan")  # 2026 only


@dataclass(frozen=True)
class LesionScores:
    """Means over lesions, the lesions themselves, and how many were found, missed, made up."""

    dice: float
    hd95_mm: float
    lesions: tuple[Lesion, ...]
    nsd: float = float("nan")  # 2026 only

    @property
    def true_positive(self) -> int:
        return sum(one.found and one.counted for one in self.lesions)

    @property
    def false_negative(self) -> int:
        return sum(not one.found and one.counted and one.volume_mm3 > 0 for one in self.lesions)

    @property
    def false_positive(self) -> int:
        return sum(one.volume_mm3 == 0 for one in self.lesions)

    @property
    def f1(self) -> float:
        """2 found / (2 found + missed + made up); NaN without any."""
        found, wrong = self.true_positive, self.false_negative + self.false_positive
        return 2 * found / (2 * found + wrong) if found or wrong else float("nan")


def lesions_2023(truth: Mask, guess: Mask, spacing_mm: Sequence[float]) -> LesionScores:
    """The lesion-wise Dice and HD95 of BraTS 2023 and 2024, with its values for adult gliomas.

    Parts of the truth whose dilations by 3 voxels meet are one lesion. All parts of the guess that touch the
    dilated lesion are compared with it, so one part may belong to several lesions. Lesions of at most 50 mm3
    are not counted. A missed lesion, and a part that touches no lesion, has Dice 0 and HD95 374 mm. If there
    is nothing to count, the scores are 1 and 0 mm. HD95 weights surface elements by their area, see
    `hd95_by_area_mm`.
    """
    parts = _parts(guess)
    grown = ndimage.binary_dilation(truth, _STRUCTURE_2023, DILATIONS_2023)
    whole = np.where(truth, _parts(grown), 0)
    voxel_mm3 = float(np.prod(spacing_mm))
    lesions, touched = [], set[int]()
    for number in range(1, int(whole.max()) + 1):
        own = whole == number
        met = _parts_within_reach(own, parts)
        touched.update(met.tolist())
        mm3 = float(np.count_nonzero(own) * voxel_mm3)
        counted = mm3 > LEAST_MM3_2023
        if len(met) == 0:
            lesions.append(Lesion(mm3, 0.0, MISSED_2023_MM, found=False, counted=counted))
            continue
        match = np.isin(parts, met)
        hd95 = hd95_by_area_mm(own, match, spacing_mm)
        lesions.append(Lesion(mm3, dice(own, match), hd95, found=True, counted=counted))
    made_up = int(parts.max()) - len(touched)
    lesions += [Lesion(0.0, 0.0, MISSED_2023_MM, found=False)] * made_up
    of_counted = [one for one in lesions if one.counted]
    if not of_counted:
        return LesionScores(1.0, 0.0, tuple(lesions))
    return LesionScores(_mean(of_counted, "dice"), _mean(of_counted, "hd95_mm"), tuple(lesions))


def _parts_within_reach(lesion: Mask, parts: Parts) -> NDArray[Any]:
    """The numbers of the predicted parts that touch the dilated lesion."""
    near = box_of(lesion, (DILATIONS_2023 + 1,) * 3)
    reach = ndimage.binary_dilation(lesion[near], _STRUCTURE_2023, DILATIONS_2023)
    return np.setdiff1d(parts[near][reach], 0)


def lesions_2026(truth: Mask, guess: Mask, spacing_mm: Sequence[float]) -> LesionScores:
    """The lesion-wise scores of BraTS 2025 and 2026: only lesions that were found count in the means.

    Parts of truth and guess are matched one to one so that the sum of their Dice is greatest. Without a pair
    the Dice and NSD are 0 and HD95 is infinite. If there is no part at all, they are NaN. NSD is the share of
    the surfaces that lie within one voxel's smallest side of each other. HD95 is the percentile over both
    surfaces together.
    """
    theirs, ours = _parts(truth), _parts(guess)
    n_truth, n_guess = int(theirs.max()), int(ours.max())
    pairs = _matched(theirs, ours, n_truth, n_guess)
    voxel_mm3 = float(np.prod(spacing_mm))
    lesions = []
    for number in range(1, n_truth + 1):
        own = theirs == number
        mm3 = float(np.count_nonzero(own) * voxel_mm3)
        if number not in pairs:
            lesions.append(Lesion(mm3, 0.0, float("inf"), found=False, nsd=0.0))
            continue
        match = ours == pairs[number]
        hd95, nsd = hd95_and_nsd(own, match, spacing_mm, min(spacing_mm))
        lesions.append(Lesion(mm3, dice(own, match), hd95, found=True, nsd=nsd))
    lesions += [Lesion(0.0, 0.0, float("inf"), found=False, nsd=0.0)] * (n_guess - len(pairs))
    if not lesions:
        return LesionScores(float("nan"), float("nan"), (), float("nan"))
    found = [one for one in lesions if one.found]
    if not found:
        return LesionScores(0.0, float("inf"), tuple(lesions), 0.0)
    return LesionScores(_mean(found, "dice"), _mean(found, "hd95_mm"), tuple(lesions), _mean(found, "nsd"))


def _mean(lesions: Sequence[Lesion], score: str) -> float:
    return float(np.mean([getattr(one, score) for one in lesions]))


def hd95_by_area_mm(truth: Mask, guess: Mask, spacing_mm: Sequence[float]) -> float:
    """HD95 as BraTS 2023 has it: surfaces run between voxels, and each element is weighted by its area.

    It is the larger of the two directions' 95th percentiles (Nikolov et al., "Clinically applicable
    segmentation of head and neck anatomy", JMIR 2021). It is 0 if both masks are empty, 374 if one is.
    """
    if not truth.any() or not guess.any():
        return 0.0 if truth.any() == guess.any() else MISSED_2023_MM
    from monai.metrics.utils import get_mask_edges  # takes a second, which a prediction need not spend

    box = box_of(truth | guess)
    masks = [torch.from_numpy(np.ascontiguousarray(mask[box])) for mask in (guess, truth)]
    edges_guess, edges_truth, areas_guess, areas_truth = (
        np.asarray(one) for one in get_mask_edges(*masks, spacing=list(spacing_mm))
    )
    at_guess, at_truth = (np.argwhere(edges) * np.asarray(spacing_mm) for edges in (edges_guess, edges_truth))
    return max(
        _percentile_by_area(KDTree(at_truth).query(at_guess)[0], areas_guess[edges_guess]),
        _percentile_by_area(KDTree(at_guess).query(at_truth)[0], areas_truth[edges_truth]),
    )


def whole_2026(truth: Mask, guess: Mask) -> dict[str, float]:
    """Dice, HD95 and NSD of the whole masks as BraTS 2025 and 2026 print them.

    Here their tool takes voxels for cubes of 1 mm, whatever the file says, and 0.5 mm as the tolerance of the
    NSD. The scores are NaN if both masks are empty; they are 0, infinite and 0 if the masks share no voxel.
    """
    if not truth.any() and not guess.any():
        return dict.fromkeys(("dice", "hd95_mm", "nsd"), float("nan"))
    if not (truth & guess).any():
        return {"dice": 0.0, "hd95_mm": float("inf"), "nsd": 0.0}
    hd95, nsd = hd95_and_nsd(truth, guess, (1.0, 1.0, 1.0), 0.5)
    return {"dice": dice(truth, guess), "hd95_mm": hd95, "nsd": nsd}


def hd95_and_nsd(
    truth: Mask, guess: Mask, spacing_mm: Sequence[float], tolerance_mm: float
) -> tuple[float, float]:
    """HD95 and normalised surface Dice as BraTS 2026 has them. Neither mask may be empty."""
    to_truth, to_guess = surface_distances(truth, guess, spacing_mm)
    within = [float((distances <= tolerance_mm).mean()) for distances in (to_truth, to_guess)]
    return float(np.percentile(np.concatenate([to_truth, to_guess]), 95)), sum(within) / 2


def _percentile_by_area(distances: Any, areas: Any) -> float:
    order = np.lexsort((areas, distances))
    own = np.asarray(areas[order], dtype=np.float64)
    place = int(np.searchsorted(np.cumsum(own) / own.sum(), 0.95))
    return float(distances[order][min(place, len(distances) - 1)])


def _matched(theirs: Parts, ours: Parts, n_truth: int, n_guess: int) -> dict[int, int]:
    """The number of the predicted part for each part of the truth that has a match."""
    if not n_truth or not n_guess:
        return {}
    both = theirs.astype(np.int64) * (n_guess + 1) + ours
    shared = np.bincount(both.ravel(), minlength=(n_truth + 1) * (n_guess + 1)).reshape(n_truth + 1, -1)
    sizes = shared.sum(axis=1)[1:, None] + shared.sum(axis=0)[None, 1:]
    scores = 2 * shared[1:, 1:] / sizes
    scores[scores < LEAST_DICE_2026] = -1e-6  # not a match, and a little worse than no pair
    rows, columns = optimize.linear_sum_assignment(-scores)
    return {
        int(row) + 1: int(column) + 1
        for row, column in zip(rows, columns, strict=True)
        if scores[row, column] > 0
    }


def _parts(mask: Mask) -> Parts:
    return np.asarray(cc3d.connected_components(mask, connectivity=26))
