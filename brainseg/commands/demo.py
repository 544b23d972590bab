"""The whole system once, on phantoms: first the page of a patient by the models that come with brainseg.

Then three models are trained, predict patients that none has seen, and are scored.

Every step runs the command that a user would type.
"""

import csv
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from brainseg.config.errors import DataError, UserError
from brainseg.files.atomic import sha256
from brainseg.images.labels import CLASSES, TUMOR_REGIONS
from brainseg.images.nifti import read_labels
from brainseg.metrics import dice
from brainseg.phantom import write_cohort
from brainseg.phantom.damage import damage
from brainseg.reporting.subject_page import PAGE
from brainseg.results.names import INDEX
from brainseg.results.parts import Status
from brainseg.results.read import read_result, subject_folders
from brainseg.results.replacing import known_files, remove_ours
from brainseg.results.sums import SUMS, read_sums, write_sums_of
from brainseg.runs.config import LAST
from brainseg.system.terminal import cell, console, say
from brainseg.system.verdicts import SOME_FAILED, SOME_TO_REVIEW

TASKS = ("skullstripper", "segmenter", "classifier")
PATIENTS_SEED = 1000  # far from the cohorts' own, so that no model has seen these heads
FIRST_SEED = 2000  # of the patient whose page comes before any training
# The student report's 0.95 asks more of 27 slices than minutes of training give. This was set on 72
# patients of other seeds: docs/experiments/demo.md.
HEALTHY_AT = 0.84
OFFSETS_MM = [0, 10, 20, 30, 40]  # 27 slices, as in the student report, but out to where meningiomas grow
DAMAGE, DAMAGED = "upside down", "upsidedown"  # and what that makes of a patient's name
DICES = ("brain", "enhancing_tumor", "tumor_core", "whole_tumor")
CAPTION = (
    "Dice of the brain mask (strip) and of enhancing tumour, tumour core and whole tumour: 1 is perfect. "
    "A patient without tumour has no such Dice; false ml is the volume that was outlined there. "
    "*: the type of the vote's rule, beside a class with a larger mean; the page calls it undecided."
)


def demo(folder: Path, patients: int = 10, spacing_mm: float = 2.0) -> None:
    """Show a page at once, then write, train, predict and score everything below `folder`.

    Raises:
        UserError: A step failed; its own output above says why.
    """
    screen, start = console(), time.monotonic()
    page = _answered_at_once(folder, spacing_mm, screen)
    say(f"a page after {time.monotonic() - start:.0f} seconds, for a browser: {page}")
    say("it is by the models that come with brainseg; now come three of your own, which takes some minutes")
    checkpoints = {task: _trained(task, folder, screen) for task in TASKS}
    screen.rule("unseen patients")
    cohort = folder / "patients"
    clear(cohort)  # of an earlier demo, perhaps of another number of patients
    ids = write_cohort(cohort, layout="bids", subjects=patients, seed=PATIENTS_SEED, spacing_mm=spacing_mm)
    _list_files(cohort)
    models = [f"{task}={path}" for task, path in checkpoints.items()]
    predictions = folder / "predictions"
    _forget_others(predictions, ids)
    exact = "precision=float32"  # the same table each time, whatever a few timed steps would choose
    settings = [*models, f"vote.healthy_at={HEALTHY_AT}", f"vote.offsets_mm={OFFSETS_MM}", exact]
    places = [f"output={predictions}", "overwrite=true", f"hydra.run.dir={folder}/log"]
    _command("predict", f"input={cohort}", *settings, *places, ends_with=(0, SOME_TO_REVIEW))
    _print_scores(_scores(cohort, predictions), screen)
    screen.rule(f"the last of them, {DAMAGE}")
    damaged = _damaged(cohort, folder / "damaged")
    # That the command ends as it does says that the damage was caught.
    _command("predict", f"input={damaged}", *settings, *places, ends_with=(SOME_TO_REVIEW, SOME_FAILED))
    pages = {
        "a patient that no model has seen": predictions / f"{damaged.name.removesuffix(DAMAGED)}" / PAGE,
        "the same, damaged and caught": predictions / damaged.name / PAGE,
        "all of them": predictions / INDEX,
    }
    say("pages, for a browser:", *(f"  {page}  ({what})" for what, page in pages.items()))
    say(f"training curves: curves.png and panels/ in {folder}/<model>")
    say(f"the demo took {(time.monotonic() - start) / 60:.1f} minutes")


def _answered_at_once(folder: Path, spacing_mm: float, screen: Console) -> Path:
    """The page of an unseen patient by the models that come with brainseg."""
    screen.rule("a patient at once, by the models that come with brainseg")
    patient, output = folder / "first", folder / "first_prediction"
    clear(patient)
    (name,) = write_cohort(
        patient, layout="bids", subjects=1, seed=FIRST_SEED, spacing_mm=spacing_mm, types=["glioma"]
    )
    _list_files(patient)
    places = [f"output={output}", "overwrite=true", f"hydra.run.dir={folder}/log"]
    _command("predict", f"input={patient}", *places, ends_with=(0, SOME_TO_REVIEW))
    return output / name / PAGE


