"""The names of folders that visits of patients get, each a plain one and no other's."""

import hashlib
import re
from typing import Any

Visit = tuple[str, str]  # PatientID and StudyInstanceUID


def names_of(patients: set[str]) -> dict[str, str]:
    """A plain name for each PatientID, and no other's."""
    cleaned = {patient: _without_odd_signs(patient) for patient in patients}
    folded = [name.casefold() for name in cleaned.values()]
    return {
        patient: name
        if name == patient and folded.count(name.casefold()) == 1
        else f"{name or 'unknown'}-{_digest(patient)}"
        for patient, name in cleaned.items()
    }


def ids_of(firsts: dict[Visit, dict[str, Any]]) -> dict[Visit, str]:
    """A folder's name for each visit, of which the header of one file is given."""
    names = names_of({patient for patient, _ in firsts})
    ids = {}
    for patient, study in firsts:
        visits = [key for key in firsts if key[0] == patient]
        when = "" if len(visits) == 1 else f"_{_when(firsts, visits, study)}"
        ids[patient, study] = names[patient] + when
    folded = [name.casefold() for name in ids.values()]
    # One patient may be called as another's visit is.
    return {
        key: name if folded.count(name.casefold()) == 1 else f"{name}-{_digest('/'.join(key))}"
        for key, name in ids.items()
    }


def _when(firsts: dict[Visit, dict[str, Any]], visits: list[Visit], study: str) -> str:
    """What tells a visit from a patient's others: the date, with the study's own id if that is not enough."""
    dates = {key[1]: re.sub(r"\D", "", str(firsts[key].get("StudyDate", "")))[:8] for key in visits}
    date = dates[study]
    if date and list(dates.values()).count(date) == 1:
        return date
    return f"{date or 'undated'}-{_digest(study)}"


def _without_odd_signs(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "" if text.startswith("\0") else text).strip("-._ ")[:64]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
