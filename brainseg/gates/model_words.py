"""What a model learnt from and how it was measured, in words."""

from collections.abc import Mapping, Sequence
from typing import Any


def measured_in_words(measured: Sequence[Mapping[str, Any]]) -> str:
    """As "brain Dice 0.957 on 20 scans of IXI"."""
    return ", ".join(_figure(**one) for one in measured)


def _figure(data: str, scans: int, score: str, value: float) -> str:
    return f"{score} {value:.3g} on {scans} scan{'' if scans == 1 else 's'} of {data}"


def model_in_words(member: Mapping[str, Any]) -> str:
    """As "learnt from 40 subjects of nfbs (t1)", and what it was measured on."""
    if "method" in member:
        return f"{member['method']}: a method that learns nothing"
    about = member["learnt_from"]
    said = f"learnt from {about['examples']} {about['data']} ({', '.join(about['sequences']) or 'slices'})"
    while about := about.get("before"):
        said += f", before that from {about['examples']} {about['data']}"
    if member.get("measured"):
        said += f"; measured on real scans: {measured_in_words(member['measured'])}"
    return said
