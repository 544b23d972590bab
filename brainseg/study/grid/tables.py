"""The tables of the grid page."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from brainseg.reporting.sections import NOTHING, Entry, Table, number, table_of
from brainseg.runs.config import CONFIG
from brainseg.study.grid.cell_runs import CellRun, State, is_collapsed
from brainseg.study.grid.intervals import Estimate, interval, wilson
from brainseg.study.grid.results import CellResult, Ranked, by_accuracy, by_loss
from brainseg.study.grid.sweep import Sweep
from brainseg.study.published import (
    BACKBONES,
    LARGEST_CLASS_SHARE,
    LOSSES,
    NOT_STATED,
    OPTIMIZERS,
    PUBLISHED,
    SETTINGS,
    Cell,
    family,
    published_cell,
    rank,
)

NO_RESULT = "no result"
LIKE_BEST = {True: "yes", False: "no", None: "not known"}


def settings_table(sweep: Sweep) -> Table:
    """Our settings beside the student report's; more than one of ours where runs differ."""
    rows: list[list[str | Entry]] = []
    for name, theirs in SETTINGS.items():
        ours = _values(sweep, name)
        differs = theirs != NOT_STATED and any(value.partition(" (")[0] != theirs for value in ours)
        rows.append([name, Entry("; ".join(ours) or NOTHING, mark="bad" if differs else ""), theirs])
    return table_of("Settings", ("", "this sweep", "student report"), rows)


def differing_settings(sweep: Sweep) -> list[str]:
    """The names of the settings that differ from the student report's."""
    return [row[0].text for row in settings_table(sweep).rows if row[1].mark]


def _values(sweep: Sweep, name: str) -> list[str]:
    """The values of a setting in the runs that have started; before that, the value of the sweep's config."""
    started = dict.fromkeys(run.settings[name] for run in sweep.runs if name in run.settings)
    if started:
        return list(started)
    return [sweep.settings[name]] if name in sweep.settings else []


def missing_table(sweep: Sweep) -> Table | None:
    """The jobs without a result, by how far they have come; None if all have one."""
    found: dict[State, list[str]] = defaultdict(list)
    for run in sweep.runs:
        if run.state is not State.done:
            found[run.state].append(_progress(run))
    if not found:
        return None
    rows = [(state.value, str(len(jobs)), "; ".join(jobs)) for state, jobs in sorted(found.items())]
    return table_of("Jobs without a result", ("state", "jobs", "which"), rows)


def _progress(run: CellRun) -> str:
    """A run's name, its epochs, and when it wrote last."""
    name = f"{run.cell}, {run.name}"
    if run.folder is None:
        return name
    files = [run.folder / CONFIG, run.folder / "metrics.csv", run.folder / "train.log"]
    last = max(file.stat().st_mtime for file in files if file.is_file())
    written = datetime.fromtimestamp(last).strftime("%Y-%m-%d %H:%M")
    return f"{name} ({run.epochs_said}, last wrote {written})"


def optimizer_tables(results: Sequence[CellResult]) -> list[Table]:
    """Tables 1 to 3, and one for each other optimizer of the sweep."""
    optimizers = dict.fromkeys(result.cell.optimizer for result in results)
    return [_optimizer_table(name, [r for r in results if r.cell.optimizer == name]) for name in optimizers]


def _optimizer_table(optimizer: str, results: Sequence[CellResult]) -> Table:
    cells = {(result.cell, result.varied): result for result in results}
    rows_of = list(dict.fromkeys((cell.backbone, varied) for cell, varied in cells))
    found = {cell.loss for cell, _ in cells}
    losses = [loss for loss in LOSSES if loss in found]
    losses += sorted(found - set(losses))
    best = _best_of(results)
    rows = []
    for backbone, varied in rows_of:
        row = [_backbone(backbone, varied)]
        for loss in losses:
            result = cells.get((Cell(backbone, loss, optimizer), varied))
            row += [Entry(NOTHING)] * 2 if result is None else _loss_and_accuracy(result, best)
        rows.append(row)
    header = ["backbone"]
    for loss in losses:
        header += [f"{LOSSES.get(loss, loss)}: val. loss", "val. accuracy"]
    return table_of(_optimizer_title(optimizer), header, rows)


