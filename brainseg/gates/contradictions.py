"""Where two stages say what cannot both be true."""

from collections.abc import Iterator
from dataclasses import dataclass

from brainseg.config.gates import ContradictionsConfig
from brainseg.gates.finding import Finding, Level
from brainseg.gates.tumor import TumorShape
from brainseg.inference import HEALTHY


@dataclass(frozen=True)
class Evidence:
    """What the stages have said; None where one did not speak.

    Args:
        verdict: The tumour type.
        tumor: The outline.
        heat_in_tumor: Share of the Grad-CAM of the loudest slice within the outline there.
        heat_in_brain: The same within the brain.
    """

    verdict: str | None = None
    tumor: TumorShape | None = None
    heat_in_tumor: float | None = None
    heat_in_brain: float | None = None


def contradictions(evidence: Evidence, limits: ContradictionsConfig) -> list[Finding]:
    """One for each pair of statements that do not go together; the subject then needs a look at least."""
    said = [*_of_type_and_outline(evidence, limits), *_of_heat(evidence, limits)]
    return [Finding(name, Level.review, value, None, sentence) for name, value, sentence in said]


Said = tuple[str, float, str]  # name, value, sentence


def _of_type_and_outline(evidence: Evidence, limits: ContradictionsConfig) -> Iterator[Said]:
    verdict, tumor = evidence.verdict, evidence.tumor
    if verdict is None or tumor is None:
        return
    ml, depth, sella = tumor.ml, tumor.depth_mm, tumor.sella_mm
    if verdict == HEALTHY:
        if ml > limits.tumor_ml:
            said = f"The classifier sees no tumour, but {ml:.1f} ml are outlined."
            yield "tumor_without_verdict", ml, said
    elif ml < limits.no_tumor_ml:
        said = f"The classifier sees a {verdict}, but only {ml:.2f} ml are outlined."
        yield "verdict_without_tumor", ml, said
    elif verdict == "meningioma" and depth > limits.meningioma_depth_mm:
        said = f"A meningioma grows on the brain's surface, but the tumour lies {depth:.0f} mm below it."
        yield "deep_meningioma", depth, said
    elif verdict == "pituitary" and sella > limits.pituitary_sella_mm:
        said = f"A pituitary tumour grows in the sella, but the tumour lies {sella:.0f} mm away."
        yield "pituitary_elsewhere", sella, said
    elif verdict == "glioma" and sella < limits.glioma_sella_mm:
        said = f"A glioma grows in the brain's tissue, but the tumour lies in the sella ({sella:.0f} mm)."
        yield "glioma_in_sella", sella, said


def _of_heat(evidence: Evidence, limits: ContradictionsConfig) -> Iterator[Said]:
    if evidence.verdict in (None, HEALTHY):
        return
    for share, least, name, where in (
        (evidence.heat_in_tumor, limits.heat_in_tumor, "heat_outside_tumor", "outlined tumour"),
        (evidence.heat_in_brain, limits.heat_in_brain, "heat_outside_brain", "brain"),
    ):
        if share is not None and share < least:
            said = f"The classifier looked elsewhere: {share:.0%} of its attention lies in the {where}."
            yield name, share, said
