"""Results of two stages that contradict each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from brainseg.config.gates import ContradictionsConfig
from brainseg.gates.assessment import Assessment, Level
from brainseg.gates.tumor import TumorShape
from brainseg.gates.words import at_least, at_most
from brainseg.inference import HEALTHY, likeliest, shared_probability

VOLUME = "volume_classifier"  # whom a finding is of, where it is not of the vote of slices


@dataclass(frozen=True)
class Evidence:
    """What a classifier and the segmenter have found; None where a stage was left out.

    Args:
        verdict: The tumour type.
        tumor: The outlined tumour.
        heat_in_tumor: Share of the Grad-CAM of the loudest slice that lies in the outlined tumour.
        heat_in_brain: The same for the brain.
        heat_times: How many times as strong the Grad-CAM of a whole brain is in the outlined tumour as in the
            brain.
        of: `VOLUME` where the type is that of the whole brain.
    """

    verdict: str | None = None
    tumor: TumorShape | None = None
    heat_in_tumor: float | None = None
    heat_in_brain: float | None = None
    heat_times: float | None = None
    of: str | None = None

    @property
    def who(self) -> str:
        return "3-D classifier" if self.of == VOLUME else "classifier"


def contradictions(evidence: Evidence, limits: ContradictionsConfig) -> list[Assessment]:
    """A review for each pair of results that contradict each other."""
    said = [*_of_type_and_outline(evidence, limits), *_of_heat(evidence, limits)]
    return [
        Assessment(name, Level.review, value, None, sentence, evidence.of) for name, value, sentence in said
    ]


def types_agree(vote: Mapping[str, float], volume: Mapping[str, float]) -> bool | None:
    """Whether one class is the likeliest for both; None where one does not know that of the other."""
    one, other = likeliest(vote), likeliest(volume)
    return one == other if one in volume and other in vote else None


def types_differ(
    vote: Mapping[str, float], volume: Mapping[str, float], limits: ContradictionsConfig
) -> list[Assessment]:
    """A review where the slices and the whole brain speak for two types, or share little probability.

    Args:
        vote: The mean probability of each class over the slices.
        volume: The same of the whole brain.
        limits: Of all contradictions.
    """
    shared = shared_probability(vote, volume)
    if shared is None or (types_agree(vote, volume) is not False and shared >= limits.types_shared):
        return []
    slices, brain = (f"{name} at {said[name]:.2f}" for said in (vote, volume) for name in [likeliest(said)])
    limit = at_least(limits.types_shared, percent=True).removeprefix("limit: ")
    sentence = (
        f"The slices say {slices} and the 3-D classifier says {brain}, with {shared:.0%} of their "
        f"probability in common (limits: one type, and {limit}): one of the two may be wrong. Look at the "
        "scan, and at where each of them looked."
    )
    return [Assessment("types_differ", Level.review, shared, None, sentence)]


Said = tuple[str, float, str]  # name, value, sentence


def _of_type_and_outline(evidence: Evidence, limits: ContradictionsConfig) -> Iterator[Said]:
    if evidence.verdict is None or evidence.tumor is None:
        return
    for name, value, classifier, outline in _of_type(evidence.verdict, evidence.tumor, limits):
        said = f"The {evidence.who} says {classifier}, but the outlined tumour {outline}"
        yield name, value, f"{said}: one of the two may be wrong. Look at the scan."


def _of_type(
    verdict: str, tumor: TumorShape, limits: ContradictionsConfig
) -> Iterator[tuple[str, float, str, str]]:
    """Name and value of a contradiction, what the classifier says, and what the outline shows."""
    ml, depth, sella = tumor.ml, tumor.depth_mm, tumor.sella_mm
    from_sella = f"lies {sella:.0f} mm from the sella"
    if verdict == HEALTHY and ml > limits.tumor_ml:
        yield "tumor_without_verdict", ml, "no tumour", f"holds {ml:.1f} ml ({at_most(limits.tumor_ml)})"
    if verdict == HEALTHY:
        return
    if ml < limits.no_tumor_ml and tumor.cavity_ml >= limits.no_tumor_ml:
        return  # the tumour was taken out
    if ml < limits.no_tumor_ml:
        outline = f"holds {ml:.2f} ml ({at_least(limits.no_tumor_ml)})"
        yield "verdict_without_tumor", ml, f"the type {verdict}", outline
    elif verdict == "meningioma" and depth > limits.meningioma_depth_mm:
        outline = f"lies {depth:.0f} mm below the surface ({at_most(limits.meningioma_depth_mm)})"
        yield "deep_meningioma", depth, "meningioma, which grows on the surface of the brain", outline
    elif verdict == "pituitary" and sella > limits.pituitary_sella_mm:
        outline = f"{from_sella} ({at_most(limits.pituitary_sella_mm)})"
        yield "pituitary_elsewhere", sella, "pituitary tumour, which grows in the sella", outline
    elif verdict == "glioma" and sella < limits.glioma_sella_mm:
        outline = f"{from_sella} ({at_least(limits.glioma_sella_mm)})"
        yield "glioma_in_sella", sella, "glioma, which grows in the tissue of the brain", outline


def _of_heat(evidence: Evidence, limits: ContradictionsConfig) -> Iterator[Said]:
    if evidence.verdict in (None, HEALTHY):
        return
    for share, least, name, where in (
        (evidence.heat_in_tumor, limits.heat_in_tumor, "heat_outside_tumor", "outlined tumour"),
        (evidence.heat_in_brain, limits.heat_in_brain, "heat_outside_brain", "brain"),
    ):
        if share is not None and share < least:
            limit = at_least(least, percent=True)
            said = f"{share:.2%} of the classifier's Grad-CAM lies in the {where} ({limit})"
            yield name, share, f"{said}: it may have judged by something else. Look at its slice."
    times = evidence.heat_times
    if times is not None and times < limits.heat_times:
        said = f"The 3-D classifier's Grad-CAM is {times:.2f} times as strong in the outlined tumour as in "
        said += f"the brain ({at_least(limits.heat_times)}): it may have judged by something else. Look at "
        yield "heat_outside_tumor", times, f"{said}its picture."
