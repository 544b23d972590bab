"""Every limit of conf/gates/: what each measure means stands in brainseg/gates/words.py."""

from dataclasses import dataclass
from typing import Any, Optional

from omegaconf import MISSING

from brainseg.config.errors import ConfigError


@dataclass
class Limits:
    """What a measure may be: [low, high], null for an end that is open, null for both."""

    review: Any = MISSING  # outside of this a person should look
    fail: Any = MISSING  # outside of this the subject stops

    def __post_init__(self) -> None:
        for name, ends in (("review", self.review), ("fail", self.fail)):
            if ends is None:
                continue
            numbers = [end for end in ends if end is not None] if isinstance(ends, list) else []
            if not numbers or len(ends) != 2 or numbers != sorted(numbers):
                raise ConfigError(f"gates: {name} takes [low, high], of which one may be null; got {ends}")


@dataclass
class SequenceLimits:
    """What a measure may be in each sequence."""

    t1: Optional[Limits] = MISSING
    t1ce: Optional[Limits] = MISSING
    t2: Optional[Limits] = MISSING
    flair: Optional[Limits] = MISSING


@dataclass
class ContradictionsConfig:
    """When two stages contradict each other."""

    tumor_ml: float = MISSING  # outlined, where the classifier sees none
    no_tumor_ml: float = MISSING  # at most outlined, where it sees one
    meningioma_depth_mm: float = MISSING  # of its nearest part below the brain's surface
    pituitary_sella_mm: float = MISSING  # of its middle from the sella
    glioma_sella_mm: float = MISSING  # nearer than that
    heat_in_tumor: float = MISSING  # share of Grad-CAM, less than that
    heat_in_brain: float = MISSING


@dataclass
class GatesConfig:
    """What every measure may be; null: not looked at. What each means: brainseg/gates/words.py."""

    synthetic_only: Optional[Limits] = MISSING
    lowest_intensity: Optional[Limits] = MISSING
    negative_share: Optional[Limits] = MISSING
    grey_levels: Optional[Limits] = MISSING
    saturated_share: Optional[Limits] = MISSING
    noise: Optional[Limits] = MISSING
    lost_slices: Optional[Limits] = MISSING
    slice_order: Optional[Limits] = MISSING
    slice_jump: Optional[Limits] = MISSING
    air_level: Optional[Limits] = MISSING
    ghost_level: Optional[Limits] = MISSING
    air_structure: Optional[Limits] = MISSING
    sharpness: Optional[Limits] = MISSING
    field_of_view_mm: Optional[Limits] = MISSING
    same_image: Optional[Limits] = MISSING
    apart_mm: Optional[Limits] = MISSING
    brain_ml: Optional[Limits] = MISSING
    brain_pieces: Optional[Limits] = MISSING
    brain_holes: Optional[Limits] = MISSING
    brain_right_mm: Optional[Limits] = MISSING
    brain_front_mm: Optional[Limits] = MISSING
    brain_up_mm: Optional[Limits] = MISSING
    brain_cut_cm2: Optional[Limits] = MISSING
    brain_cut_below_cm2: Optional[Limits] = MISSING
    brain_asymmetry: Optional[Limits] = MISSING
    flip_agreement: Optional[Limits] = MISSING
    uprightness: Optional[Limits] = MISSING
    csf_over_white: Optional[SequenceLimits] = MISSING
    white_over_gray: Optional[SequenceLimits] = MISSING
    plane_agreement: Optional[Limits] = MISSING
    type_entropy: Optional[Limits] = MISSING
    type_share: Optional[Limits] = MISSING
    tumor_ml: Optional[Limits] = MISSING
    tumor_pieces: Optional[Limits] = MISSING
    tumor_outside: Optional[Limits] = MISSING
    tumor_at_edge: Optional[Limits] = MISSING
    tumor_unsure: Optional[Limits] = MISSING
    contradictions: Optional[ContradictionsConfig] = MISSING
