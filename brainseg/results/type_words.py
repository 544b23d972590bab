"""What a vote on the tumour type says, in words that claim no more than the numbers do."""

from collections.abc import Mapping

from brainseg.inference.vote import HEALTHY, likeliest

UNDECIDED = "undecided"


def is_undecided(verdict: str, probabilities: Mapping[str, float]) -> bool:
    """Whether another class has a larger mean than the verdict, which the rule alone has then chosen."""
    return probabilities[likeliest(probabilities)] > probabilities[verdict]


def type_in_words(verdict: str, probabilities: Mapping[str, float]) -> str:
    """For large letters and titles."""
    if is_undecided(verdict, probabilities):
        return UNDECIDED
    return "no tumour" if verdict == HEALTHY else verdict


def means_in_words(verdict: str, probabilities: Mapping[str, float], healthy_at: float) -> str:
    """The means that explain a verdict: "pituitary 0.25, notumor 0.57 (notumor needs 0.95)"."""
    named = dict.fromkeys([verdict, HEALTHY, likeliest(probabilities)])
    means = ", ".join(f"{name} {probabilities[name]:.2f}" for name in named)
    if is_undecided(verdict, probabilities):
        means += f" ({HEALTHY} needs {healthy_at:g})"
    return means


def type_with_means(verdict: str, probabilities: Mapping[str, float]) -> str:
    """One cell of a table: the type, or what the model cannot decide between."""
    if not is_undecided(verdict, probabilities):
        return verdict
    pair = ", ".join(f"{name} {probabilities[name]:.2f}" for name in (verdict, likeliest(probabilities)))
    return f"{UNDECIDED}: {pair}"
