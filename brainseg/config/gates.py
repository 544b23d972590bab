"""Every limit of conf/gates/: what each gate measures, and when its value asks for a person."""

from dataclasses import dataclass
from typing import Any, Optional

from omegaconf import MISSING

from brainseg.config.errors import ConfigError


@dataclass
class Limits:
    """The range [low, high] of a measure. null leaves an end, or both, open."""

    review: Any = MISSING  # outside this range a person should look at the result
    fail: Any = MISSING  # outside this range the subject stops

    def __post_init__(self) -> None:
        for name, ends in (("review", self.review), ("fail", self.fail)):
            if ends is None:
                continue
            numbers = [end for end in ends if end is not None] if isinstance(ends, list) else []
            if not numbers or len(ends) != 2 or numbers != sorted(numbers):
                raise ConfigError(f"gates: {name} takes [low, high], and one may be null; got {ends}")


@dataclass
class SequenceLimits:
    """The ranges of a measure in each sequence."""

    t1: Optional[Limits] = MISSING  # T1w
    t1ce: Optional[Limits] = MISSING  # T1w with contrast agent
    t2: Optional[Limits] = MISSING  # T2w
    flair: Optional[Limits] = MISSING  # FLAIR


@dataclass
class ContradictionsConfig:
    """When two stages contradict each other. Each contradiction asks a person to look."""

    tumor_ml: float = MISSING  # above this volume, a verdict without tumour is contradicted
    no_tumor_ml: float = MISSING  # below this volume, a verdict with a tumour is contradicted
    meningioma_depth_mm: float = MISSING  # deeper below the surface, a meningioma is contradicted
    pituitary_sella_mm: float = MISSING  # farther from the sella, a pituitary tumour is contradicted
    glioma_sella_mm: float = MISSING  # nearer to the sella, a glioma is contradicted
    heat_in_tumor: float = MISSING  # below this share of Grad-CAM in the tumour, the type is doubted
    heat_in_brain: float = MISSING  # below this share of Grad-CAM in the brain, the type is doubted
    heat_times: float = MISSING  # below it in the tumour, in 3-D as a multiple of the brain's, it is doubted
    types_shared: float = MISSING  # below this share of common probability, the two classifiers disagree


@dataclass
class GatesConfig:
    """The range of every measure. A gate that is null is not judged."""

    synthetic_only: Optional[Limits] = MISSING  # models that learnt from synthetic heads only; real scans
    header: Optional[Limits] = MISSING  # number of faults in the file's header, each named in a warning
    lowest_intensity: Optional[Limits] = MISSING  # lowest value of the scan; below -500 it is a CT
    negative_share: Optional[Limits] = MISSING  # share of the values that are negative
    grey_levels: Optional[Limits] = MISSING  # number of different values in the head
    saturated_share: Optional[Limits] = MISSING  # share of the head that has the highest value of all
    noise: Optional[Limits] = MISSING  # noise, as a share of the median intensity of the head
    lost_slices: Optional[Limits] = MISSING  # number of slices that are empty or copies of their neighbour
    slice_order: Optional[Limits] = MISSING  # likeness of a slice to the next, less to the next but one
    slice_jump: Optional[Limits] = MISSING  # largest step between two slices, as a multiple of the usual
    air_level: Optional[Limits] = MISSING  # brightness of the image's corners, as a share of the head's
    ghost_level: Optional[Limits] = MISSING  # brightness of the air beyond noise, as a share of the head's
    air_structure: Optional[Limits] = MISSING  # unevenness of the air, over the head's brightness
    sharpness: Optional[Limits] = MISSING  # spread of the fine structure over that of the head
    field_of_view_mm: Optional[Limits] = MISSING  # the field of view along its narrowest axis, mm
    same_image: Optional[Limits] = MISSING  # correlation of two sequences; 1 is one image twice
    apart_mm: Optional[Limits] = MISSING  # distance between the heads of two sequences, mm
    brain_ml: Optional[Limits] = MISSING  # volume of the brain mask, ml
    brain_pieces: Optional[Limits] = MISSING  # share of the raw mask outside its largest piece
    brain_holes: Optional[Limits] = MISSING  # share of the filled brain mask that was holes
    brain_right_mm: Optional[Limits] = MISSING  # width of the brain from left to right, mm
    brain_front_mm: Optional[Limits] = MISSING  # length of the brain from back to front, mm
    brain_up_mm: Optional[Limits] = MISSING  # height of the brain, mm
    brain_cut_off: Optional[Limits] = MISSING  # share of the brain that lies outside the image
    brain_asymmetry: Optional[Limits] = MISSING  # 1 less the Dice of the brain mask with its mirror image
    flip_agreement: Optional[Limits] = MISSING  # Dice of the brain mask with that of the mirrored scan
    uprightness: Optional[Limits] = MISSING  # overlap with an atlas, less the best in another orientation
    csf_over_white: Optional[SequenceLimits] = MISSING  # CSF less white matter, in standard deviations
    white_over_gray: Optional[SequenceLimits] = MISSING  # white less grey matter, in standard deviations
    t1_over_flair: Optional[Limits] = None  # white over grey in a T1 less that in the FLAIR beside it
    plane_agreement: Optional[Limits] = MISSING  # share of the planes that alone name the type of the vote
    type_entropy: Optional[Limits] = MISSING  # entropy of the tumour type; 1 is a guess
    slice_colour: Optional[Limits] = None  # share of a picture of a slice that is in colour
    type_share: Optional[Limits] = MISSING  # share among tumour types, where notumor is likelier
    tumor_ml: Optional[Limits] = MISSING  # volume of the tumour, ml
    tumor_pieces: Optional[Limits] = MISSING  # number of connected parts of the tumour
    tumor_outside: Optional[Limits] = MISSING  # share of the tumour outside a mask that is 1 mm off
    tumor_at_edge: Optional[Limits] = MISSING  # share of the tumour's surface on the brain mask's edge
    tumor_unsure: Optional[Limits] = MISSING  # volume at 20 to 80 % probability, over the tumour's
    contradictions: Optional[ContradictionsConfig] = MISSING
