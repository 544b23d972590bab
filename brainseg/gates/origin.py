"""Models that learnt from synthetic heads only, before a real scan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from brainseg.config.gates import GatesConfig
from brainseg.gates.finding import Finding, Level, findings
from brainseg.gates.model_words import measured_in_words
from brainseg.runs.model_record import Member, ModelFile

GATE = "synthetic_only"


def judge_origin(models: Mapping[str, Sequence[Member]], limits: GatesConfig) -> list[Finding]:
    """Whether each model has ever met a real scan, in training or when it was measured.

    Args:
        models: Those that looked at a real scan, by name.
        limits: Of all gates.
    """
    strangers = [name for name, members in models.items() if any(map(_is_unmeasured, members))]
    found = findings({GATE: float(len(strangers))}, limits)
    said = f"The {_joined(strangers)} learnt from synthetic heads only, and nobody has measured "
    said += f"{'it' if len(strangers) == 1 else 'them'} on real scans, of which this is one."
    return [one if one.level is Level.passed else replace(one, sentence=said) for one in found]


def figures_of(models: Mapping[str, Sequence[Member]]) -> Iterator[str]:
    """How models that learnt from synthetic heads only did on real scans, a sentence each."""
    for name, members in models.items():
        for one in members:
            if isinstance(one, ModelFile) and one.learnt_from.only_synthetic and one.measured:
                said = f"the {name} learnt from synthetic heads only; measured on real scans: "
                yield said + measured_in_words(one.measured)


def _is_unmeasured(member: Member) -> bool:
    return isinstance(member, ModelFile) and member.learnt_from.only_synthetic and not member.measured


def _joined(names: list[str]) -> str:
    return " and the ".join(names)
