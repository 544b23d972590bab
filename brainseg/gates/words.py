"""The sentence of each gate: what was measured, what a value outside of the limits may mean, what to do."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Words:
    """The parts of a gate's sentence.

    Args:
        measure: Names the measure, with a place for its value; the limit follows in brackets.
        meaning: What may be wrong where the value lies outside of the limit.
        advice: What the reader can do then.
    """

    measure: str
    meaning: str
    advice: str

    def passed(self, value: float, limit: Any) -> str:
        """The sentence for a value within the limit: [low, high], an open end None, or None without one."""
        return f"{self._measured(value, limit)}."

    def failed(self, value: float, limit: Any) -> str:
        """The two sentences for a value outside of it."""
        return f"{self._measured(value, limit)}: {self.meaning}. {self.advice}."

    def _measured(self, value: float, limit: Any) -> str:
        (low, high), percent = limit or (None, None), "%}" in self.measure
        return f"{self.measure.format(value)} ({_limit(low, high, percent=percent)})"


def at_least(limit: float, *, percent: bool = False) -> str:
    """As "limit: at least 0.3", or "limit: at least 30%"."""
    return f"limit: at least {_number(limit, percent=percent)}"


def at_most(limit: float, *, percent: bool = False) -> str:
    return f"limit: at most {_number(limit, percent=percent)}"


def _limit(low: float | None, high: float | None, *, percent: bool) -> str:
    if low is None:
        return "no limit" if high is None else at_most(high, percent=percent)
    if high is None:
        return at_least(low, percent=percent)
    return f"limits: {_number(low, percent=percent)} to {_number(high, percent=percent)}"


def _number(limit: float, *, percent: bool) -> str:
    return f"{100 * limit:g}%" if percent else f"{limit:g}"


_SIZE = ("the brain mask or the voxel size may be wrong", "Look at the mask and check the voxel size")
_SEQUENCE = ("the file may hold another sequence than its name says", "Check which sequence it is")

WORDS = {
    "synthetic_only": Words(
        "{:g} models learnt from synthetic heads only and were not measured on real scans",
        "the result may be wrong on a real scan",
        "Check the result by eye, or use a model that was measured on real scans",
    ),
    "header": Words(
        "The number of faults in the header is {:g}",
        "sizes, volumes, or left and right may be wrong",
        "Read the warnings of this scan, and export it again or correct its header",
    ),
    "lowest_intensity": Words(
        "The lowest intensity is {:g}",
        "the file may be a CT scan",
        "Give an MRI scan",
    ),
    "negative_share": Words(
        "{:.1%} of the intensities are negative",
        "the scan may have been normalised, or its integers may have overflowed",
        "Give the scan as the scanner wrote it",
    ),
    "grey_levels": Words(
        "The number of different intensities in the head is {:g}",
        "the file may be a label map, or a scan that was stored with too few grey levels",
        "Give the scan with all of its grey levels",
    ),
    "saturated_share": Words(
        "{:.1%} of the head has the highest intensity",
        "the intensities of bright tissue may have been cut off",
        "Export the scan again with its full range of intensities",
    ),
    "noise": Words(
        "The noise is {:.1%} of the median intensity",
        "the noise may hide small structures",
        "Look at the scan, and use a less noisy one if you have it",
    ),
    "lost_slices": Words(
        "The number of slices that are empty or equal to a neighbour is {:g}",
        "slices of the scan may be lost",
        "Look through the slices, and export the whole series again",
    ),
    "slice_order": Words(
        "The correlation of neighbouring slices less that of slices two apart is {:.3f}",
        "the slices may be in a wrong order",
        "Sort the slices by their position and convert the series again",
    ),
    "slice_jump": Words(
        "The largest change from one slice to the next is {:.1f} times the usual change",
        "a slice may be damaged or missing, or part of the image may be black",
        "Look through the slices, and export the series again if one is missing",
    ),
    "air_level": Words(
        "The intensity of the air is {:.0%} of that of the head",
        "the scan may be a negative or an inversion recovery with signs, or the corners may show no air",
        "Look at the scan, and give its magnitude if it has signs",
    ),
    "ghost_level": Words(
        "The intensity of the air around the head, less the noise, is {:.1%} of that of the head",
        "the scan may show the stripes of a spike or ghosts, or parts of the head may be folded over",
        "Look at the air around the head with a narrow window",
    ),
    "air_structure": Words(
        "The intensity of the air beside the head varies by {:.1%} of that of the head",
        "the scan may show ghosts of the head or blood vessels, or the patient may have moved",
        "Look at the air beside the head with a narrow window, and at the brain for ripples",
    ),
    "sharpness": Words(
        "Structures of less than about 4 mm make up {:.2f} of the contrast",
        "the scan may be blurred",
        "Look at the scan, and use a sharper one if you have it",
    ),
    "field_of_view_mm": Words(
        "The shortest side of the field of view is {:.0f} mm",
        "part of the head may be outside the image",
        "Check the field of view and the voxel size",
    ),
    "same_image": Words(
        "The correlation of the two scans is {:.4f}",
        "both files may hold the same image",
        "Check which file holds which sequence",
    ),
    "apart_mm": Words(
        "The heads in the two scans lie {:.0f} mm apart",
        "the scans may be of two patients, or the patient may have moved between them",
        "Look at both scans, and try pipeline.register=rigid",
    ),
    "brain_ml": Words("The brain mask holds {:.0f} ml", *_SIZE),
    "brain_pieces": Words(
        "{:.1%} of the brain mask lay apart from its largest piece and was removed",
        "the stripper may have taken other tissue for brain",
        "Look at the mask",
    ),
    "brain_holes": Words(
        "Holes, which were filled, made up {:.1%} of the brain mask",
        "the stripper may have taken brain for other tissue",
        "Look at the mask",
    ),
    "brain_right_mm": Words("The brain is {:.0f} mm wide", *_SIZE),
    "brain_front_mm": Words("The brain is {:.0f} mm long", *_SIZE),
    "brain_up_mm": Words("The brain is {:.0f} mm high", *_SIZE),
    "brain_cut_off": Words(
        "About {:.1%} of the brain lies outside the image, as its area on the border tells",
        "a tumour there would not be seen, and the volume of the brain is too small",
        "Look at the border of the image, and give a scan of the whole brain if there is one",
    ),
    "brain_asymmetry": Words(
        "The left half and the right half of the brain mask differ by {:.1%}",
        "the mask may miss part of one half",
        "Look at the mask",
    ),
    "flip_agreement": Words(
        "The masks of the scan and of its mirror image agree with a Dice of {:.3f}",
        "the stripper may be wrong where the two masks differ",
        "Look at the mask",
    ),
    "uprightness": Words(
        "The overlap of the brain with an atlas less that in the best other orientation is {:.3f}",
        "the header may give a wrong orientation, or the brain mask may be wrong",
        "Check in the page's planes that the head is upright and looks forward, then look at the mask",
    ),
    "csf_over_white": Words(
        "The intensity of CSF less that of white matter is {:.2f} standard deviations of the brain",
        *_SEQUENCE,
    ),
    "white_over_gray": Words(
        "The intensity of white matter less that of grey matter is {:.2f} standard deviations of the brain",
        *_SEQUENCE,
    ),
    "t1_over_flair": Words(
        "White matter less grey matter in the T1, less the same in the FLAIR, is {:.2f} standard deviations "
        "of the brain",
        "the two files may be exchanged, or the brain mask may be wrong",
        "Check which sequence each file holds, then look at the mask",
    ),
    "plane_agreement": Words(
        "{:.0%} of the planes give, each alone, the tumour type that all give together",
        "the tumour type is uncertain",
        "Look at the probabilities of each plane",
    ),
    "type_entropy": Words(
        "The entropy of the tumour type is {:.0%} of that of a guess",
        "the tumour type is uncertain",
        "Look at the probabilities of all types",
    ),
    "slice_colour": Words(
        "{:.1%} of the picture is in colour",
        "it may be no slice of an MRI scan, or show several sequences or an overlay in one",
        "Give a picture in grey",
    ),
    "type_share": Words(
        "The class notumor is more probable than the tumour type, which has {:.0%} of the probability of all "
        "tumour types",
        "the tumour type is uncertain",
        "Look at the probabilities of all types",
    ),
    "tumor_ml": Words(
        "The outlined tumour holds {:.1f} ml",
        "the outline may hold healthy tissue",
        "Look at the outline",
    ),
    "tumor_pieces": Words(
        "The number of pieces of the outlined tumour is {:g}",
        "some of them may be healthy tissue",
        "Look at the outline",
    ),
    "tumor_outside": Words(
        "{:.1%} of the outlined tumour lies outside the brain mask, beyond what a border 1 mm off explains",
        "the brain mask or the outline may be wrong",
        "Look at both",
    ),
    "tumor_at_edge": Words(
        "{:.0%} of the surface of the outlined tumour lies on the edge of the brain mask",
        "the outline may follow the edge of the mask and not a tumour",
        "Look at the outline",
    ),
    "tumor_unsure": Words(
        "The volume with a tumour probability of 20 to 80% is {:.2f} times that of the outlined tumour",
        "the outline may have a wrong border, or show lesions of multiple sclerosis and no tumour",
        "Look at the outline and the probability map",
    ),
}
