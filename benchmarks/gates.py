"""What the gates of a prediction say of 100 clean phantoms, and of each kind of damage.

python benchmarks/gates.py skullstripper=A.ckpt [classifier=B.ckpt segmenter=C.ckpt] [--clean 100]

Clean ones should pass. One that does not is a false alarm if its result is right: tumour type, brain
(Dice 0.9), whole tumour (Dice 0.5, or less than 1 ml where there is none), and nine tenths of the true tumour
within the brain mask; a tumour that is cut off is a thousandth of the brain and no Dice tells. Damaged ones
should not pass:
each kind of brainseg.phantom.damage is done to whole heads that no model has seen. A kind is caught when
each of its heads is stopped or sent to review for something that the clean one of the same seed is not.
"""

import argparse
import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.images.nifti import read_labels
from brainseg.metrics import dice
from brainseg.phantom import write_cohort
from brainseg.phantom.damage import DAMAGES, damage
from brainseg.prediction.run import run
from brainseg.results.parts import Judgement
from brainseg.results.read import read_result, subject_folders
from brainseg.results.result import Result

SEED = 91000  # far from the cohorts' own, and from those that were looked at (52000, 61000, 70000, 84000)
FAULTS = ("type", "brain", "tumour cut off", "tumour")
VOXEL_ML = 0.008
Mask = NDArray[np.bool_]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("overrides", nargs="+", help="as predict.py takes them")
    options.add_argument("--folder", type=Path, default=Path("data/gates"))
    options.add_argument("--clean", type=int, default=100)
    options.add_argument("--each", type=int, default=2, help="heads for each kind of damage")
    given = options.parse_args()
    clean = given.folder / f"clean_{given.clean}"
    if not clean.is_dir():
        write_cohort(clean, layout="bids", subjects=given.clean, seed=SEED, spacing_mm=2.0)
    heads = sorted(path for path in clean.glob("sub-*"))
    said = _predicted(clean, given.folder / "predicted", given.overrides)
    alarms = {subject: gates for subject, gates in said.items() if gates}
    faults = {subject: _faults(subject, clean, given.folder / "predicted") for subject in said}
    wrong = {subject for subject, names in faults.items() if names}
    false = [subject for subject in alarms if subject not in wrong]
    print(f"clean: {len(said)} heads, {len(alarms)} did not pass, of which {len(false)} false alarms")
    print(f"       {len(wrong)} wrong results, of which {len(wrong & set(alarms))} did not pass")
    for fault in FAULTS:
        having = {subject for subject, names in faults.items() if fault in names}
        print(f"    {fault}: {len(having)}, of which {len(having & set(alarms))} did not pass")
    print(f"    false alarms: {', '.join(f'{subject} {alarms[subject]}' for subject in false)}")
    print("gates that were not passed:")
    for gate, n in Counter(gate for gates in alarms.values() for gate in gates).most_common():
        print(f"    {gate}: {n}")
    _print_damaged(heads, said, given.folder, given.overrides, given.each)


def _faults(subject: str, cohort: Path, predicted: Path) -> list[str]:
    """What is wrong with a result, of FAULTS."""
    result = read_result(predicted / subject)
    with (cohort / "participants.tsv").open(newline="") as file:
        types = {row["participant_id"]: row["tumor_type"] for row in csv.DictReader(file, delimiter="\t")}
    truth = cohort / "derivatives" / "truth" / subject / "anat" / subject
    own = predicted / subject / subject
    brain, tumor = _mask(f"{truth}_desc-brain_mask.nii.gz"), _mask(f"{truth}_dseg.nii.gz")
    kind, found_brain, found_tumor = result.tumor_type, None, None
    if Path(f"{own}_brain_mask.nii.gz").is_file():
        found_brain = _mask(f"{own}_brain_mask.nii.gz")
    if Path(f"{own}_tumor_labels.nii.gz").is_file():
        found_tumor = _mask(f"{own}_tumor_labels.nii.gz")
    wrong = {
        "type": kind is not None and kind.verdict != types[subject],
        "brain": found_brain is not None and dice(brain, found_brain) < 0.9,
        "tumour cut off": found_brain is not None and (tumor & ~found_brain).sum() > 0.1 * tumor.sum(),
        "tumour": found_tumor is not None and not _outlined(tumor, found_tumor),
    }
    return [fault for fault in FAULTS if wrong[fault]]


def _outlined(tumor: Mask, found: Mask) -> bool:
    return bool(dice(tumor, found) >= 0.5) if tumor.any() else int(found.sum()) * VOXEL_ML < 1


def _mask(path: str) -> Mask:
    return np.asarray(read_labels(Path(path)).data > 0)


def _print_damaged(
    heads: list[Path], clean: dict[str, list[str]], folder: Path, overrides: list[str], each: int
) -> None:
    caught = 0
    for number, kind in enumerate(DAMAGES):
        place = folder / "damaged" / kind.replace(" ", "_")
        shutil.rmtree(place, ignore_errors=True)
        for n in range(each):
            head = heads[(number * each + n) % len(heads)]
            shutil.copytree(head, place / head.name)
            damage(place / head.name, kind, seed=number * each + n)
        said = _predicted(place, place / "predicted", overrides)
        new = {subject: [g for g in gates if g not in clean[subject]] for subject, gates in said.items()}
        caught += all(new.values())
        why = Counter(gate for gates in new.values() for gate in gates)
        print(f"{'caught' if all(new.values()) else 'MISSED':<7} {kind:<24} {', '.join(why)}", flush=True)
    print(f"damaged: {caught} of {len(DAMAGES)} kinds caught")


def _predicted(source: Path, output: Path, overrides: list[str]) -> dict[str, list[str]]:
    """For each subject the gates that it did not pass, with their sequence."""
    register_schemas()
    fixed = [f"input={source}", f"output={output}", "overwrite=true", "montage=false"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        run(check_predict(compose("predict", [*fixed, *overrides])))
    return {result.subject: _named(result) for result in map(read_result, subject_folders(output))}


def _named(result: Result) -> list[str]:
    wrong = [gate for gate in result.gates if not gate.has_passed]
    if result.verdict is Judgement.fail and not wrong:
        return ["refused as it was read"]
    return [gate.gate + (f" ({gate.of})" if gate.of else "") for gate in wrong]


if __name__ == "__main__":
    main()
