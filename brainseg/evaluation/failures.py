"""The worst phantoms of an evaluation as pictures. Real scans are refused: a card is given away."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainseg.config.errors import ConfigError, DataError
from brainseg.evaluation.cases import read_pair
from brainseg.evaluation.figures import Figure, figures_of
from brainseg.images import nifti
from brainseg.images.volume import Grid, Volume, to_ras
from brainseg.reporting.failures import Failure, draw_failures
from brainseg.results.read import read_result


def draw_worst(scores: Path, png: Path) -> Figure:
    """Draw the worst cases of a scores.csv; the score by which they were chosen comes back.

    Raises:
        ConfigError: A case is no phantom, or the scores are no Dice of masks.
        DataError: A file is not there any more.
    """
    first = figures_of("phantoms", scores)[0]
    if not first.worst:
        raise ConfigError(f"{scores}: has no Dice, by which the worst masks could be chosen")
    files = _files(scores)
    if not files.keys() >= {name for name, _ in first.worst}:
        raise ConfigError(f"{scores}: names no files; --failures takes a scores.csv of brainseg evaluate")
    draw_failures([_failure(f"{name}: {value:.3f}", *files[name]) for name, value in first.worst], png)
    return first


def _files(scores: Path) -> dict[str, tuple[Path, Path]]:
    """Truth and guess of each case."""
    with scores.open(encoding="utf-8", newline="") as file:
        named = [row for row in csv.DictReader(file) if row.get("name")]
    return {row["name"]: (Path(row["truth"]), Path(row["guess"])) for row in named}


def _failure(caption: str, truth: Path, guess: Path) -> Failure:
    result = read_result(guess.parent)
    if not result.synthetic:
        raise ConfigError(
            f"{guess}: is of a real scan, and a card is given away; --failures takes scores of phantoms"
        )
    true, found = read_pair(truth, guess)
    inputs = [(name, Path(one.file)) for name, one in result.inputs.items()]
    images = dict(_images(inputs, true.grid))
    if not images:
        raise DataError(f"{guess}: no scan of {guess.parent} lies on its grid any more; predict it again")
    spacing_mm = to_ras(true).grid.spacing_mm
    return Failure(caption, images, _upright(true) > 0, _upright(found) > 0, spacing_mm[1] / spacing_mm[0])


def _images(inputs: Sequence[tuple[str, Path]], grid: Grid) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for name, path in inputs:
        scan = nifti.read(path) if path.is_file() else None
        if scan is not None and scan.grid.difference(grid) is None:
            yield name, _upright(scan)


def _upright(volume: Volume) -> NDArray[np.float32]:
    upright: NDArray[np.float32] = to_ras(volume).data[0]
    return upright
