"""`brainseg.evaluate`: the scores of one mask or label map against the true one."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from brainseg.api.memory import InMemory, Path_, is_path, stored
from brainseg.config.errors import DataError
from brainseg.evaluation.brains import evaluate_brains
from brainseg.evaluation.cases import ScoredCase
from brainseg.evaluation.tumors import evaluate_tumors

BRAIN = "brain"  # in the place of a protocol of BraTS


def evaluate(
    truth: Path_ | InMemory,
    guess: Path_ | InMemory,
    protocol: str = "brats-legacy",
    *,
    labels: str = "auto",
    guess_labels: str | None = None,
    regions: Sequence[str] = (),
    spacing_mm: tuple[float, float, float] | None = None,
) -> dict[str, float]:
    """The scores of a predicted mask or label map, by name, as `brainseg evaluate` prints them.

    Args:
        truth: A path, a nibabel image, (array, affine), or an array (X, Y, Z) with `spacing_mm`.
        guess: The predicted one, on the same grid.
        protocol: "brain" for brain masks; "brats-legacy", "brats-2023" or "brats-2026" for tumour labels.
        labels: The convention of the tumour labels, such as "brats-2023"; auto: from the truth's name and
            values.
        guess_labels: That of the guess alone, where it is another one; None: as `labels`.
        regions: Those that are scored, such as ["whole_tumor"]; none: all.
        spacing_mm: Voxel size of arrays.

    Raises:
        UserError: They cannot be compared: another grid, labels of two meanings, an unknown protocol.
    """
    with tempfile.TemporaryDirectory() as temporary:
        true = _file(truth, Path(temporary, "truth.nii"), spacing_mm)
        guessed = _file(guess, Path(temporary, "guess.nii"), spacing_mm)
        if protocol == BRAIN:
            case: ScoredCase = evaluate_brains(true, guessed).cases[0]
        else:
            case = evaluate_tumors(
                true, guessed, protocol, labels, guess_labels=guess_labels, regions=regions
            ).cases[0]
    if case.fault:  # which names the files, and those of this function tell nobody anything
        said = case.fault if is_path(truth) else case.fault.replace(str(true), "the truth")
        raise DataError(said if is_path(guess) else said.replace(str(guessed), "the guess"))
    return {name: float(score) for name, score in case.scores.items()}


def _file(image: Path_ | InMemory, path: Path, spacing_mm: tuple[float, float, float] | None) -> Path:
    if not is_path(image):
        return stored(image, path, spacing_mm=spacing_mm)  # type: ignore[arg-type]
    given = Path(os.fspath(image))  # type: ignore[arg-type]
    if given.is_dir():
        raise DataError(
            f"{given} is a folder; give two files, or compare folders with `brainseg evaluate TRUTH GUESS`"
        )
    return given
