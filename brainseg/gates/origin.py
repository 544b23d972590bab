"""Models that learnt from synthetic heads only, before a real scan."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from brainseg.config.gates import GatesConfig
from brainseg.gates.finding import Finding, Level, findings
from brainseg.gates.model_words import measured_in_words

GATE = "synthetic_only"


def judge_origin(models: Mapping[str, Any], limits: GatesConfig) -> list[Finding]:
    """Whether each model has ever met a real scan, in training or when it was measured.

    Args:
        models: Those that looked at a real scan, by name, as result.json has them.
        limits: Of all gates.
    """
    strangers = [
        name for name, entry in models.items() if any(_is_unmeasured(one) for one in _members(entry))
    ]
    found = findings({GATE: float(len(strangers))}, limits)
    said = f"The {_joined(strangers)} learnt from synthetic heads only, and nobody has measured "
    said += f"{'it' if len(strangers) == 1 else 'them'} on real scans, of which this is one."
    return [one if one.level is Level.passed else replace(one, sentence=said) for one in found]


def figures_of(models: Mapping[str, Any]) -> Iterator[str]:
    """How models that learnt from synthetic heads only did on real scans, a sentence each."""
    for name, entry in models.items():
        for one in _members(entry):
            if _is_of_synthetic(one) and one["measured"]:
                said = f"the {name} learnt from synthetic heads only; measured on real scans: "
                yield said + measured_in_words(one["measured"])


def _members(entry: Any) -> list[Mapping[str, Any]]:
    return entry if isinstance(entry, list) else [entry]


def _is_unmeasured(member: Mapping[str, Any]) -> bool:
    return _is_of_synthetic(member) and not member["measured"]


def _is_of_synthetic(member: Mapping[str, Any]) -> bool:
    """Whether all that a model has learnt from is synthetic, in the run before its own too."""
    about = member.get("learnt_from")
    if about is None:
        return False
    while about["synthetic"] and "before" in about:
        about = about["before"]
    return bool(about["synthetic"])


def _joined(names: list[str]) -> str:
    return " and the ".join(names)
