"""The cells of a sweep: means over seeds, rankings, and crossentropy against KL divergence."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from brainseg.runs.differences import SEED, pooled
from brainseg.study.grid.cell_runs import CellRun, State
from brainseg.study.grid.intervals import Estimate, mean_accuracy, mean_loss, mean_of, overlap
from brainseg.study.published import (
    BACKBONES,
    LOSSES,
    OPTIMIZERS,
    PUBLISHED,
    Cell,
    Published,
    family,
    published,
    published_cell,
)

CROSSENTROPY, KL = "categorical_crossentropy", "kl_divergence"


@dataclass(frozen=True)
class CellResult:
    """A cell and its runs, which differ in nothing but their seed."""

    cell: Cell
    runs: tuple[CellRun, ...]

    @property
    def varied(self) -> str:
        """What else the sweep varies, as these runs have it: "menu.optimizer.adam.lr=0.01"; "" if nothing."""
        return self.runs[0].varied

    @property
    def name(self) -> str:
        """The cell, and what else the sweep varies."""
        return f"{self.cell} ({self.varied})" if self.varied else str(self.cell)

    @property
    def used(self) -> list[CellRun]:
        """The runs that count in the means."""
        return [run for run in self.runs if run.usable]

    @property
    def accuracy(self) -> Estimate | None:
        """The accuracy on the validation part after the last epoch."""
        accuracies = [run.accuracy for run in self.used if run.accuracy is not None]
        if not accuracies:
            return None
        slices = {name for run in self.used for name in run.val_slices}
        return mean_accuracy(accuracies, [run.count for run in self.used], len(slices))

    @property
    def loss(self) -> Estimate | None:
        """The loss on the validation part after the last epoch; None if a run has none that is finite."""
        losses = [run.loss for run in self.used]
        finite = [loss for loss in losses if loss is not None]
        return mean_loss(finite) if finite and len(finite) == len(losses) else None

    @property
    def best_accuracy(self) -> Estimate | None:
        """The accuracy of each run's best epoch: too good, because the same slices chose the epoch."""
        best = [run.best_accuracy for run in self.used if run.best_accuracy is not None]
        return mean_of(best) if best else None

    @property
    def n_collapsed(self) -> int:
        return sum(run.collapse is not None for run in self.used)

    @property
    def published(self) -> Published | None:
        return published(self.cell)

    @property
    def missing(self) -> str:
        """How many runs give no number, and why, e.g. "1 failed, 2 not started"; "" if all give one."""
        states = Counter(
            "done but without val/accuracy" if run.state is State.done else run.state.value
            for run in self.runs
            if not run.usable
        )
        return ", ".join(f"{n} {state}" for state, n in states.items())


def results_of(runs: Iterable[CellRun]) -> list[CellResult]:
    """The cells in the order of the student report; other cells come after them, by name.

    A cell whose runs differ in more than their seed is there once for each of the other settings.
    """
    found = list(runs)
    settings = [{"cell": run.cell, "varied": run.varied, SEED: run.seed} for run in found]
    groups = [tuple(found[place] for place in places) for places in pooled(settings)]
    results = [CellResult(group[0].cell, group) for group in groups]
    return sorted(results, key=lambda result: _place(result.cell))


def _place(cell: Cell) -> tuple[tuple[int, str], ...]:
    known = published_cell(cell)
    backbone = known.backbone if known else cell.backbone
    return (
        _place_in(tuple(OPTIMIZERS), cell.optimizer),
        _place_in(tuple(BACKBONES), backbone),
        _place_in(tuple(LOSSES), cell.loss),
        (0, cell.backbone),
    )


def _place_in(order: Sequence[str], name: str) -> tuple[int, str]:
    return (order.index(name), "") if name in order else (len(order), name)


@dataclass(frozen=True)
class Ranked:
    """A cell and its place. Equal cells share the better place."""

    place: int
    result: CellResult
    estimate: Estimate
    like_best: bool | None  # its interval overlaps that of the best; None where one has no interval


def by_accuracy(results: Iterable[CellResult]) -> list[Ranked]:
    """All cells that have an accuracy, the best first."""
    return _ranked(results, lambda result: result.accuracy, -1)


def by_loss(results: Iterable[CellResult]) -> dict[str, list[Ranked]]:
    """For each family of losses the cells by validation loss, the least first."""
    families: dict[str, list[CellResult]] = defaultdict(list)
    for result in results:
        families[family(result.cell.loss)].append(result)
    ranked = {name: _ranked(members, lambda result: result.loss, 1) for name, members in families.items()}
    return {name: ranking for name, ranking in ranked.items() if ranking}


def _ranked(
    results: Iterable[CellResult], value: Callable[[CellResult], Estimate | None], sign: int
) -> list[Ranked]:
    found = [(result, estimate) for result in results if (estimate := value(result)) is not None]
    found.sort(key=lambda pair: sign * pair[1].mean)
    ranking: list[Ranked] = []
    for place, (result, estimate) in enumerate(found, start=1):
        # Means of equal shares differ in the last digits of float32.
        if ranking and math.isclose(ranking[-1].estimate.mean, estimate.mean, rel_tol=1e-6):
            place = ranking[-1].place
        ranking.append(Ranked(place, result, estimate, overlap(found[0][1], estimate)))
    return ranking


@dataclass(frozen=True)
class PairedLosses:
    """The mean of crossentropy minus KL divergence, over pairs of runs that differ in nothing else."""

    n: int
    accuracy: Estimate
    loss: Estimate | None  # None if a loss was not finite


def crossentropy_against_kl(runs: Iterable[CellRun]) -> PairedLosses | None:
    """The mean difference over runs with the same backbone, optimizer and seed; None without a pair."""
    pairs: dict[tuple[str, ...], dict[str, CellRun]] = defaultdict(dict)
    for run in runs:
        if run.usable:
            key = (run.cell.backbone, run.cell.optimizer, str(run.seed), run.varied)
            pairs[key][run.cell.loss] = run
    both = [(pair[CROSSENTROPY], pair[KL]) for pair in pairs.values() if {CROSSENTROPY, KL} <= pair.keys()]
    accuracies = [
        one.accuracy - other.accuracy
        for one, other in both
        if one.accuracy is not None and other.accuracy is not None
    ]
    losses = [one.loss - other.loss for one, other in both if one.loss is not None and other.loss is not None]
    if not accuracies:
        return None
    return PairedLosses(len(both), mean_of(accuracies), mean_of(losses) if len(losses) == len(both) else None)


def published_crossentropy_against_kl() -> PairedLosses:
    """The same over the student report's pairs."""
    both = [
        (values, PUBLISHED[cell._replace(loss=KL)])
        for cell, values in PUBLISHED.items()
        if cell.loss == CROSSENTROPY
    ]
    accuracy = mean_of([one.accuracy - other.accuracy for one, other in both])
    return PairedLosses(len(both), accuracy, mean_of([one.loss - other.loss for one, other in both]))
