"""`brainseg dashboard`: the pictures of a set of runs on a page of our own, which needs no account."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from brainseg.compare.runs import NoTrainingError, Run, read_run
from brainseg.compare.settings import brief
from brainseg.config.errors import UserError
from brainseg.reporting.page import inline_figure
from brainseg.reporting.run_pictures import heat_map_figure, level_boxes_figure, runs_curves_figure
from brainseg.reporting.sections import NOTHING, Entry, Picture, Section, Table, WrittenPage, write_sections
from brainseg.runs.config import run_folders
from brainseg.runs.differences import SEED, differing

log = logging.getLogger("brainseg")
REPEATS = (SEED, f"data.{SEED}")  # runs that differ in them only are repetitions
MOST_LEVELS = 24  # of a row, a column, a box: a key with more, such as a searched learning rate, is no grid
MOST_SINGLE = 8  # the same where each value has one run
MOST_CURVES = 28  # the best ones


@dataclass(frozen=True)
class RunSet:
    """Runs of one task that are judged by one metric.

    Args:
        runs: Those with an epoch, the best first.
        waiting: Those without.
        keys: What differs between them, without seeds.
    """

    runs: Sequence[Run]
    waiting: Sequence[Run]
    keys: Sequence[str]

    @property
    def metric(self) -> str:
        return [*self.runs, *self.waiting][0].monitor

    @property
    def lower_is_better(self) -> bool:
        return [*self.runs, *self.waiting][0].mode == "min"

    def figures(self) -> dict[str, Figure]:
        """By name: heat map, boxes, curves; those for which there are runs enough."""
        if not self.runs:
            return {}
        curves = {self._label(run): run.curves[self.metric] for run in self.runs[:MOST_CURVES]}
        less = self.lower_is_better
        figures = {"curves": runs_curves_figure(curves, metric=self.metric, lower_is_better=less)}
        levels = {key: groups for key in self.keys if self._is_grid(groups := self._levels(key))}
        if levels:
            figures = {"boxes": level_boxes_figure(levels, metric=f"best {self.metric}"), **figures}
        if grid := self._grid(levels):
            row, columns, cells = grid
            heat = heat_map_figure(
                cells, row=row, column=columns, metric=f"best {self.metric}", lower_is_better=less
            )
            figures = {"heat map": heat, **figures}
        return figures

    def _is_grid(self, groups: Mapping[str, Sequence[float]]) -> bool:
        """Whether the values of a key repeat, or are few; those of a search are neither."""
        return 1 < len(groups) <= (MOST_LEVELS if len(groups) < len(self.runs) else MOST_SINGLE)

    def _levels(self, key: str) -> dict[str, list[float]]:
        groups: dict[str, list[float]] = defaultdict(list)
        for run in sorted(self.runs, key=lambda run: _natural(_value(run, key))):
            groups[_value(run, key)].append(_best(run))
        return dict(groups)

    def _grid(
        self, levels: Mapping[str, Mapping[str, Sequence[float]]]
    ) -> tuple[str, str, dict[tuple[str, str], list[float]]] | None:
        """Rows of the key with most values, columns of the others together; None where they are too many."""
        if len(levels) < 2:
            return None
        row = max(levels, key=lambda key: len(levels[key]))
        others = [key for key in levels if key != row]
        cells: dict[tuple[str, str], list[float]] = defaultdict(list)
        values = {id(run): [_value(run, key) for key in (row, *others)] for run in self.runs}
        for run in sorted(self.runs, key=lambda run: [_natural(value) for value in values[id(run)]]):
            one, *rest = values[id(run)]
            cells[one, " / ".join(rest)].append(_best(run))
        if len({column for _, column in cells}) > MOST_LEVELS:
            return None
        return row, " / ".join(others), dict(cells)

    def _label(self, run: Run) -> str:
        seeds = _repeats(self.runs)
        said = [f"{key.rpartition('.')[2]}={_value(run, key)}" for key in (*self.keys, *seeds)]
        same = sum(all(_value(one, key) == _value(run, key) for key in self.keys) for one in self.runs)
        return ", ".join(said) if said and (same == 1 or seeds) else run.folder.name


def run_sets(folders: Sequence[Path]) -> list[RunSet]:
    """The runs below some folders by task and metric, as only those can be compared.

    Raises:
        UserError: There is none.
    """
    by_kind: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in _runs(folders):
        by_kind[run.task, run.monitor].append(run)
    if not by_kind:
        named = ", ".join(map(str, folders))
        raise UserError(f"{named}: no run of a training here; give folders of outputs, runs or sweeps")
    sets = []
    for runs in by_kind.values():
        done = [run for run in runs if run.best_epoch is not None]
        done.sort(key=_best, reverse=runs[0].mode != "min")
        keys = [key for key in differing([run.settings for run in runs]) if key not in REPEATS]
        sets.append(RunSet(done, [run for run in runs if run.best_epoch is None], keys))
    return sets


def write_dashboard(sets: Sequence[RunSet], output: Path) -> WrittenPage:
    """Write dashboard.html and dashboard.md into a folder."""
    page = write_sections(output, "dashboard", "Runs at a glance", [_section(one) for one in sets])
    lines = []
    for one in sets:
        if one.runs:
            best = one.runs[0]
            lines.append(
                f"best of {len(one.runs)} runs: {one.metric} {_best(best):.4f} in epoch {best.best_epoch}, "
                f"{best.folder}"
            )
    return WrittenPage(tuple(lines), page)


def _runs(folders: Sequence[Path]) -> Iterator[Run]:
    """Each run once; a warning names one that cannot be read."""
    for folder in dict.fromkeys(run for given in folders for run in run_folders(given)):
        try:
            yield read_run(folder)
        except NoTrainingError:
            continue
        except UserError as error:
            log.warning("a run is left out: %s", error)


def _section(one: RunSet) -> Section:
    """The table of runs and the pictures of one set."""
    captions = {
        "heat map": "The best value of each run, averaged where several runs stand in one cell.",
        "boxes": "For each key: quartiles, extremes and every run. The runs differ in the other keys too.",
        "curves": f"The best {MOST_CURVES} runs; a star marks the best epoch.",
    }
    pictures = [Picture(inline_figure(figure), captions[name]) for name, figure in one.figures().items()]
    task = [*one.runs, *one.waiting][0].task
    waiting = f"Left out are runs without an epoch yet: {len(one.waiting)}." if one.waiting else ""
    return Section(title=f"{task}: {one.metric}", warning=waiting, tables=[_table(one)], pictures=pictures)


def _table(one: RunSet) -> Table:
    keys = [*one.keys, *_repeats(one.runs)]
    rows = [
        (
            Entry(run.folder.name),
            *(Entry(_value(run, key)) for key in keys),
            Entry(f"{_best(run):.4f}", mark="best" if n == 0 else ""),
            Entry(str(run.best_epoch)),
        )
        for n, run in enumerate(one.runs)
    ]
    return Table("Runs, the best first", ("run", *keys, f"best {one.metric}", "in epoch"), tuple(rows))


def _best(run: Run) -> float:
    assert run.best_epoch is not None
    return run.curves[run.monitor][run.best_epoch]


def _value(run: Run, key: str) -> str:
    return brief(run.settings[key]) if key in run.settings else NOTHING


def _repeats(runs: Sequence[Run]) -> list[str]:
    """The seeds that differ."""
    return [key for key in REPEATS if len({_value(run, key) for run in runs}) > 1]


def _natural(value: str) -> tuple[int, float, str]:
    """Numbers by their size, before words."""
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value
