"""The page of pictures of slices: how many of each type, the scores, the surest and the least sure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from brainseg.gates.model_words import model_in_words
from brainseg.metrics.classification import RESAMPLES
from brainseg.reporting.confusion import confusion_figure
from brainseg.reporting.page import inline_figure, inline_slice, write_page
from brainseg.reporting.sections import NOTHING, Picture, Section, table_of
from brainseg.results.parts import Interval, Judgement, SliceScores, SlicesResult
from brainseg.results.result import Result

HEADLINES = {
    Judgement.passed: "Passed: every picture was answered with some certainty. "
    "That is no proof that the answers are right.",
    Judgement.review: "To be reviewed: a person should look before anything is made of this.",
    Judgement.fail: "Some pictures could not be used. The others are answered.",
    Judgement.not_judged: "Not judged: the gates were switched off (gates=none).",
}
LISTED = 20  # mistakes, and files that could not be used
SIDE = 220  # of a picture, pixels

Row = tuple[str, str | None, str | None, float]  # file, truth, type and its probability


@dataclass(frozen=True)
class ShownSlice:
    """A picture as the classifier saw it.

    Attributes:
        name: Its file.
        image: (S, S).
        heat: (S, S), 0 to 1: Grad-CAM of the type; None where the backbone has none.
        type: The likeliest class.
        certainty: Its probability.
        truth: The class that the folder names, if it names one.
    """

    name: str
    image: NDArray[np.uint8]
    heat: NDArray[np.float32] | None
    type: str
    certainty: float
    truth: str | None


def write_slices_page(
    path: Path, result: Result, surest: Sequence[ShownSlice], least: Sequence[ShownSlice], rows: Sequence[Row]
) -> None:
    """Write the page.

    Args:
        path: The .html file.
        result: Of pictures, so with `slices`.
        surest: The pictures that are answered with most certainty.
        least: Those with least.
        rows: Of every picture.
    """
    found = result.slices
    assert found is not None
    sections = [_overview(result, found), *_scores(found), *_mistakes(rows), *_failures(found)]
    sections += [_pictures("The surest", surest), _pictures("The least sure", least)]
    sections.append(_origin(result))
    shown = [one for one in sections if one != Section(one.title)]
    write_page(path, "sections", title=f"{result.subject}: pictures of slices", sections=shown)


def _overview(result: Result, found: SlicesResult) -> Section:
    n = sum(found.counts.values()) + len(found.failed)
    rows = [[name, str(count)] for name, count in found.counts.items()]
    rows += [["could not be used", str(len(found.failed))]] if found.failed else []
    headline = HEADLINES[result.verdict]
    good = result.verdict is Judgement.passed
    return Section(
        warning="" if good else headline,
        paragraphs=[headline] if good else [],
        points=[*result.reasons, *result.warnings],
        tables=[table_of(f"{n} pictures by their likeliest class", ("class", "pictures"), rows)],
    )


def _scores(found: SlicesResult) -> Iterator[Section]:
    if found.scores is None:
        return
    one = found.scores
    rows = [
        ["accuracy", _with_interval(one.accuracy)],
        ["F1, mean of the classes", _with_interval(one.f1_macro)],
    ]
    matrix = confusion_figure(one.confusion, found.classes)
    yield Section(
        "Scores",
        paragraphs=[_scored_in_words(one)],
        tables=[table_of("Against the folders' names", ("score", "value, 95 %"), rows)],
        pictures=[Picture(inline_figure(matrix), "Confusion matrix")],
    )


def _scored_in_words(one: SliceScores) -> str:
    of_what = f"{one.n} pictures" if one.n == one.subjects else f"{one.n} pictures of {one.subjects} subjects"
    return (
        f"The folders of {of_what} name the type. Intervals are from {RESAMPLES} resamples. Slices of one "
        "patient that no table names count as several, so the true intervals are wider."
    )


def _mistakes(rows: Sequence[Row]) -> Iterator[Section]:
    wrong = sorted((row for row in rows if row[1] and row[2] and row[1] != row[2]), key=lambda row: -row[3])
    if not wrong:
        return
    said = f"{len(wrong)} pictures are named otherwise than their folder."
    if len(wrong) > LISTED:
        said += f" These are the {LISTED} with the highest certainty."
    cells = [[file, str(truth), str(kind), f"{sure:.3f}"] for file, truth, kind, sure in wrong[:LISTED]]
    header = ("file", "folder", "type", "certainty")
    yield Section("Mistakes", paragraphs=[said], tables=[table_of("Mistakes", header, cells)])


def _failures(found: SlicesResult) -> Iterator[Section]:
    if found.failed:
        more = len(found.failed) - LISTED
        said = [f"{more} more are in slices.csv."] if more > 0 else []
        yield Section("Could not be used", paragraphs=said, points=list(found.failed.values())[:LISTED])


def _pictures(title: str, shown: Sequence[ShownSlice]) -> Section:
    pictures = [Picture(_beside_heat(one), _caption(one)) for one in shown]
    heat = any(one.heat is not None for one in shown)
    said = (
        ["Beside each picture, as the classifier saw it: where the answer rests (Grad-CAM)."] if heat else []
    )
    return Section(title, paragraphs=said, pictures=pictures)


def _caption(one: ShownSlice) -> str:
    said = f"{one.name}: {one.type} {one.certainty:.3f}"
    if one.truth is not None and one.truth != one.type:
        said += f", folder {one.truth}"
    return said if one.heat is not None else f"{said}; the backbone has no Grad-CAM"


def _beside_heat(one: ShownSlice) -> Markup:
    """The picture, and at its right the same below the heat."""
    if one.heat is None:
        return inline_slice(_enlarged(one.image), side=SIDE)
    grey = np.repeat(one.image[..., None], 3, axis=2).astype(np.float32)
    share = 0.55 * one.heat[..., None]
    color = 255 * matplotlib.colormaps["inferno"](one.heat)[..., :3]
    painted = (grey * (1 - share) + color * share).astype(np.uint8)
    return inline_slice(np.hstack([_enlarged(grey.astype(np.uint8)), _enlarged(painted)]), side=2 * SIDE)


def _enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE)))


def _origin(result: Result) -> Section:
    models = [f"{name}: {model_in_words(one)}" for name, members in result.models.items() for one in members]
    return Section(
        "Where it comes from",
        paragraphs=[
            "Each picture's probabilities are in slices.csv; the files, their sha256 and all settings are in "
            "result.json. `brainseg verify` on this folder names any file that has changed by one byte."
        ],
        points=models,
    )


def _with_interval(score: Interval | None) -> str:
    return NOTHING if score is None else f"{score.value:.4f} ({score.low:.4f} to {score.high:.4f})"
