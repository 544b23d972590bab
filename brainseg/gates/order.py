"""Which reason a reader should see first: what explains the others, or spoils the result most."""

from typing import Protocol, TypeVar


class Judged(Protocol):
    """A gate's finding, whose level compares or reads as "pass", "review" or "fail"."""

    @property
    def gate(self) -> str:
        """Its name."""

    @property
    def level(self) -> object:
        """How bad it is."""


Found = TypeVar("Found", bound=Judged)

ORDER = (
    # what the result can be worth at all
    *("incomplete", "synthetic_only"),
    # the file is not what it is taken for, or lies otherwise: everything else follows from that
    *("lowest_intensity", "same_image", "apart_mm", "header", "uprightness"),
    *("field_of_view_mm", "lost_slices", "slice_order", "brain_cut_off"),
    *("t1_over_flair", "csf_over_white", "white_over_gray", "slice_colour"),
    # its intensities are spoilt
    *("air_level", "negative_share", "grey_levels", "saturated_share", "noise", "sharpness", "slice_jump"),
    # the brain mask, on which the rest is built
    *("brain_ml", "brain_right_mm", "brain_front_mm", "brain_up_mm"),
    *("flip_agreement", "brain_pieces", "brain_asymmetry", "brain_holes"),
    # the tumour; the contradictions of two stages, which have no limits of their own, come before
    *("tumor_outside", "tumor_at_edge", "tumor_ml", "tumor_pieces", "tumor_unsure"),
    *("plane_agreement", "type_entropy", "type_share"),
    # a sign of damage that good scans show as well
    *("air_structure", "ghost_level"),
)
_RANK = {gate: n for n, gate in enumerate(ORDER)}
_CONTRADICTION = _RANK["tumor_outside"] - 0.5


def likeliest_first(found: list[Found]) -> list[Found]:
    """Findings that did not pass, those that stop a subject first, then by ORDER."""
    return sorted(found, key=lambda one: (str(one.level) != "fail", _RANK.get(one.gate, _CONTRADICTION)))
