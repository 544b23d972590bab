"""Models that learnt from synthetic heads only and are now used on a real scan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from brainseg.config.gates import GatesConfig
from brainseg.gates.assessment import Assessment, assess
from brainseg.gates.model_words import measured_in_words
from brainseg.gates.words import WORDS, Words
from brainseg.runs.model_record import Member, ModelFile

GATE = "synthetic_only"


def judge_origin(models: Mapping[str, Sequence[Member]], limits: GatesConfig) -> list[Assessment]:
    """Whether each model has ever met a real scan, in training or when it was measured.

    Args:
        models: The members of each model that looked at a real scan, by the model's name.
        limits: The limits of all gates.
    """
    unmeasured = [name for name, members in models.items() if any(map(_is_unmeasured, members))]
    return assess({GATE: float(len(unmeasured))}, limits, words={GATE: _words(unmeasured)})


def _words(unmeasured: Sequence[str]) -> Words:
    """The gate's words with the names of the models."""
    if not unmeasured:
        return WORDS[GATE]
    several = len(unmeasured) > 1
    named = f"model{'s' if several else ''}, the {' and the '.join(unmeasured)},"
    learnt = f"learnt from synthetic heads only and {'were' if several else 'was'} not measured on real scans"
    return replace(WORDS[GATE], measure=f"{{:g}} {named} {learnt}")


def figures_of(models: Mapping[str, Sequence[Member]]) -> Iterator[str]:
    """The scores of models that were measured on real scans, a sentence each."""
    for name, members in models.items():
        for one in members:
            if isinstance(one, ModelFile) and one.measured:
                about = one.learnt_from
                source = "synthetic heads only" if about.only_synthetic else f"{about.examples} {about.data}"
                figures = measured_in_words(one.measured)
                yield f"the {name} learnt from {source}; measured on real scans: {figures}"


def _is_unmeasured(member: Member) -> bool:
    return isinstance(member, ModelFile) and member.learnt_from.only_synthetic and not member.measured
