"""What is said of a tumour type, in words that claim no more than the numbers do."""

from typing import Any

from brainseg.inference.vote import HEALTHY, likeliest

UNDECIDED = "undecided"


class TypeWords:
    """The words of a tumour type: of the one that was just found, and of the one that a result keeps."""

    verdict: str
    probabilities: dict[str, float]
    healthy_at: float

    @property
    def basis(self) -> str:
        """What the probabilities are of."""
        raise NotImplementedError

    @property
    def is_undecided(self) -> bool:
        """Whether another class is likelier than the verdict, which the rule alone has then chosen."""
        return self.probabilities[likeliest(self.probabilities)] > self.probabilities[self.verdict]

    @property
    def in_words(self) -> str:
        """For large letters and titles: no type is named that is less likely than another class."""
        if self.is_undecided:
            return UNDECIDED
        return "no tumour" if self.verdict == HEALTHY else self.verdict

    @property
    def means_in_words(self) -> str:
        """The probabilities that explain a verdict: "pituitary 0.25, notumor 0.57 (notumor needs 0.95)"."""
        named = dict.fromkeys([self.verdict, HEALTHY, likeliest(self.probabilities)])
        means = ", ".join(
            f"{name} {self.probabilities[name]:.2f}" for name in named if name in self.probabilities
        )
        return f"{means} ({HEALTHY} needs {self.healthy_at:g})" if self.is_undecided else means

    @property
    def reason(self) -> str:
        """The probabilities, and what they are of."""
        return f"{self.basis}: {self.means_in_words}"

    @property
    def with_means(self) -> str:
        """For one cell of a table: the type, or the classes that the model cannot decide between."""
        if not self.is_undecided:
            return self.verdict
        pair = (self.verdict, likeliest(self.probabilities))
        return f"{UNDECIDED}: {', '.join(f'{name} {self.probabilities[name]:.2f}' for name in pair)}"


class VoteWords(TypeWords):
    """The words of a vote of slices."""

    slices: list[Any]

    @property
    def basis(self) -> str:
        return f"mean of {len(self.slices)} slices"


class VolumeWords(TypeWords):
    """The words of the classifier of whole brains."""

    sequences: list[str]

    @property
    def basis(self) -> str:
        return f"whole brain in {', '.join(self.sequences)}"
