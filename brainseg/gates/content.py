"""Which sequence a scan looks like, by the contrast of its tissues. Nothing is learnt, and it may be unsure.

| looks like | CSF beside white matter | grey beside white matter | near the ventricles   |
| ---------- | ----------------------- | ------------------------ | --------------------- |
| t2         | far brighter            | brighter                 | bright, nothing dark  |
| t1         | not brighter            | darker, at each border   | something dark        |
| flair      | darker                  | not darker               | something dark        |

The limits are the values at which no scan of docs/experiments/identify.md is taken for another. T1 with
contrast agent looks like T1 in all of these; `brighter` compares two scans of one head.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from brainseg.gates import placing, scan
from brainseg.gates.placing import CSF, GRAY, RIM, STEP_MM, VENTRICLES, WHITE, Placement, template
from brainseg.images.volume import Volume, resample_to, to_ras

LEAST_FIT = 0.75  # of the template in the head
T1_SLOPE, FLAIR_SLOPE, T2_SLOPE = 0.18, 0.03, -0.08
T1_CLEAR = 0.3  # from here on it is t1 in any case; below, the CSF must not be nulled, or grey be far darker
SAME_HEAD = 0.8  # correlation of two scans of one patient
AGENT_FACTOR, AGENT_LEAST = 1.5, 0.25

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Contrast:
    """Medians as shares of that of white matter.

    Attributes:
        fit: How well the template lies in the head, 0 to 1; 0 where it lies wrong.
        csf, gray: The tissues' medians.
        darkest, brightest: The 5th and the 95th percentile in and around the ventricles.
        slope: Correlation of the intensity with how much white and how little grey matter there is, each
            beside the mean within 12 mm.
    """

    fit: float
    csf: float
    gray: float
    darkest: float
    brightest: float
    slope: float

    @property
    def looks_like(self) -> str | None:
        """t1 (with agent or without), t2 or flair; None if it is not sure."""
        if self.fit < LEAST_FIT:
            return None
        if self.csf >= 1.25 and self.gray >= 1.12 and self.brightest >= 1.9 and self.darkest >= 0.75:
            return "t2" if self.slope <= T2_SLOPE else None
        is_clear = self.slope >= T1_CLEAR or self.darkest >= 0.5 or self.gray <= 0.8
        if self.slope >= T1_SLOPE and self.gray <= 0.95 and self.csf <= 1.05 and self.darkest <= 0.75:
            return "t1" if is_clear else None
        is_flair = self.slope <= FLAIR_SLOPE and self.gray >= 0.93
        return "flair" if is_flair and self.csf <= 0.86 and self.darkest <= 0.6 else None

    @property
    def in_words(self) -> str:
        """The measures for a person to read."""
        if self.fit < LEAST_FIT:
            return f"no brain was found in it (fit {self.fit:.2f})"
        return f"CSF/white {self.csf:.2f}, gray/white {self.gray:.2f}, white over gray {self.slope:+.2f}"


NO_BRAIN = Contrast(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def contrast_of(volume: Volume, brain: NDArray[np.bool_] | None) -> Contrast:
    """The contrast of a scan.

    Args:
        volume: (1, X, Y, Z), a head or a brain alone.
        brain: The mask (X, Y, Z) of a scan of a brain alone; None for a head.
    """
    small, spacing_mm, placed = _placed(volume, brain)
    if placed is placing.NOWHERE:
        return NO_BRAIN
    smooth = np.asarray(ndimage.gaussian_filter(small, [1.5 / step for step in spacing_mm]))
    values = {
        name: placed.sample(smooth, spacing_mm, template().points[name])
        for name in (WHITE, GRAY, CSF, VENTRICLES, RIM)
    }
    white = float(np.median(values[WHITE]))
    lies_wrong = brain is None and not placing.is_within_a_skull(placed, smooth, spacing_mm)
    if lies_wrong or white <= 0:
        return NO_BRAIN
    dark, bright = np.percentile(values[VENTRICLES], [5, 95]) / white
    on_template = placed.sample(smooth, spacing_mm, template().grid).reshape(template().shape)
    return Contrast(
        placed.fit,
        float(np.median(values[CSF])) / white,
        float(np.median(values[GRAY])) / white,
        float(dark),
        float(bright),
        _slope(on_template),
    )


def brighter(one: Volume, other: Volume, brain: NDArray[np.bool_] | None) -> bool | None:
    """Whether one of two T1-like scans of a head has what takes up contrast agent far brighter.

    None if it cannot be told: they show two heads, or neither is far brighter. False: the other has it.

    Args:
        one: (1, X, Y, Z).
        other: The same, on any grid.
        brain: The mask of `one` where it is of a brain alone.
    """
    small, spacing_mm, placed = _placed(one, brain)
    if placed is placing.NOWHERE:
        return None
    moved = Volume(resample_to(other, one.grid, nearest=False).data, one.grid)
    second, _ = scan.coarse(to_ras(moved).data[0].astype(np.float32), to_ras(moved).grid.spacing_mm)
    points = np.concatenate([template().points[name] for name in (placing.BRAIN, RIM)])
    a, b = (placed.sample(image, spacing_mm, points) for image in (small, second))
    seen = (a > 0) & (b > 0)
    if seen.sum() < 1000 or scan.likeness(a[seen].astype(np.float32), b[seen].astype(np.float32)) < SAME_HEAD:
        return None
    a, b = (values[seen] / np.median(values[seen]) for values in (a, b))
    more, less = (float(np.percentile(difference, 99.7)) for difference in (a - b, b - a))
    if max(more, less) < AGENT_LEAST or max(more, less) < AGENT_FACTOR * min(more, less):
        return None
    return more > less


def _placed(
    volume: Volume, brain: NDArray[np.bool_] | None
) -> tuple[Image, tuple[float, float, float], Placement]:
    """The image in RAS and voxels of about 2 mm, their size, and where the template lies in it."""
    ras = to_ras(volume)
    small, spacing_mm = scan.coarse(ras.data[0].astype(np.float32), ras.grid.spacing_mm)
    if brain is None:
        return small, spacing_mm, placing.place_in_head(small, spacing_mm)
    mask = to_ras(Volume(brain[None].astype(np.float32), volume.grid)).data[0]
    share, _ = scan.coarse(mask.astype(np.float32), ras.grid.spacing_mm)
    return small, spacing_mm, placing.place_in_brain(small, share > 0.5, spacing_mm)


def _slope(image: NDArray[np.float64]) -> float:
    """The correlation of `Contrast.slope`, in an image on the template's grid.

    Voxels that are much darker than those around, as where the scan has CSF and the template has none, do not
    count.
    """
    used = template().cortex_and_white & (image > 0)
    used &= image > 0.8 * _mean_around(image, used)
    if used.sum() < 1000:
        return 0.0
    around = np.maximum(_mean_around(image, used), 1e-6)
    tissue = template().tissue
    pairs = np.stack([(image / around)[used], (tissue - _mean_around(tissue, used))[used]])
    return float(np.asarray(np.corrcoef(pairs))[0, 1])


def _mean_around(image: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A Gaussian mean of the voxels that are used, of 12 mm."""
    deviation = 12 / STEP_MM
    weight = ndimage.gaussian_filter(used.astype(np.float64), deviation)
    mean = ndimage.gaussian_filter(np.where(used, image, 0.0), deviation) / np.maximum(weight, 1e-6)
    return np.asarray(mean, dtype=np.float64)
