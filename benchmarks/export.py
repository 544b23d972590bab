"""Exported models beside the models themselves: the same masks and probabilities, and their seconds.

python benchmarks/export.py SCANS [SCANS ...] --skullstripper A.ckpt --segmenter C.ckpt --classifier B.ckpt
    --python VENV/bin/python

SCANS is what input= of predict.py takes. The Python of an environment without torch runs run.py: one with
numpy, nibabel and onnxruntime. Both get the same NIfTI copies of the scans, one thread each, in float32
unless --as-is is given; the seconds are those of the steps alone, without starting, loading and writing. Ours
makes the heat map of the loudest slice too, in the seconds of classify. Classifier and segmenter get our
brain mask, so that each model is compared alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from hydra import compose, initialize_config_dir

from brainseg.config import PredictConfig, check_predict, conf_dir, register_schemas
from brainseg.export.folder import export
from brainseg.images.nifti import write
from brainseg.images.source import read
from brainseg.images.volume import Volume
from brainseg.metrics import dice
from brainseg.prediction.run import subjects_at

ROOT = Path(__file__).resolve().parent.parent
TASKS = ("skullstripper", "classifier", "segmenter")
SEQUENCES = ("t1", "t1ce", "t2", "flair")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scans", nargs="+")
    for task in TASKS:
        parser.add_argument(f"--{task}", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--first", type=int, default=1000, help="subjects of each input")
    parser.add_argument("--as-is", action="store_true", help="ours in bfloat16 where that is faster")
    given = parser.parse_args()
    models = {task: getattr(given, task) for task in TASKS if getattr(given, task)}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for task, path in models.items():
            export([path], work / "exported" / task)
        for scans in given.scans:
            _compare(scans, models, given.python, work, given.first, given.as_is)


def _compare(scans: str, models: dict[str, Path], python: str, work: Path, first: int, as_is: bool) -> None:
    rows: dict[str, list[float]] = defaultdict(list)
    patients = _copied(scans, work / Path(scans).name, first)
    ours = _ours(patients, models, work / f"{Path(scans).name}-ours", as_is)
    for patient in sorted(patients.iterdir()):
        result = json.loads((ours / patient.name / "result.json").read_text())
        for task in models:
            if (
                step := {"skullstripper": "strip", "classifier": "classify", "segmenter": "segment"}[task]
            ) not in result["seconds"]:
                continue
            found = _exported(
                task, patient, python, work, ours / patient.name / f"{patient.name}_brain_mask.nii.gz"
            )
            for side, seconds in (("ours", result["seconds"]), ("exported", found["seconds"])):
                rows[f"{step} {side} s"].append(seconds[step])
            if task == "classifier":
                wanted = [list(one["probabilities"].values()) for one in result["tumor_type"]["slices"]]
                rows["largest difference of a probability"].append(
                    np.abs(np.subtract(wanted, found["slices"])).max()
                )
            else:
                name = {"strip": "brain_mask", "segment": "tumor_labels"}[step]
                wanted = _voxels(ours / patient.name / f"{patient.name}_{name}.nii.gz")
                got = _voxels(work / "out" / f"{name}.nii.gz")
                rows[f"{step} least Dice"].append(
                    min(_dice(wanted, got, value) for value in {*np.unique(wanted), 1} - {0})
                )
                rows[f"{step} voxels"].append(float((wanted > 0).sum()))
    print(f"{scans}: {len(list(patients.iterdir()))} subjects")
    for name, values in rows.items():
        spread = f"{min(values):.6g} to {max(values):.6g}"
        print(f"  {name:40} median {statistics.median(values):.4g}, {spread}, n {len(values)}")
    for step in ("strip", "classify", "segment"):
        if ours_s := rows.get(f"{step} ours s"):
            ratios = [b / a for a, b in zip(ours_s, rows[f"{step} exported s"], strict=True)]
            print(
                f"  {step}: exported takes {statistics.median(ratios):.2f} times as long (median)", flush=True
            )


def _copied(scans: str, folder: Path, first: int) -> Path:
    """The scans as NIfTI, a folder for each subject."""
    _, found = subjects_at(_options(scans))
    for subject in found.subjects[:first]:
        for sequence, source in subject.images.items():
            volume: Volume = read(source)
            name = f"sub-{''.join(filter(str.isalnum, subject.id))}"
            (folder / name).mkdir(parents=True, exist_ok=True)
            write(folder / name / f"{name}_{sequence}.nii.gz", volume.data[0], volume.grid)
    return folder


def _options(scans: str) -> PredictConfig:
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return check_predict(compose("predict", [f"input={scans}", "output=unused"]))


def _ours(patients: Path, models: dict[str, Path], output: Path, as_is: bool) -> Path:
    settings = [
        "gates=none",
        "page=false",
        "montage=false",
        "device=cpu",
        f"input={patients}",
        f"output={output}",
    ]
    command = [
        sys.executable,
        str(ROOT / "predict.py"),
        *settings,
        *([] if as_is else ["precision=float32"]),
        *(f"{task}={path}" for task, path in models.items()),
    ]
    done = subprocess.run(
        command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    if done.returncode not in (0, 3):
        raise SystemExit(f"{output}: {done.stdout}{done.stderr}")
    return output


def _exported(task: str, patient: Path, python: str, work: Path, mask: Path) -> dict[str, Any]:
    files = {name: patient / f"{patient.name}_{name}.nii.gz" for name in SEQUENCES}
    scans = [f"{name}={file}" for name, file in files.items() if file.is_file()]
    program = work / "exported" / task / "run.py"
    brain = ["--brain", str(mask)] if task != "skullstripper" and mask.is_file() else []
    done = subprocess.run(
        [python, str(program), *scans, *brain, "--output", str(work / "out"), "--threads", "1"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise SystemExit(f"{patient.name}, {task}: {done.stderr}")
    return json.loads(done.stdout)


def _voxels(path: Path) -> np.ndarray[Any, Any]:
    image: Any = nib.load(path)
    return np.asarray(image.dataobj)


def _dice(wanted: Any, got: Any, value: int) -> float:
    return dice(wanted == value, got == value)


if __name__ == "__main__":
    main()
