"""What a trained segmenter learns from validation scans: its temperatures, and how to clean label maps.

All of it is plain values that the checkpoint keeps under "fitted".
"""

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.images.labels import BACKGROUND
from brainseg.images.masks import box_of
from brainseg.inference import Cleaning, fit_temperature
from brainseg.metrics import calibration_error, dice

log = logging.getLogger("brainseg")

LEAST_PART_ML = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
LEAST_ENHANCING_ML = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
VOXELS_PER_SCAN = 20_000  # for calibration, of those that are not 0

Regions = Mapping[str, tuple[int, ...]]  # the classes of each region
Case = tuple[torch.Tensor, torch.Tensor]  # image (C, X, Y, Z), true classes (X, Y, Z)


def fit_segmenter(model: Any, cases: Iterable[Case]) -> dict[str, Any]:
    """Temperatures, cleaning rule and what each subset of sequences costs.

    Args:
        model: A Segmenter.
        cases: Whole prepared scans that it has not learnt from.
    """
    spacing_mm, regions = model.config.preprocess.spacing_mm, model.region_members
    subsets = {"+".join(names): names for names in model.config.trained_subsets()}
    rules: dict[Cleaning, list[float]] = {}
    voxels: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
    dices: dict[str, list[dict[str, float]]] = {}
    n = 0
    for image, truth in cases:
        probabilities = model.probabilities(image)
        guess, true_classes = _array(model.decided(probabilities)), _array(truth).astype(np.uint8)
        voxels.append(_sampled(image, model.regions(probabilities), true_classes, regions, seed=n))
        if spacing_mm is not None:
            _score_rules(rules, true_classes, guess, regions, spacing_mm)
        if subsets:
            dices.setdefault("+".join(model.config.preprocess.modalities), []).append(
                _region_dices(true_classes, guess, regions)
            )
            for name, sequences in subsets.items():
                found = model.decided(model.probabilities(image, sequences))
                dices.setdefault(name, []).append(_region_dices(true_classes, _array(found), regions))
        n += 1
    if not n:
        return {}
    if spacing_mm is None:
        log.warning(
            "No cleaning rule was chosen: the rules count in ml, and preprocess.spacing_mm is null. Set it, "
            "for instance to [1,1,1]."
        )
    return {
        "validation_scans": n,
        **_calibration(voxels, regions),
        "cleaning": asdict(best_rule(rules)),
        "cleaning_scores": [{**asdict(rule), "scores": scores} for rule, scores in rules.items()],
        "subsets": {name: _means(own, regions) for name, own in dices.items()},
    }


def best_rule(scores: Mapping[Cleaning, Sequence[float]]) -> Cleaning:
    """The rule with the highest mean score of those that help; of equal ones the first.

    A rule helps if its mean gain over doing nothing exceeds the standard error of that gain. So a single
    scan, or a gain on one scan that another scan loses, changes no prediction. Without such a rule, do
    nothing.
    """
    nothing = Cleaning()
    gains = {rule: np.subtract(own, scores[nothing]) for rule, own in scores.items()}
    helping = {rule: float(gain.mean()) for rule, gain in gains.items() if _exceeds_its_error(gain)}
    return max(helping, key=lambda rule: round(helping[rule], 9), default=nothing)


def pooled_rules(fitted: Iterable[Mapping[str, Any]]) -> dict[Cleaning, list[float]]:
    """The scores of each rule in several checkpoints, of one fold each, together."""
    together: dict[Cleaning, list[float]] = {}
    for row in itertools.chain.from_iterable(one.get("cleaning_scores", []) for one in fitted):
        rule = Cleaning(row["least_part_ml"], row["fill"], row["least_enhancing_ml"])
        together.setdefault(rule, []).extend(row["scores"])
    return together


def _exceeds_its_error(gain: NDArray[np.float64]) -> bool:
    return len(gain) > 1 and bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def _score_rules(
    rules: dict[Cleaning, list[float]],
    truth: NDArray[np.uint8],
    guess: NDArray[np.uint8],
    regions: Regions,
    spacing_mm: Sequence[float],
) -> None:
    """Add the mean Dice of the regions of a case to every rule's scores."""
    box = box_of((truth != BACKGROUND) | (guess != BACKGROUND))
    truth, guess = truth[box], guess[box]
    voxel_ml = float(np.prod(spacing_mm)) / 1000  # all that is known of the grid here
    for part, fill in itertools.product(LEAST_PART_ML, (False, True)):
        cleaned = Cleaning(part, fill)(guess, voxel_ml)
        dices = _region_dices(truth, cleaned, regions)
        enhancing = regions["enhancing_tumor"]
        found_ml = float(np.isin(cleaned, enhancing).sum()) * voxel_ml
        without = float(not np.isin(truth, enhancing).any())  # the Dice of an empty guess
        for least in LEAST_ENHANCING_ML:  # moves it to the rest of the core: other Dices stay
            own = without if found_ml < least else dices["enhancing_tumor"]
            score = sum((dices | {"enhancing_tumor": own}).values()) / len(regions)
            rules.setdefault(Cleaning(part, fill, least), []).append(score)


def _region_dices(truth: NDArray[np.uint8], guess: NDArray[np.uint8], regions: Regions) -> dict[str, float]:
    return {
        region: dice(np.isin(truth, members), np.isin(guess, members)) for region, members in regions.items()
    }


def _sampled(
    image: torch.Tensor,
    regions_RXYZ: torch.Tensor,
    truth: NDArray[np.uint8],
    regions: Regions,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Region probabilities and truths (R, N) of some voxels of a scan that are not 0 in every channel."""
    places = np.flatnonzero(_array((image != 0).any(dim=0)))
    if len(places) > VOXELS_PER_SCAN:
        places = np.random.default_rng(seed).choice(places, VOXELS_PER_SCAN, replace=False)
    guess = _array(regions_RXYZ.flatten(1))[:, places]
    true = np.stack([np.isin(truth.ravel()[places], members) for members in regions.values()])
    return guess.astype(np.float32), true


def _calibration(
    voxels: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]], regions: Regions
) -> dict[str, Any]:
    """The temperature of each region, and its calibration error without it and with it."""
    guess = np.concatenate([guess for guess, _ in voxels], axis=1)
    truth = np.concatenate([truth for _, truth in voxels], axis=1)
    limit = np.finfo(np.float32).eps
    temperatures, errors = {}, {}
    for region, p, true in zip(regions, guess.astype(np.float64).clip(limit, 1 - limit), truth, strict=True):
        logit = np.log(p / (1 - p))
        two = np.stack([np.zeros_like(logit), logit], axis=1)
        temperature = fit_temperature(two, true.astype(np.int64))
        temperatures[region] = temperature
        errors[region] = [_calibration_error(logit, true), _calibration_error(logit / temperature, true)]
    return {"temperatures": temperatures, "calibration_error": errors}


def _calibration_error(logit: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    p = 1 / (1 + np.exp(-logit))
    return calibration_error(np.stack([1 - p, p], axis=1), truth.astype(np.int64))


def _means(cases: Sequence[Mapping[str, float]], regions: Regions) -> dict[str, float]:
    return {region: float(np.mean([case[region] for case in cases])) for region in regions}


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array
