"""Which of two scans of one sequence is taken, where nothing else tells them apart: a rule that users set."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from brainseg.config.prediction import ChooseConfig


@dataclass(frozen=True)
class Choice:
    """How to choose between scans that claim one sequence.

    Attributes:
        words: Of ImageType, of the description or of a name, in the order of their weight, in any case. The
            first that one scan has and the other has not decides: for it, or against it after a "-".
        series: Numbers of DICOM series that are taken before any other.
    """

    words: Sequence[str] = ()
    series: Sequence[int] = ()

    @classmethod
    def of(cls, config: ChooseConfig) -> "Choice":
        return cls(tuple(config.words), tuple(config.series))


def words_of(texts: Iterable[object]) -> frozenset[str]:
    """The words of texts, in capitals."""
    return frozenset(word for text in texts for word in re.findall(r"[A-Z0-9]+", str(text).upper()))


def deciding(one: frozenset[str], other: frozenset[str], words: Sequence[str]) -> str:
    """What makes the one go before the other, e.g. "it has NORM"; nothing if no word does, or one against it.

    Args:
        one: Its words, in capitals.
        other: Those of the other.
        words: As `Choice.words`.
    """
    for rule in words:
        word = rule.lstrip("-").upper()
        if (word in one) != (word in other):
            goes_first = (word in one) != rule.startswith("-")
            return (f"it has {word}" if word in one else f"it has no {word}") if goes_first else ""
    return ""
