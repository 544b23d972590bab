"""The results of all subjects as one table: volumes.csv, and the columns of BIDS tables."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from brainseg.files.atomic import NO_TEXT, writing
from brainseg.images.walk import natural
from brainseg.inference import HEALTHY
from brainseg.results.names import VOLUMES
from brainseg.results.parts import TypeResult, VolumeTypeResult
from brainseg.results.result import Result

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # the first character of what a spreadsheet calculates


def write_volumes(output: Path, results: Iterable[Result]) -> None:
    """Write `output/volumes.csv`, with a row for each result."""
    rows = sorted((_row(result) for result in results), key=_by_subject)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = [*(name for name in names if name != "reasons"), "reasons"]
    with (
        writing(output / VOLUMES) as temporary,
        temporary.open("w", encoding="utf-8", errors=NO_TEXT, newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([without_formula(row.get(name, "")) for name in columns] for row in rows)


def columns_of(result: Result) -> dict[str, Any]:
    """Verdict, tumour type, its probability and the volumes of a result, by column."""
    return {
        "verdict": str(result.verdict),
        **_type_of(result.tumor_type),
        **_volume_type_of(result.tumor_type_3d),
        "brain_ml": "",  # always the first of the volumes
        **{f"{name}_ml": ml for name, ml in result.volumes_ml.items()},
    }


def _type_of(found: TypeResult | VolumeTypeResult | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("type", "probability", "notumor_probability", "undecided"), "")
    return {
        "type": found.verdict,
        "probability": found.probabilities[found.verdict],
        "notumor_probability": found.probabilities.get(HEALTHY, ""),
        "undecided": "yes" if found.is_undecided else "no",
    }


def _volume_type_of(found: VolumeTypeResult | None) -> dict[str, Any]:
    """Columns that are there where a subject was classified in 3-D."""
    if found is None:
        return {}
    agree = "" if found.agrees is None else "yes" if found.agrees else "no"
    return {**{f"{name}_3d": value for name, value in _type_of(found).items()}, "types_agree": agree}


def without_formula(value: Any) -> Any:
    """A field that no spreadsheet reads as a formula: such text gets a quote before it; numbers stay."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _row(result: Result) -> dict[str, Any]:
    return {"subject": result.subject, **columns_of(result), "reasons": " | ".join(result.reasons)}


def _by_subject(row: dict[str, Any]) -> Any:
    return natural(row["subject"])
