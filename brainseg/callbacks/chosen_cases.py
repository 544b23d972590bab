"""Which cases of a validation are shown: the worst and the best, evenly of all classes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from brainseg.tasks.preview import Preview, ScoredCase


@dataclass(frozen=True)
class Shown:
    """A case with its picture."""

    case: ScoredCase
    preview: Preview


class ChosenCases:
    """Keeps the pictures of at most 2 n cases of each class, however many are offered.

    Args:
        n: How many are shown in the end.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._kept: dict[str, list[Shown]] = defaultdict(list)

    def offer(self, case: ScoredCase) -> None:
        """Keep the case if it is among the n worst or the n best of its class."""
        kept = self._kept[case.group]
        rank = sum(_order(one) < (case.score, case.index) for one in kept)
        if len(kept) >= 2 * self.n:
            if rank == self.n:
                return  # neither
            kept.pop(self.n - 1 if rank < self.n else self.n)
            rank -= rank > self.n
        kept.insert(rank, Shown(case, case.preview()))

    def shown(self) -> list[Shown]:
        """The worst ones first, then the best ones from good to best, each by turns of the classes."""
        worst = _by_turns(list(self._kept.values()), (self.n + 1) // 2)
        taken = {one.case.index for one in worst}
        others = [
            [one for one in reversed(kept) if one.case.index not in taken] for kept in self._kept.values()
        ]
        best = _by_turns(others, self.n - len(worst))
        return [*sorted(worst, key=_order), *sorted(best, key=_order)]


def named(shown: Shown, name: str) -> Preview:
    """The picture, with the subject before its caption."""
    return replace(shown.preview, caption=f"{name}, {shown.preview.caption}")


def _by_turns(groups: Sequence[Sequence[Shown]], n: int) -> list[Shown]:
    """The first of each group, then the second of each, up to n."""
    turns = chain.from_iterable(zip_longest(*groups))
    return [one for one in turns if one is not None][:n]


def _order(shown: Shown) -> tuple[float, int]:
    return shown.case.score, shown.case.index
