"""Pairs of a true and a predicted mask or label map: how they are read, and their scores as a table."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brainseg.config.errors import GeometryError, UserError
from brainseg.files.atomic import NO_TEXT, writing
from brainseg.files.there import refuse_nothing_at
from brainseg.images import lgg, nifti
from brainseg.images.volume import Volume, from_ras, ras_grid, to_ras


@dataclass(frozen=True)
class ScoredCase:
    """A pair of masks or label maps with its scores, or with the reason why it has none."""

    name: str
    truth: Path
    guess: Path | None  # None where nothing was predicted
    scores: Mapping[str, float]
    fault: str = ""


def are_files(truth: Path, guess: Path) -> bool:
    """Whether both are files; otherwise both are folders.

    Raises:
        UserError: One does not exist, or only one is a folder.
    """
    for path in (truth, guess):
        refuse_nothing_at(path)
    if truth.is_file() and not guess.is_file():
        raise UserError(f"{truth} is one mask but {guess} is a folder; give two masks or two folders")
    if guess.is_file() and not truth.is_file():
        raise UserError(f"{truth} is a folder but {guess} is one mask; give two masks or two folders")
    return truth.is_file()


def read_pair(truth: Path, guess: Path) -> tuple[Volume, Volume]:
    """Two masks or label maps (1, X, Y, Z) of one grid; a guess with its axes turned is turned back.

    Raises:
        GeometryError: Their voxels do not lie on each other.
    """
    true, predicted = read_truth(truth), nifti.read_labels(guess)
    difference = predicted.grid.difference(true.grid)
    if difference and ras_grid(predicted.grid).difference(ras_grid(true.grid)) is None:
        predicted, difference = Volume(from_ras(to_ras(predicted).data, true.grid), true.grid), None
    if difference:
        raise GeometryError(f"{guess} does not lie on the grid of {truth}: {difference}")
    return true, predicted


def read_truth(path: Path) -> Volume:
    """A mask or label map (1, X, Y, Z): a file, or the folder of a patient of the Kaggle LGG set."""
    return lgg.read_tumor(path) if path.is_dir() else nifti.read_labels(path)


def write_scores(
    path: Path, cases: Sequence[ScoredCase], names: Sequence[str], *, protocol: str | None = None
) -> None:
    """Write a row for each case: its name, the protocol if there is one, its scores, its fault, its files.

    Args:
        path: The .csv file.
        cases: In the order of the rows.
        names: The scores that are columns, in their order. A case without a score has an empty cell.
        protocol: As `metrics.score_case` has it.
    """
    counted = {} if protocol is None else {"protocol": protocol}
    rows = [
        [case.name, *counted.values(), *(case.scores.get(name, "") for name in names),
         case.fault, case.truth, case.guess or ""]
        for case in cases
    ]  # fmt: skip
    write_table(path, ["name", *counted, *names, "fault", "truth", "guess"], rows)


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with (
        writing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors=NO_TEXT, newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)
