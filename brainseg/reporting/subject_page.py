"""The page of one subject: what was found, whether to trust it, and where it comes from, in one file."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainseg.gates.model_words import model_in_words
from brainseg.images.labels import CLASSES, REGIONS
from brainseg.reporting.canvas import CLASS_COLORS, spoken
from brainseg.reporting.page import inline_file, template_text, write_page
from brainseg.reporting.viewer import niivue
from brainseg.results.type_words import is_undecided, means_in_words, type_in_words

PAGE = "report.html"
HEADLINES = {
    "pass": "Passed: nothing that was measured lies outside its limits. That is no proof that it is right.",
    "review": "To be reviewed: a person should look before anything is made of this.",
    "fail": "Failed: this subject was stopped, and no masks were written.",
    "not judged": "Not judged: the gates were switched off (gates=none).",
}
# Of a result that ended before it had them.
EMPTY: dict[str, Any] = {
    "gates": [], "warnings": [], "tumor_type": None, "seconds": {}, "grids": {}, "models": {},
    "machine": {}, "versions": {},
}  # fmt: skip
LEFT_OUT = {"strip": "Skull stripping", "classify": "Tumour type", "segment": "Outline of the tumour"}


def write_subject_page(
    path: Path, result: Mapping[str, Any], volumes: Mapping[str, Any] | None, pictures: Mapping[str, Path]
) -> None:
    """Write the page of a result.

    Args:
        path: The .html file.
        result: What result.json holds.
        volumes: From `volumes_of`; None where no scan could be read.
        pictures: "montage" and "vote", where they were drawn.
    """
    result, script = {**EMPTY, **result}, _script()
    # The pieces that run are named by their hash, so that nothing else can, whatever a file is called.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    write_page(
        path,
        "subject",
        result=result,
        headline=HEADLINES[result["verdict"]],
        facts=[] if result["verdict"] == "fail" else list(_facts(result)),
        wrong=[gate for gate in result["gates"] if gate["level"] != "pass"],
        passed=sum(gate["level"] == "pass" for gate in result["gates"]),
        left_out={LEFT_OUT[stage]: why for stage, why in result.get("left_out", {}).items()},
        parts=list(_parts(result)),
        learnt=list(_learnt(result)),
        undecided=_undecided(result["tumor_type"]),
        volumes=volumes and {**volumes, **_names_and_colors()},
        pictures={name: inline_file(picture) for name, picture in pictures.items()},
        niivue=volumes and niivue(),
        script=Markup(script),
        script_hash=digest,
        seconds=sum(result["seconds"].values()),
    )


def _script() -> str:
    """As it will stand between its tags: with the newlines that the template puts around it."""
    return "\n" + template_text("viewer.js").strip() + "\n"


def _names_and_colors() -> dict[str, Any]:
    return {
        "names": [spoken(name) for name in CLASSES],
        "colors": [CLASS_COLORS.get(name, "") for name in CLASSES],
        "brain_color": CLASS_COLORS["brain"],
    }


def _facts(result: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """What stands at the top: name, value, and small print."""
    if found := result.get("tumor_type"):
        vote = found["verdict"], found["probabilities"]
        said = means_in_words(*vote, found["healthy_at"])
        yield "tumour type", type_in_words(*vote), f"mean of {len(found['slices'])} slices: {said}"
    volumes = result.get("volumes_ml", {})
    if "whole_tumor" in volumes:
        longest = result["diameters_mm"]["whole_tumor"]
        said = "nothing outlined" if longest is None else f"largest diameter {longest['largest']:.0f} mm"
        yield "tumour", f"{volumes['whole_tumor']:.1f} ml", said
    if "brain" in volumes:
        yield "brain", f"{volumes['brain']:.0f} ml", "inside the mask"


def _undecided(found: Mapping[str, Any] | None) -> str | None:
    """Between what the model cannot decide; None where it can."""
    if not found or not is_undecided(found["verdict"], found["probabilities"]):
        return None
    return means_in_words(found["verdict"], found["probabilities"], found["healthy_at"])


def _parts(result: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Rows of the table of the tumour: the regions, then the labels."""
    volumes = result.get("volumes_ml", {})
    if "whole_tumor" not in volumes:
        return
    made_of = {name: " + ".join(spoken(CLASSES[i]) for i in members) for name, members in REGIONS.items()}
    for name in [*sorted(REGIONS, key=lambda region: -len(REGIONS[region])), "edema", "necrotic_core"]:
        yield {
            "name": spoken(name),
            "made_of": made_of.get(name, ""),
            "color": CLASS_COLORS.get(name, ""),
            "ml": volumes[name],
            "diameters": result["diameters_mm"].get(name),
        }


def _learnt(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """What each model learnt from, a sentence; alike members of an ensemble are said once."""
    for name, entry in result["models"].items():
        members = entry if isinstance(entry, list) else [entry]
        sentences = dict.fromkeys(model_in_words(member) for member in members)
        several = f"{len(members)} models, of which each " if len(members) > 1 else ""
        yield name, several + "; ".join(sentences)
