"""What a model learnt from and how it was measured, in words."""

from collections.abc import Sequence

from brainseg.runs.model_record import Measured, Member, Method


def measured_in_words(measured: Sequence[Measured]) -> str:
    """As "brain Dice 0.957 on 20 scans of IXI"."""
    return ", ".join(f"{one.score} {one.value:.3g} on {_counted(one)} of {one.data}" for one in measured)


def _counted(one: Measured) -> str:
    kind = "slice" if "slices" in one.score else "scan"
    return f"{one.scans} {kind}{'' if one.scans == 1 else 's'}"


def model_in_words(member: Member) -> str:
    """As "learnt from 40 subjects of nfbs (t1)", and what it was measured on."""
    if isinstance(member, Method):
        return f"{member.method}: a method that learns nothing"
    about = member.learnt_from
    said = f"learnt from {about.examples} {about.data} ({', '.join(about.sequences or []) or 'slices'})"
    before = about.before
    while before:
        said += f", before that from {before.examples} {before.data}"
        before = before.before
    if member.measured:
        said += f"; measured on real scans: {measured_in_words(member.measured)}"
    return said