def _optimizer_title(optimizer: str) -> str:
    """With the number that the table has in the student report, if it is there."""
    title = f"Optimizer {OPTIMIZERS.get(optimizer, optimizer)}"
    in_order = list(OPTIMIZERS)
    return f"Table {in_order.index(optimizer) + 1}: {title}" if optimizer in in_order else title


def _backbone(name: str, varied: str) -> Entry:
    theirs = published_cell(Cell(name, next(iter(LOSSES)), next(iter(OPTIMIZERS))))
    beside = BACKBONES[theirs.backbone] if theirs else "not in the student report"
    return Entry(name, beside="; ".join(filter(None, (beside, varied))))


def _best_of(results: Sequence[CellResult]) -> set[tuple[str, str]]:
    """What is marked as best: the first by accuracy, and the first by loss in each family."""
    firsts = {(ranked.result.name, "accuracy") for ranked in by_accuracy(results) if ranked.place == 1}
    for ranking in by_loss(results).values():
        firsts |= {(ranked.result.name, "loss") for ranked in ranking if ranked.place == 1}
    return firsts


def _loss_and_accuracy(result: CellResult, best: set[tuple[str, str]]) -> list[Entry]:
    return [
        _value(result, result.loss, "loss", is_best=(result.name, "loss") in best),
        _value(result, result.accuracy, "accuracy", is_best=(result.name, "accuracy") in best),
    ]


def _value(result: CellResult, estimate: Estimate | None, name: str, *, is_best: bool) -> Entry:
    said = [interval(estimate)] if estimate else []
    if name == "accuracy" and result.n_collapsed:
        said.append(f"collapsed: {result.n_collapsed} of {len(result.used)}")
    text = number(estimate.mean) if estimate else _no_value(result)
    if result.missing and (estimate or text == NO_RESULT):
        said.append(result.missing)
    said.append(_published_value(result.cell, name))
    bad = estimate is None or (name == "accuracy" and result.n_collapsed > 0)
    return Entry(text, "; ".join(filter(None, said)), "bad" if bad else "best" if is_best else "")


def _no_value(result: CellResult) -> str:
    if result.used:
        return "not finite"
    states = {run.state for run in result.runs}
    return states.pop().value if len(states) == 1 and State.done not in states else NO_RESULT


def _published_value(cell: Cell, name: str) -> str:
    theirs = published_cell(cell)
    if theirs is None:
        return ""
    table = {other: values for other, values in PUBLISHED.items() if other.optimizer == cell.optimizer}
    said = f"student report {getattr(PUBLISHED[theirs], name):.4f}"
    if name == "accuracy" and is_collapsed(PUBLISHED[theirs].accuracy, LARGEST_CLASS_SHARE):
        said += ", collapsed"
    if name == "accuracy" and theirs == max(table, key=lambda other: table[other].accuracy):
        said += ", its best"
    alike = [other for other in table if family(other.loss) == family(cell.loss)]
    if name == "loss" and theirs == min(alike, key=lambda other: table[other].loss):
        said += ", its best"
    return said


def accuracy_ranking(ranking: Sequence[Ranked]) -> Table:
    header = (
        "place", "backbone", "loss", "optimizer", "runs", "accuracy", "95 % interval", "like the best?",
        "best epoch", "student report",
    )  # fmt: skip
    return table_of("Cells by validation accuracy", header, [_ranked_row(ranked) for ranked in ranking])


