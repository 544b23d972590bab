"""The page of a batch: every subject in a folder of results, those to look at first."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from brainseg.images.labels import CAVITY
from brainseg.reporting.page import write_page
from brainseg.reporting.sections import NOTHING
from brainseg.reporting.subject_page import PAGE
from brainseg.results.names import FILES, INDEX
from brainseg.results.parts import Judgement
from brainseg.results.result import Result

WORST_FIRST = (
    Judgement.fail,
    Judgement.unreadable,
    Judgement.review,
    Judgement.not_judged,
    Judgement.passed,
)


def write_index_page(folder: Path, results: Sequence[Result]) -> None:
    """Write index.html into the folder of these results, which links to the page of each."""
    ordered = sorted(results, key=lambda result: WORST_FIRST.index(result.verdict))
    counts = Counter(result.verdict for result in ordered)
    rows = [_row(result, folder) for result in ordered]
    has_files = (folder / FILES).is_file()
    cavity = any(CAVITY in result.volumes_ml for result in ordered)
    write_page(folder / INDEX, "index", results=rows, counts=counts, has_files=has_files, cavity=cavity)


def _row(result: Result, folder: Path) -> dict[str, Any]:
    volumes = result.volumes_ml
    return {
        "subject": result.subject,
        "link": f"{quote(result.subject)}/{PAGE}" if (folder / result.subject / PAGE).is_file() else "",
        "verdict": result.verdict,
        "type": result.type_in_words or NOTHING,
        "tumor": f"{volumes['whole_tumor']:.1f}" if "whole_tumor" in volumes else NOTHING,
        "cavity": f"{volumes[CAVITY]:.1f}" if CAVITY in volumes else NOTHING,
        "brain": f"{volumes['brain']:.0f}" if "brain" in volumes else NOTHING,
        "said": result.reasons,
    }
