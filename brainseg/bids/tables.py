"""Labels of subjects, and the tables and other small files of a BIDS data set."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg.config.errors import DataError
from brainseg.files.atomic import NO_TEXT, writing
from brainseg.files.plain import read_json
from brainseg.images import bids
from brainseg.images.walk import natural
from brainseg.reporting.canvas import spoken
from brainseg.results.read import read_result_file
from brainseg.results.table import columns_of

ABBREVIATIONS = {
    "background": "BG",
    "necrotic_core": "NCR",
    "edema": "ED",
    "enhancing_tumor": "ET",
    "whole_tumor": "WT",
    "tumor_core": "TC",
    "resection_cavity": "RC",
}
# The columns of participants.tsv and sessions.tsv, and what each is. Volumes are in ml.
COLUMNS = {
    "verdict": "What the gates say of the result: pass, review, or not judged",
    "type": "By the classifier: notumor where its mean probability over the slices is at least healthy_at "
    "(results/*.json, tumor_type), else the tumour type with the largest mean, even where that of notumor "
    "is larger",
    "probability": "The type's mean probability over the slices, from 0 to 1",
    "notumor_probability": "The same of notumor",
    "undecided": "yes where another class, mostly notumor, has a larger mean than the type",
    "type_3d": "By the classifier of whole brains, by the same rule (results/*.json, tumor_type_3d)",
    "probability_3d": "The probability of this type, from 0 to 1",
    "notumor_probability_3d": "The same of notumor",
    "undecided_3d": "yes where another class is likelier than this type",
    "types_agree": "Whether the two classifiers say the same, where both were asked",
    **{
        f"{name}_ml": f"Volume of the {spoken(name)}"
        for name in ("brain", *ABBREVIATIONS)
        if name != "background"
    },
}


@dataclass(frozen=True)
class Label:
    """What a subject is called in BIDS, or a session of it."""

    subject: str
    session: str | None = None

    @property
    def pairs(self) -> dict[str, str]:
        return {"sub": self.subject} | ({"ses": self.session} if self.session else {})

    @property
    def name(self) -> str:
        return "_".join(f"{key}-{value}" for key, value in self.pairs.items())

    @property
    def folder(self) -> Path:
        return Path(*(f"{key}-{value}" for key, value in self.pairs.items()))


def label_of(identity: str) -> Label:
    """A subject's label; sub-X_ses-Y becomes a session, any other id its letters and digits.

    Raises:
        DataError: There are none.
    """
    if match := re.fullmatch(r"sub-([A-Za-z0-9]+)(?:_ses-([A-Za-z0-9]+))?", identity):
        return Label(match[1], match[2])
    if not (subject := bids.cleaned(identity)):
        raise DataError(
            f"{identity}: has no letter A to Z or digit, of which a BIDS label consists; rename the scan"
        )
    return Label(subject)


def write_tables(root: Path) -> None:
    """participants.tsv, and sessions.tsv of subjects with sessions, of all results in the data set."""
    rows: dict[str, dict[str, Any]] = {}
    sessions: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((root / "results").glob("*.json"), key=lambda path: natural(path.stem)):
        label = label_of(path.stem)
        found = columns_of(read_result_file(path))
        participant = f"sub-{label.subject}"
        rows.setdefault(participant, {"participant_id": participant})
        if label.session is None:
            rows[participant] |= found
        else:
            sessions.setdefault(participant, []).append({"session_id": f"ses-{label.session}", **found})
    _merge_table(root / "participants.tsv", list(rows.values()), "participant_id")
    for participant, visits in sessions.items():
        _merge_table(root / participant / f"{participant}_sessions.tsv", visits, "session_id")


def _merge_table(path: Path, rows: list[dict[str, Any]], key: str) -> None:
    """Our columns of our rows, and the columns and rows that someone has added; their meaning beside."""
    before = {row[key]: row for row in _table(path) if key in row}
    added = {name: _without_ours(row, key) for name, row in before.items()}
    ours = [{**row, **added.pop(row[key], {})} for row in rows]
    theirs = [{key: name, **row} for name, row in added.items() if row]
    write_table(path, [*ours, *theirs])
    described = path.with_suffix(".json")
    known = read_json(described) if described.exists() else {}
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    meaning = {name: {"Description": COLUMNS[name]} for name in columns}
    for name in columns:
        if name.endswith("_ml"):
            meaning[name]["Units"] = "mL"
    write_json(described, {**known, **meaning})


def _without_ours(row: Mapping[str, str], key: str) -> dict[str, str]:
    return {
        name: value for name, value in row.items() if name not in COLUMNS and name != key and value != "n/a"
    }


def _table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A TSV as BIDS has it: n/a for what is not there."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    write_text(path, "".join("\t".join(line) + "\n" for line in lines))


def _cell(value: Any) -> str:
    return "n/a" if value in (None, "") else str(value)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=NO_TEXT)


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty lists and objects, which say nothing."""
    return {name: value for name, value in values.items() if value not in ([], {})}
