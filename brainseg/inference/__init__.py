"""From predictions of patches and slices to predictions of volumes."""

from brainseg.inference.calibration import calibrated, fit_temperature, undecidedness
from brainseg.inference.cleaning import Cleaning
from brainseg.inference.components import fill_holes, largest_component
from brainseg.inference.diameters import diameters
from brainseg.inference.one_window import predict_one, widths_of_one
from brainseg.inference.otsu import otsu_brain
from brainseg.inference.regions import (
    at_temperatures,
    classes_of_regions,
    most_probable,
    region_probabilities,
)
from brainseg.inference.saliency import grad_cam, share_inside
from brainseg.inference.vote import (
    HEALTHY,
    Verdict,
    VoteSlice,
    combine_votes,
    likeliest,
    shared_probability,
    verdict_of,
    vote_slices,
)
from brainseg.inference.window import Windows, on_host, predict_windows

__all__ = [
    "HEALTHY",
    "Cleaning",
    "Verdict",
    "VoteSlice",
    "Windows",
    "at_temperatures",
    "calibrated",
    "classes_of_regions",
    "combine_votes",
    "diameters",
    "fill_holes",
    "fit_temperature",
    "grad_cam",
    "largest_component",
    "likeliest",
    "most_probable",
    "on_host",
    "otsu_brain",
    "predict_one",
    "predict_windows",
    "region_probabilities",
    "share_inside",
    "shared_probability",
    "undecidedness",
    "verdict_of",
    "vote_slices",
    "widths_of_one",
]
