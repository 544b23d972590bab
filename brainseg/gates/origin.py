"""Models that learnt from synthetic heads only and are now used on a real scan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from brainseg.config.gates import GatesConfig
from brainseg.gates.assessment import Assessment, assess
from brainseg.gates.model_words import measured_in_words
from brainseg.gates.words import WORDS, Words

GATE = "synthetic_only"


def judge_origin(models: Mapping[str, Any], limits: GatesConfig) -> list[Assessment]:
    """Whether each model has ever met a real scan, in training or when it was measured.

    Args:
        models: The models that looked at a real scan, by name, as result.json has them.
        limits: Of all gates.
    """
    unmeasured = [
        name for name, entry in models.items() if any(_is_unmeasured(one) for one in _members(entry))
    ]
    return assess({GATE: float(len(unmeasured))}, limits, words={GATE: _words(unmeasured)})


def _words(unmeasured: Sequence[str]) -> Words:
    """The gate's words with the names of the models."""
    if not unmeasured:
        return WORDS[GATE]
    several = len(unmeasured) > 1
    named = f"model{'s' if several else ''}, the {' and the '.join(unmeasured)},"
    learnt = f"learnt from synthetic heads only and {'were' if several else 'was'} not measured on real scans"
    return replace(WORDS[GATE], measure=f"{{:g}} {named} {learnt}")


def figures_of(models: Mapping[str, Any]) -> Iterator[str]:
    """The measured scores of models that learnt from synthetic heads only, a sentence each."""
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
    """Whether a model, and all runs that it continued, learnt from synthetic heads."""
    about = member.get("learnt_from")
    if about is None:
        return False
    while about["synthetic"] and "before" in about:
        about = about["before"]
    return bool(about["synthetic"])
