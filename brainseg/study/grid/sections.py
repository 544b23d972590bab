"""The grid page, section by section."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from brainseg.reporting.confusion import confusion_figure
from brainseg.reporting.page import inline_figure
from brainseg.reporting.sections import Picture, Section, number
from brainseg.study.grid.cell_runs import COLLAPSE_MARGIN, CellRun, State
from brainseg.study.grid.figures import box_figure, run_figure
from brainseg.study.grid.intervals import Estimate, interval
from brainseg.study.grid.results import (
    CellResult,
    by_accuracy,
    by_loss,
    crossentropy_against_kl,
    published_crossentropy_against_kl,
)
from brainseg.study.grid.sweep import Sweep
from brainseg.study.grid.tables import (
    accuracy_ranking,
    differing_settings,
    failure_table,
    loss_rankings,
    missing_table,
    optimizer_tables,
    runs_table,
    settings_table,
)
from brainseg.study.published import (
    ABOUT,
    BACKBONES,
    CHOSEN,
    LOSSES,
    OPTIMIZERS,
    PUBLISHED,
    Cell,
    published_cell,
    spoken_cell,
)

EQUAL_LOSSES = (
    "Crossentropy and KL divergence are mathematically equal on one-hot targets. Keras clips zeros, so their "
    "values differ by at most 4.6e-6."
)
RULES = (
    "Validation loss and accuracy are those after the last epoch, as Keras evaluates: the mean over the runs "
    "of a cell. The accuracy of the best epoch is given too. It is too good, because the slices that measure "
    "it have chosen it. The scored part and the confusion matrix belong to the best checkpoint.",
    "Intervals have 95 %. For one run it is Wilson's interval of the right slices among the validation "
    "slices: it holds the chance of the slices, but not that of training. For two or more runs it is "
    "Student's t interval of their mean. Runs with other seeds also have another split, so it holds both. "
    "Where all runs agree exactly, Wilson's interval over all their slices takes its place, a slice that "
    "several runs have counting once: a spread of 0 would claim that the mean is known exactly.",
    "Runs are taken together only if they differ in nothing but their seed. Where the sweep varies more, "
    "such as a learning rate, a cell is there once for each of its values.",
    "A cell is like the best if its interval overlaps that of the best cell. This rule is coarse and "
    "cautious.",
    "A run is collapsed if its accuracy is at most the share of the largest class in its validation part "
    f"plus {COLLAPSE_MARGIN:.2f}, or if all its guesses are of one class. Collapsed runs count in the means.",
    "A run is done if it wrote scores.json, or if it has test=false and trained its last epoch. Any other "
    "run that was started is running or has failed. It has certainly failed if the jobs run one after "
    "another and a later one was started.",
    "Losses of different functions are never ranked together. Crossentropy and KL divergence count as one.",
)


def sections_of(
    sweep: Sweep, results: Sequence[CellResult], chosen: CellResult | None, failure: Sequence[CellRun]
) -> list[Section]:
    """All of the page below its title."""
    return [
        _overview(sweep, results),
        Section("Tables 1 to 3: validation loss and accuracy", tables=optimizer_tables(results)),
        _rankings(results),
        _equal_losses(sweep),
        _boxes(results),
        _chosen(chosen),
        *_failure(failure, results),
        Section("All runs", tables=[runs_table(sweep)]),
        Section("How the numbers are made", points=RULES),
    ]


def jobs_said(sweep: Sweep) -> str:
    """A sentence about how many jobs are done, and how far the others have come."""
    total = f"of {len(sweep.runs)}" if sweep.n_asked is not None else "(the sweeper chooses jobs as it goes)"
    missing = [f"{sweep.count(state)} {state.value}" for state in State if state is not State.done]
    missing = [text for text in missing if not text.startswith("0 ")]
    return f"{sweep.count(State.done)} {total} jobs done" + "".join(f", {text}" for text in missing)


def best_said(results: Sequence[CellResult]) -> str:
    """A sentence about the best cell, its interval, and how many others are like it."""
    ranking = by_accuracy(results)
    if not ranking:
        return "no cell has a result yet"
    best = ranking[0]
    others = sum(ranked.like_best is True for ranked in ranking[1:])
    unknown = sum(ranked.like_best is None for ranked in ranking[1:])
    said = f"best cell by accuracy: {best.result.name}, {_with_interval(best.estimate)}"
    said += f"; the intervals of {others} of the {len(ranking) - 1} others overlap it"
    return said + (f", {unknown} have none" if unknown else "")


def _with_interval(estimate: Estimate) -> str:
    bounds = interval(estimate)
    return number(estimate.mean) + (f" ({bounds}; {estimate.how})" if bounds else " (no interval)")


def _overview(sweep: Sweep, results: Sequence[CellResult]) -> Section:
    differing = differing_settings(sweep)
    covered = len({published_cell(result.cell) for result in results if result.used} - {None})
    missing = missing_table(sweep)
    return Section(
        warning=f"This is not the student report's grid: {', '.join(differing)} differ." if differing else "",
        paragraphs=[
            ABOUT,
            f"{jobs_said(sweep)}; {best_said(results)}.",
            f"{covered} of the student report's {len(PUBLISHED)} cells have a result here.",
        ],
        points=sweep.remarks,
        tables=[settings_table(sweep), *([missing] if missing else [])],
    )


def _rankings(results: Sequence[CellResult]) -> Section:
    ranking = by_accuracy(results)
    if not ranking:
        return Section("Ranking", paragraphs=["No cell has a result yet."])
    return Section(
        "Ranking",
        paragraphs=[
            "Losses are ranked within a family only: values of different families cannot be compared."
        ],
        tables=[accuracy_ranking(ranking), *loss_rankings(by_loss(results))],
    )


def _equal_losses(sweep: Sweep) -> Section:
    paired = crossentropy_against_kl(sweep.runs)
    theirs = published_crossentropy_against_kl()
    if paired is None:
        ours = "This sweep has no pair of finished runs that differ in nothing but these two losses."
    else:
        ours = (
            f"Over {paired.n} pairs of runs with the same backbone, optimizer and seed, crossentropy minus "
            f"KL divergence is {_difference(paired.accuracy)} in validation accuracy"
        )
        ours += f" and {_difference(paired.loss)} in validation loss." if paired.loss else "."
    return Section(
        "Crossentropy against KL divergence",
        paragraphs=[
            EQUAL_LOSSES,
            ours,
            f"Over the student report's {theirs.n} pairs: {_difference(theirs.accuracy)} in accuracy.",
        ],
    )


def _difference(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:+.3g} (no interval)"
    return f"{estimate.mean:+.3g} ({estimate.low:+.3g} to {estimate.high:+.3g}; {estimate.how})"


def _boxes(results: Sequence[CellResult]) -> Section:
    def picture(title: str, level: Callable[[Cell], str]) -> Picture:
        ours, theirs = defaultdict(list), defaultdict(list)
        for result in results:
            if result.accuracy is not None:
                ours[level(published_cell(result.cell) or result.cell)].append(result.accuracy.mean)
        for cell, values in PUBLISHED.items():
            theirs[level(cell)].append(values.accuracy)
        return Picture(inline_figure(box_figure(title, ours, theirs)), title)

    return Section(
        "Figures 7, 8 and 9: accuracy by backbone, optimizer and loss",
        paragraphs=[
            f"A point is a cell: ours, and all {len(PUBLISHED)} of the student report. The captions of its "
            "figures 8 and 9 are swapped."
        ],
        pictures=[
            picture("By backbone (figure 7)", lambda cell: BACKBONES.get(cell.backbone, cell.backbone)),
            picture(
                "By optimizer (captioned figure 8)",
                lambda cell: OPTIMIZERS.get(cell.optimizer, cell.optimizer),
            ),
            picture("By loss (captioned figure 9)", lambda cell: LOSSES.get(cell.loss, cell.loss)),
        ],
    )


def _chosen(chosen: CellResult | None) -> Section:
    title = "Figures 12, 13 and 14: curves and confusion matrix"
    if chosen is None:
        return Section(title, paragraphs=["No cell has a result yet; choose one with --cell."])
    pictures, missing = [], []
    for run in chosen.runs:
        figure = run_figure(run)
        if figure is None:
            missing.append(f"No curves of {run.name}: {run.state.value}.")
        else:
            pictures.append(Picture(inline_figure(figure), f"Loss and accuracy by epoch, {run.name}"))
        if run.predictions is None:
            missing.append(f"No confusion matrix of {run.name}: the run has no predictions.csv.")
        else:
            matrix = inline_figure(confusion_figure(run.predictions.confusion(), run.predictions.classes))
            pictures.append(Picture(matrix, f"{run.predictions.part} part, best checkpoint, {run.name}"))
    said = chosen.name + (f", accuracy {_with_interval(chosen.accuracy)}" if chosen.accuracy else "")
    note = (
        f"The student report shows its advanced classifier: {spoken_cell(CHOSEN)} with a head of four "
        "layers, trained for 50 epochs."
    )
    return Section(title, paragraphs=[f"The cell is {said}.", note, *missing], pictures=pictures)


def _failure(runs: Sequence[CellRun], results: Sequence[CellResult]) -> list[Section]:
    if not runs:
        return []
    said = (
        "The input is divided by 255 once (imagenet) or twice (double_scaled). Then ImageNet's mean is "
        "subtracted and the result divided by its standard deviation, as Keras's pretrained EfficientNetB0 "
        "does itself."
    )
    return [
        Section(
            "EfficientNetB0's failure, repeated", paragraphs=[said], tables=[failure_table(runs, results)]
        )
    ]
