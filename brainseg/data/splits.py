"""Which subjects are trained on, which choose the best checkpoint, which are not seen before the end."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate

import numpy as np

from brainseg.config.counted import counted, with_verb
from brainseg.config.errors import ConfigError, DataError

IS = "is", "are"


@dataclass(frozen=True)
class Split:
    """Ids of subjects, each in one part only; with data.split=official, val and test are the same."""

    train: list[str]
    val: list[str]
    test: list[str]

    @property
    def ids(self) -> list[str]:
        """All, those of val and test once each."""
        return list({*self.train, *self.val, *self.test})

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
        seed: Shuffles the subjects.
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


def split_subjects(
    strata: Mapping[str, str],
    rule: SplitRule,
    sizes: Mapping[str, int] | None = None,
    called: str = "subjects",
) -> Split:
    """Subjects divided by `rule`, each stratum in the same proportion as far as whole subjects allow.

    The same subjects and rule always give the same parts, whatever order they come in.

    Args:
        strata: Stratum (for instance the tumour type) of each subject's id.
        rule: Shares or folds, and the seed.
        sizes: What each subject counts for, where the shares are of slices for instance; None: all the same.
        called: What messages call them.

    Raises:
        DataError: There are too few subjects for every part, and every fold, that is asked for to get one.
    """
    sizes = sizes or dict.fromkeys(strata, 1)
    order = _mixed_order(strata, sizes, rule.seed)
    total = sum(sizes[subject] for subject in order)
    n_test = _count(order, sizes, total * rule.test_share)
    test, rest = order[:n_test], order[n_test:]
    if rule.folds is None:
        val = rest[: _count(rest, sizes, total * rule.val_share)]
    else:
        _refuse_too_many_folds(rest, test, rule.folds, called)
        val = _folds(rest, strata, sizes, rule.folds)[rule.fold]
    chosen = set(val)
    train = [subject for subject in rest if subject not in chosen]
    if not train or not val:
        raise DataError(
            f"{_counted(len(order), called)} {IS[len(order) != 1]} too few for "
            f"data.val_share={rule.val_share}, data.test_share={rule.test_share}, data.folds={rule.folds}: "
            f"training would get {len(train)} and validation {len(val)}; "
            f"add {called.split(maxsplit=1)[0]} or change data.*"
        )
    return Split(sorted(train), sorted(val), sorted(test))


def split_groups(
    groups: Mapping[str, str], rule: SplitRule, strata: Mapping[str, str] | None = None
) -> Split:
    """Subjects divided by `rule`, those of one group in one part and in one fold; shares are of subjects.

    Args:
        groups: The group, for instance the patient, of each subject's id. Where each has its own, the parts
            are those of `split_subjects`.
        rule: Shares or folds, and the seed.
        strata: The stratum of each subject, a group's is that of its first subject; None: there is one.

    Raises:
        DataError: There are too few groups.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for subject in sorted(groups):
        members[groups[subject]].append(subject)
    units = {own[0]: own for own in members.values()}  # a group goes by the name of its first subject
    sizes = {name: len(own) for name, own in units.items()}
    called = "subjects" if len(units) == len(groups) else f"patients (of {len(groups)} scans)"
    split = split_subjects({name: (strata or {}).get(name, "") for name in units}, rule, sizes, called)
    parts = (split.train, split.val, split.test)
    return Split(*(sorted(one for name in part for one in units[name]) for part in parts))


def limited(split: Split, patients: Mapping[str, str], n: int, seed: int) -> Split:
    """The split with the scans of n patients to train on; the other parts stay.

    The patients are drawn by the seed alone, so those of a smaller n are among those of a larger one.

    Args:
        split: The parts.
        patients: The patient of each subject's id.
        n: How many.
        seed: Draws them.

    Raises:
        DataError: The training part has fewer.
    """
    every = sorted(set(patients.values()))
    random.Random(f"{seed}-patients").shuffle(every)
    there = {patients[name] for name in split.train}
    if n > len(there):
        raise DataError(
            f"data.patients is {n}, but {counted(len(there), 'patient')} {IS[len(there) != 1]} left to train "
            f"on; set it to {len(there)} or less, or to null, which takes all"
        )
    taken = set([one for one in every if one in there][:n])
    return Split([name for name in split.train if patients[name] in taken], split.val, split.test)


def original_split(ids: Sequence[str]) -> Split:
    """The skull stripper's authors' own, of sorted ids: a fifth validates and there is no test part.

    It is that of scikit-learn's train_test_split(ids, test_size=0.2, random_state=52).
    """
    ordered = sorted(ids)
    mixed = np.random.RandomState(52).permutation(len(ordered))
    n_val = -(-len(ordered) // 5)
    train, val = ([ordered[i] for i in part] for part in (mixed[n_val:], mixed[:n_val]))
    if not train or not val:
        raise DataError(f"{with_verb(len(ordered), 'subject', IS)} too few for data.split=original; add some")
    return Split(sorted(train), sorted(val), [])


def _refuse_too_many_folds(rest: Sequence[str], test: Sequence[str], folds: int, called: str) -> None:
    """Refused at every fold, not only at the first empty one: the others would be trained for nothing."""
    if len(rest) < folds:
        beside = f" beside {len(test)} to test on" if test else ""
        there = f"there {IS[len(rest) != 1]} {_counted(len(rest), called)}{beside}"
        raise DataError(
            f"data.folds is {folds}, but {there}: every fold needs one; "
            f"set data.folds to {len(rest)} or less, or add {called.split(maxsplit=1)[0]}"
        )


def _counted(n: int, called: str) -> str:
    """A number with what is counted: 1 patient (of 3 scans), where it is called patients (of 3 scans)."""
    plural, *more = called.split(maxsplit=1)
    return " ".join([counted(n, plural.removesuffix("s")), *more])


def _count(order: Sequence[str], sizes: Mapping[str, int], wanted: float) -> int:
    """How many of the first subjects come nearest to a size, at least one where any is wanted."""
    if wanted == 0:
        return 0
    reached = accumulate(sizes[subject] for subject in order)
    misses = [abs(size - round(wanted)) for size in reached]
    return misses.index(min(misses)) + 1 if misses else 0


def _folds(
    order: Sequence[str], strata: Mapping[str, str], sizes: Mapping[str, int], n: int
) -> list[list[str]]:
    """Each subject, large ones first, goes to the fold that has least of its stratum, then least of all."""
    folds: list[list[str]] = [[] for _ in range(n)]
    held: Counter[tuple[int, str | None]] = Counter()
    for subject in sorted(order, key=lambda subject: -sizes[subject]):
        stratum = strata[subject]
        least = min(range(n), key=lambda k: (held[k, stratum], held[k, None]))
        folds[least].append(subject)
        held[least, stratum] += sizes[subject]
        held[least, None] += sizes[subject]
    return folds


def _mixed_order(strata: Mapping[str, str], sizes: Mapping[str, int], seed: int) -> list[str]:
    """All subjects, shuffled within their stratum and spread so that any stretch holds every stratum."""
    members: dict[str, list[str]] = defaultdict(list)
    for subject in sorted(strata):
        members[strata[subject]].append(subject)
    placed = []
    for stratum in sorted(members):
        subjects = members[stratum]
        random.Random(f"{seed}-{stratum}").shuffle(subjects)
        total, before = sum(sizes[subject] for subject in subjects), 0
        for subject in subjects:
            placed.append(((before + sizes[subject] / 2) / total, stratum, subject))
            before += sizes[subject]
    return [subject for _, _, subject in sorted(placed)]
