"""The page of a batch: every subject in a folder of results, those to look at first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from brainseg.reporting.page import write_page
from brainseg.reporting.sections import NOTHING
from brainseg.reporting.subject_page import PAGE
from brainseg.results.reasons import reasons_of
from brainseg.results.type_words import type_with_means

INDEX = "index.html"
WORST_FIRST = ("fail", "unreadable", "review", "not judged", "pass")


def write_index_page(folder: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Write index.html into the folder of these results, which links to the page of each."""
    ordered = sorted(results, key=lambda result: WORST_FIRST.index(result["verdict"]))
    counts = Counter(result["verdict"] for result in ordered)
    write_page(folder / INDEX, "index", results=[_row(result, folder) for result in ordered], counts=counts)


def _row(result: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    volumes, found = result.get("volumes_ml", {}), result.get("tumor_type")
    return {
        "subject": result["subject"],
        "link": f"{quote(result['subject'])}/{PAGE}" if (folder / result["subject"] / PAGE).is_file() else "",
        "verdict": result["verdict"],
        "type": type_with_means(found["verdict"], found["probabilities"]) if found else NOTHING,
        "tumor": f"{volumes['whole_tumor']:.1f}" if "whole_tumor" in volumes else NOTHING,
        "brain": f"{volumes['brain']:.0f}" if "brain" in volumes else NOTHING,
        "said": reasons_of(result),
    }
