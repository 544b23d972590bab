"""The results of all subjects as one table: volumes.csv, and the columns of BIDS tables."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from brainseg.files.atomic import writing
from brainseg.images.layouts import natural
from brainseg.inference import HEALTHY
from brainseg.results.reasons import reasons_of
from brainseg.results.type_words import is_undecided

VOLUMES = "volumes.csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would calculate, from a file's name perhaps


def write_volumes(output: Path, results: Iterable[Mapping[str, Any]]) -> None:
    """`output/volumes.csv`: a row for each of the results that are there."""
    rows = sorted((_row(result) for result in results), key=_by_subject)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = [*(name for name in names if name != "reasons"), "reasons"]
    with writing(output / VOLUMES) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([safe(row.get(name, "")) for name in columns] for row in rows)


def findings_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Verdict, type, how sure that is, and the volumes of a result, by column."""
    return {
        "verdict": result["verdict"],
        **_type_of(result.get("tumor_type")),
        "brain_ml": "",  # always the first of the volumes
        **{f"{name}_ml": ml for name, ml in result.get("volumes_ml", {}).items()},
    }


def _type_of(found: Mapping[str, Any] | None) -> dict[str, Any]:
    if not found:
        return dict.fromkeys(("type", "probability", "notumor_probability", "undecided"), "")
    verdict, probabilities = found["verdict"], found["probabilities"]
    return {
        "type": verdict,
        "probability": probabilities[verdict],
        "notumor_probability": probabilities[HEALTHY],
        "undecided": "yes" if is_undecided(verdict, probabilities) else "no",
    }


def safe(value: Any) -> Any:
    """A field that no spreadsheet takes for a formula; numbers stay what they are."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    reasons = " | ".join(reasons_of(result))
    return {"subject": result["subject"], **findings_of(result), "reasons": reasons}


def _by_subject(row: Mapping[str, Any]) -> Any:
    return natural(row["subject"])