def _damaged(cohort: Path, folder: Path) -> Path:
    """A copy of the last patient with damaged scans, under a name that says so."""
    clear(folder)
    patient = sorted(cohort.glob("sub-*"))[-1]
    copy = folder / (patient.name + DAMAGED)
    for file in (patient / "anat").iterdir():
        target = copy / "anat" / file.name.replace(patient.name, copy.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    damage(copy, DAMAGE)
    _list_files(folder)
    return copy


def clear(folder: Path) -> None:
    """Remove the files of an earlier demo from a folder, by the list that it left there.

    Raises:
        DataError: The folder holds another file; that file stays.
    """
    if not folder.exists():
        return
    listed = read_sums(folder) if (folder / SUMS).is_file() else {}
    for name, digest in listed.items():
        path = folder / name
        within = path.resolve().is_relative_to(folder.resolve())
        if within and path.is_file() and sha256(path) == digest:
            path.unlink()
    left = sorted(path for path in folder.rglob("*") if not path.is_dir() and path != folder / SUMS)
    if left:
        raise DataError(f"{left[0]}: was not written by a demo; move it away, or give another --folder")
    (folder / SUMS).unlink(missing_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir()


def _list_files(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != SUMS]
    write_sums_of(folder, [path.relative_to(folder).as_posix() for path in files])


def _forget_others(predictions: Path, ids: Sequence[str]) -> None:
    """Remove the results of patients that an earlier demo had and this one has not."""
    for folder in subject_folders(predictions):
        if folder.name not in ids:
            remove_ours(folder, known_files(folder))


def _trained(task: str, folder: Path, screen: Console) -> Path:
    run = folder / task
    checkpoint = run / LAST
    screen.rule(f"training the {task}")
    _command("train", f"experiment=demo_{task}", f"hydra.run.dir={run}", "overwrite=true", ends_with=(0,))
    return checkpoint


def _command(*arguments: str, ends_with: tuple[int, ...]) -> None:
    say(" ".join(["$ brainseg", *arguments]))
    done = subprocess.run([sys.executable, "-m", "brainseg", *arguments], check=False)
    if done.returncode not in ends_with:
        raise UserError(f"the demo stopped: brainseg {arguments[0]} ended with exit code {done.returncode}")


def _scores(cohort: Path, predictions: Path) -> list[dict[str, Any]]:
    """A row for each patient: type and truth, Dice of brain and regions, seconds and memory of each stage."""
    with (cohort / "participants.tsv").open(newline="") as file:
        types = {row["participant_id"]: row["tumor_type"] for row in csv.DictReader(file, delimiter="\t")}
    return [_score(cohort, predictions, subject, truth) for subject, truth in sorted(types.items())]


def _score(cohort: Path, predictions: Path, subject: str, truth: str) -> dict[str, Any]:
    result = read_result(predictions / subject)
    if result.status is Status.failed:
        raise UserError(f"the demo's patient {subject} failed: {result.error}")
    assert result.label_convention is not None  # as each of the three models has run
    assert result.tumor_type is not None
    assert result.grid is not None
    anat = cohort / "derivatives" / "truth" / subject / "anat"
    brain = read_labels(anat / f"{subject}_desc-brain_mask.nii.gz").data[0] > 0
    labels = read_labels(anat / f"{subject}_dseg.nii.gz").data[0]  # BraTS 2023: the values are the classes
    own = predictions / subject / subject
    values = {int(v): name for v, name in result.label_convention.values.items()}
    outlined = read_labels(Path(f"{own}_tumor_labels.nii.gz"))
    row: dict[str, Any] = {"subject": subject, "truth": truth, "verdict": result.tumor_type.verdict}
    row["undecided"] = result.tumor_type.is_undecided
    row["brain"] = float(dice(brain, read_labels(Path(f"{own}_brain_mask.nii.gz")).data[0] > 0))
    row |= _region_scores(labels, outlined.data[0], values, outlined.grid.voxel_ml)
    return row | {"seconds": result.seconds, "mb": result.peak_memory_mb}


def _region_scores(
    labels: Any, guess: Any, values: dict[int, str], voxel_ml: float
) -> dict[str, float | None]:
    """Dice of the regions that the patient has; the volume of what was outlined where there is no tumour."""
    scores: dict[str, float | None] = {}
    for region, members in TUMOR_REGIONS.items():
        written = [value for value, name in values.items() if CLASSES.index(name) in members]
        truth = np.isin(labels, members)
        scores[region] = float(dice(truth, np.isin(guess, written))) if truth.any() else None
    scores["false_ml"] = None if labels.any() else float((guess > 0).sum() * voxel_ml)
    return scores


def _print_scores(rows: list[dict[str, Any]], screen: Console) -> None:
    table = Table(title="patients that no model has seen", caption=CAPTION, caption_justify="left")
    for name in ("patient", "truth", "verdict", "strip", "ET", "TC", "WT", "false ml"):
        table.add_column(name, justify="left" if name in ("patient", "truth", "verdict") else "right")
    for row in rows:
        colour = "green" if row["verdict"] == row["truth"] else "red"
        table.add_row(
            cell(row["subject"]),
            cell(row["truth"]),
            cell(row["verdict"] + (" *" if row["undecided"] else ""), colour),
            *(_cell(row[name], 3) for name in DICES),
            _cell(row["false_ml"], 1),
        )
    correct = sum(row["verdict"] == row["truth"] for row in rows)
    table.add_section()
    table.add_row(
        "mean",
        "",
        f"{correct} of {len(rows)}",
        *(_cell(_mean(rows, name), 3) for name in DICES),
        _cell(_mean(rows, "false_ml"), 1),
    )
    screen.print(table)
    cost = Table(title="what a patient costs")
    for name in ("stage", "seconds, mean", "peak memory, MB"):
        cost.add_column(name, justify="left" if name == "stage" else "right")
    for stage in rows[0]["seconds"]:
        seconds = mean(row["seconds"][stage] for row in rows)
        cost.add_row(stage, f"{seconds:.2f}", f"{max(row['mb'][stage] for row in rows):.0f}")
    screen.print(cost)


def _mean(rows: list[dict[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return mean(values) if values else None


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
