"""The page of one subject: what was found, whether to trust it, and where it comes from, in one file."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from brainseg.files.typed import to_plain
from brainseg.gates.model_words import model_in_words
from brainseg.images.fates import Fate, counted
from brainseg.images.labels import CAVITY, CLASSES, TUMOR_REGIONS, classes_with
from brainseg.images.planes import PLANES
from brainseg.reporting.canvas import CLASS_COLORS, spoken
from brainseg.reporting.page import inline_file, template_text, write_page
from brainseg.reporting.viewer import niivue
from brainseg.results.parts import Judgement
from brainseg.results.result import Result

PAGE = "report.html"
HEADLINES = {
    Judgement.passed: "Passed: nothing that was measured lies outside its limits. "
    "That is no proof that it is right.",
    Judgement.review: "To be reviewed: a person should look before anything is made of this.",
    Judgement.fail: "Failed: this subject was stopped, and no masks were written.",
    Judgement.not_judged: "Not judged: the gates were switched off (gates=none).",
}
LEFT_OUT = {
    "strip": "Skull stripping",
    "classify": "Tumour type",
    "classify_volume": "Tumour type in 3-D",
    "segment": "Outline of the tumour",
}


def write_subject_page(
    path: Path, result: Result, volumes: Mapping[str, Any] | None, pictures: Mapping[str, Path]
) -> None:
    """Write the page of a result.

    Args:
        path: The .html file.
        result: The subject's result.
        volumes: From `volumes_of`; None where no scan could be read.
        pictures: "montage", "vote" and "type_3d", where they were drawn.
    """
    result, script = result.hidden(), _script()
    # The page allows the script with this hash alone, so that no name of a file can bring another one in.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    write_page(
        path,
        "subject",
        result=result,
        headline=HEADLINES[result.verdict],
        facts=[] if result.verdict is Judgement.fail else list(_facts(result)),
        wrong=result.wrong,
        passed=sum(gate.has_passed and gate.value is not None for gate in result.gates),
        unmeasured=sum(gate.value is None for gate in result.gates),
        left_out={LEFT_OUT.get(stage, stage.capitalize()): why for stage, why in result.left_out.items()},
        parts=list(_parts(result)),
        learnt=list(_learnt(result)),
        origin=_origin(result),
        planes=list(reversed(PLANES.items())),
        files_line=_files_line(result),
        files_to_see=any(one.fate is Fate.unreadable for one in result.files),
        volumes=volumes and {**volumes, **_names_and_colors(result)},
        pictures={name: inline_file(picture) for name, picture in pictures.items()},
        niivue=volumes and niivue(),
        script=Markup(script),
        script_hash=digest,
        seconds=sum(result.seconds.values()),
    )


def _script() -> str:
    """The script with the newlines that the template puts around it."""
    return "\n" + template_text("viewer.js").strip() + "\n"


def _names_and_colors(result: Result) -> dict[str, Any]:
    names = classes_with(cavity=result.tells_cavity)
    return {
        "names": [spoken(name) for name in names],
        "colors": [CLASS_COLORS.get(name, "") for name in names],
        "brain_color": CLASS_COLORS["brain"],
    }


def _facts(result: Result) -> Iterable[tuple[str, str, str]]:
    """What stands at the top: name, value, and small print."""
    vote, volume = result.tumor_type, result.tumor_type_3d
    if vote:
        yield "tumour type", vote.in_words, vote.reason
    if volume:
        agree = ""
        if volume.agrees is not None:
            agree = "; as the slices say" if volume.agrees else "; the slices say otherwise"
        yield "tumour type in 3-D", volume.in_words, volume.reason + agree
    volumes = result.volumes_ml
    if "whole_tumor" in volumes:
        longest = result.diameters_mm["whole_tumor"]
        said = "nothing outlined" if longest is None else f"largest diameter {longest.largest:.0f} mm"
        yield "tumour", f"{volumes['whole_tumor']:.1f} ml", said
    if CAVITY in volumes:
        yield "resection cavity", f"{volumes[CAVITY]:.1f} ml", "no part of the tumour"
    if "brain" in volumes:
        yield "brain", f"{volumes['brain']:.0f} ml", "inside the mask"


def _parts(result: Result) -> Iterable[dict[str, Any]]:
    """Rows of the table of the tumour: the regions, then the labels."""
    volumes = result.volumes_ml
    if "whole_tumor" not in volumes:
        return
    made_of = {
        name: " + ".join(spoken(CLASSES[i]) for i in members) for name, members in TUMOR_REGIONS.items()
    }
    regions = sorted(TUMOR_REGIONS, key=lambda region: -len(TUMOR_REGIONS[region]))
    cavity = [CAVITY] if result.tells_cavity else []
    for name in [*regions, "edema", "necrotic_core", *cavity]:
        yield {
            "name": spoken(name),
            "made_of": made_of.get(name, ""),
            "color": CLASS_COLORS.get(name, ""),
            "ml": volumes[name],
            "diameters": result.diameters_mm.get(name),
        }


def _learnt(result: Result) -> Iterable[tuple[str, str]]:
    """A sentence on what each model learnt from. Members of an ensemble with the same sentence share it."""
    for name, members in result.models.items():
        sentences = dict.fromkeys(model_in_words(member) for member in members)
        several = f"{len(members)} models, of which each " if len(members) > 1 else ""
        yield name, several + "; ".join(sentences)


def _files_line(result: Result) -> str:
    """How many files of the subject came to which end."""
    counts: Counter[Fate] = Counter()
    for one in result.files:
        counts[one.fate] += one.count
    return counted(counts)


def _origin(result: Result) -> dict[str, Any]:
    """Settings, code, machine and versions. What a failed result does not have is empty."""
    return {
        "settings": {} if result.settings is None else result.settings.values,
        "code": to_plain(result.code) or {},
        "machine": to_plain(result.machine) or {},
        "versions": result.versions,
    }
