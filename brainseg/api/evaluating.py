"""`brainseg.evaluate`: the scores of one mask or label map against the true one."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from brainseg.api.memory import AnyPath, InMemory, called, is_path, stored
from brainseg.config.choices import PROTOCOLS
from brainseg.config.errors import ConfigError, DataError
from brainseg.evaluation.brains import evaluate_brains
from brainseg.evaluation.cases import ScoredCase
from brainseg.evaluation.tumors import evaluate_tumors

# What the options of the command are called here, and the longer ones first.
ARGUMENTS = {
    f"{option}{end}": argument
    for option, argument in (
        ("--labels-truth", "labels="),
        ("--labels-guess", "guess_labels="),
        ("--labels", "labels="),
        ("data.labels", "labels="),
    )
    for end in ("=", "")
}
BRAIN = "brain"  # in the place of a protocol of BraTS


def evaluate(
    truth: AnyPath | InMemory,
    guess: AnyPath | InMemory,
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
        guess: The predicted one, on the same grid. An array that is compared with a path or a nibabel image
            needs that image's affine: give (array, affine).
        protocol: "brain" for brain masks, in which every voxel above 0 is brain; "brats-legacy", "brats-2023"
            or "brats-2026" for tumour labels.
        labels: The convention of the labels, such as "brats-2023"; "auto" finds it from the truth's name and
            values.
        guess_labels: The convention of the guess, where it is another one; None: as `labels`.
        regions: The regions that are scored, such as ["whole_tumor"]; none: those of the tumour, and
            "resection_cavity" where the true labels have a value for it.
        spacing_mm: Voxel size of arrays along X, Y and Z.

    Raises:
        UserError: They cannot be compared: another grid, labels of two meanings, an unknown protocol.
    """
    if protocol not in (BRAIN, *PROTOCOLS):
        raise ConfigError(f"protocol={protocol!r} is unknown; choose one of {', '.join((BRAIN, *PROTOCOLS))}")
    with tempfile.TemporaryDirectory() as temporary:
        truth_file, guess_file = Path(temporary, "truth.nii"), Path(temporary, "guess.nii")
        with called({str(truth_file): "the truth", str(guess_file): "the guess", **ARGUMENTS}):
            true, guessed = _file(truth, truth_file, spacing_mm), _file(guess, guess_file, spacing_mm)
            case: ScoredCase
            if protocol == BRAIN:
                case = evaluate_brains(true, guessed).cases[0]
            else:
                case = evaluate_tumors(
                    true, guessed, protocol, labels, guess_labels=guess_labels, regions=regions
                ).cases[0]
            if case.fault:
                raise DataError(case.fault)
    return {name: float(score) for name, score in case.scores.items()}


def _file(image: AnyPath | InMemory, path: Path, spacing_mm: tuple[float, float, float] | None) -> Path:
    if not is_path(image):
        return stored(image, path, spacing_mm=spacing_mm)  # type: ignore[arg-type]
    given = Path(os.fspath(image))  # type: ignore[arg-type]
    if given.is_dir():
        raise DataError(
            f"{given} is a folder; give two files, or compare folders with `brainseg evaluate TRUTH GUESS`"
        )
    return given