def _ranked_row(ranked: Ranked) -> list[str | Entry]:
    result, estimate = ranked.result, ranked.estimate
    theirs = published_cell(result.cell)
    best_epoch = result.best_accuracy
    collapsed = f"collapsed: {result.n_collapsed} of {len(result.used)}" if result.n_collapsed else ""
    first = ranked.place == 1 and not collapsed
    return [
        str(ranked.place),
        Entry(result.cell.backbone, result.varied),
        result.cell.loss,
        result.cell.optimizer,
        f"{len(result.used)} of {len(result.runs)}",
        Entry(number(estimate.mean), collapsed, "best" if first else "bad" if collapsed else ""),
        Entry(interval(estimate) or NOTHING, estimate.how),
        LIKE_BEST[ranked.like_best],
        number(best_epoch.mean if best_epoch else None),
        Entry(number(PUBLISHED[theirs].accuracy), f"place {rank(theirs)}") if theirs else NOTHING,
    ]


def loss_rankings(rankings: dict[str, list[Ranked]]) -> list[Table]:
    header = (
        "place",
        "backbone",
        "loss",
        "optimizer",
        "runs",
        "val. loss",
        "95 % interval",
        "student report",
    )
    return [
        table_of(f"Cells by validation loss: {name}", header, [_loss_row(ranked) for ranked in ranking])
        for name, ranking in rankings.items()
    ]


def _loss_row(ranked: Ranked) -> list[str | Entry]:
    result = ranked.result
    theirs = result.published
    return [
        str(ranked.place),
        Entry(result.cell.backbone, result.varied),
        result.cell.loss,
        result.cell.optimizer,
        f"{len(result.used)} of {len(result.runs)}",
        Entry(number(ranked.estimate.mean), mark="best" if ranked.place == 1 else ""),
        interval(ranked.estimate) or NOTHING,
        number(theirs.loss) if theirs else NOTHING,
    ]


def runs_table(sweep: Sweep) -> Table:
    header = (
        "run", "seed", "state", "val. loss", "val. accuracy", "best epoch", "scored part", "collapsed"
    )  # fmt: skip
    return table_of("All runs", header, [_run_row(run) for run in sweep.runs])


def _run_row(run: CellRun) -> list[str | Entry]:
    name = str(run.cell) + (f" ({run.varied})" if run.varied else "")
    return [
        Entry(run.folder.name, name) if run.folder else name,
        str(run.seed),
        Entry(
            run.state.value, run.epochs_said if run.folder else "", "" if run.state is State.done else "bad"
        ),
        number(run.loss),
        _counted(run),
        Entry(number(run.best_accuracy), f"epoch {run.best_epoch}" if run.best_epoch is not None else ""),
        run.scored or NOTHING,
        Entry(run.collapse or "", mark="bad" if run.collapse else ""),
    ]


def _counted(run: CellRun) -> Entry:
    """The accuracy of a run with its count and Wilson's interval."""
    if run.count is None:
        return Entry(number(run.accuracy))
    low, high = wilson(*run.count)
    return Entry(number(run.accuracy), f"{run.count[0]} of {run.count[1]}; {low:.4f} to {high:.4f}")


def failure_table(runs: Sequence[CellRun], results: Sequence[CellResult]) -> Table:
    """Runs that repeat the failure of EfficientNetB0, beside this sweep's and the student report's."""
    own = {result.cell: result.accuracy for result in reversed(results)}
    rows: list[list[str | Entry]] = []
    for run in sorted(runs, key=lambda run: (run.cell, run.settings["input values"], run.seed)):
        theirs, ours = published_cell(run.cell), own.get(run.cell)
        rows.append(
            [
                str(run.cell),
                run.settings["input values"],
                str(run.seed),
                Entry(run.state.value, mark="" if run.state is State.done else "bad"),
                number(run.train_loss),
                _counted(run),
                Entry(run.collapse or "", mark="bad" if run.collapse else ""),
                number(ours.mean if ours else None),
                number(PUBLISHED[theirs].accuracy) if theirs else NOTHING,
            ]
        )
    header = (
        "cell", "input values", "seed", "state", "train. loss", "val. accuracy", "collapsed",
        "this sweep's cell", "student report",
    )  # fmt: skip
    return table_of("Accuracy with the input scaled once and twice", header, rows)
