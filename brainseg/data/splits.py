"""Which subjects are trained on, which choose the best checkpoint, which are not seen before the end."""

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from brainseg.config.errors import ConfigError, DataError


@dataclass(frozen=True)
class Split:
    """Ids of subjects, each in one part only."""

    train: list[str]
    val: list[str]
    test: list[str]

    def as_dict(self) -> dict[str, list[str]]:
        return asdict(self)


@dataclass(frozen=True)
class SplitRule:
    """How subjects are divided.

    Args:
        val_share: Share of the subjects for validation; not used with `folds`.
        test_share: Share of the subjects for the test part, taken out first.
        folds: Number of cross-validation folds over the rest, or None.
        fold: Which fold is the validation part.
        seed: Of the shuffling.
    """

    val_share: float
    test_share: float
    folds: int | None
    fold: int
    seed: int

    def __post_init__(self) -> None:
        for name in ("val_share", "test_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"data.{name} must be in [0, 1), got {getattr(self, name)}")
        if self.folds is not None and not (self.folds >= 2 and 0 <= self.fold < self.folds):
            raise ConfigError(
                f"data.folds must be 2 or more and data.fold from 0 to folds - 1; "
                f"got folds={self.folds}, fold={self.fold}"
            )


def split_subjects(strata: Mapping[str, str], rule: SplitRule) -> Split:
    """Subjects divided by `rule`, each stratum in the same proportion as far as whole subjects allow.

    The same subjects and rule always give the same parts, whatever order they come in.

    Args:
        strata: Stratum (for instance the tumour type) of each subject's id.
        rule: Shares or folds, and the seed.

    Raises:
        DataError: There are too few subjects for every part that is asked for to get one.
    """
    order = _mixed_order(strata, rule.seed)
    n_test = _count(len(order), rule.test_share)
    test, rest = order[:n_test], order[n_test:]
    by_share = rest[: _count(len(order), rule.val_share)]
    val = by_share if rule.folds is None else rest[rule.fold :: rule.folds]
    chosen = set(val)
    train = [subject for subject in rest if subject not in chosen]
    if not train or not val:
        raise DataError(
            f"{len(order)} subjects are too few for data.val_share={rule.val_share}, "
            f"data.test_share={rule.test_share}, data.folds={rule.folds}: training would get {len(train)} "
            f"and validation {len(val)}; add subjects or change data.*"
        )
    return Split(sorted(train), sorted(val), sorted(test))


def _count(n: int, share: float) -> int:
    return 0 if share == 0 else max(1, round(n * share))


def _mixed_order(strata: Mapping[str, str], seed: int) -> list[str]:
    """All subjects, shuffled within their stratum and spread so that any stretch holds every stratum."""
    members: dict[str, list[str]] = defaultdict(list)
    for subject in sorted(strata):
        members[strata[subject]].append(subject)
    placed = []
    for stratum in sorted(members):
        subjects = members[stratum]
        random.Random(f"{seed}-{stratum}").shuffle(subjects)
        placed += [((i + 0.5) / len(subjects), stratum, subject) for i, subject in enumerate(subjects)]
    return [subject for _, _, subject in sorted(placed)]
