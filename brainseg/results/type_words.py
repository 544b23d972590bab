"""What a vote on the tumour type says, in words that claim no more than the numbers do."""

from typing import Any

from brainseg.inference.vote import HEALTHY, likeliest

UNDECIDED = "undecided"


class TypeWords:
    """The words of a vote: of the one that was just taken, and of the one that a result keeps."""

    verdict: str
    probabilities: dict[str, float]
    healthy_at: float
    slices: list[Any]

    @property
    def is_undecided(self) -> bool:
        """Whether another class has a larger mean than the verdict, which the rule alone has then chosen."""
        return self.probabilities[likeliest(self.probabilities)] > self.probabilities[self.verdict]

    @property
    def in_words(self) -> str:
        """For large letters and titles: no type is named that is less likely than another class."""
        if self.is_undecided:
            return UNDECIDED
        return "no tumour" if self.verdict == HEALTHY else self.verdict

    @property
    def means_in_words(self) -> str:
        """The means that explain a verdict: "pituitary 0.25, notumor 0.57 (notumor needs 0.95)"."""
        named = dict.fromkeys([self.verdict, HEALTHY, likeliest(self.probabilities)])
        means = ", ".join(f"{name} {self.probabilities[name]:.2f}" for name in named)
        return f"{means} ({HEALTHY} needs {self.healthy_at:g})" if self.is_undecided else means

    @property
    def reason(self) -> str:
        """The means, and how many slices they are of."""
        return f"mean of {len(self.slices)} slices: {self.means_in_words}"

    @property
    def with_means(self) -> str:
        """For one cell of a table: the type, or the classes that the model cannot decide between."""
        if not self.is_undecided:
            return self.verdict
        pair = (self.verdict, likeliest(self.probabilities))
        return f"{UNDECIDED}: {', '.join(f'{name} {self.probabilities[name]:.2f}' for name in pair)}"
