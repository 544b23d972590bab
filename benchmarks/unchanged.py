"""What every kind of run computes, as a list of hashes and numbers; and what differs between two such lists.

python benchmarks/unchanged.py record FILE.json [--demo outputs/demo]
python benchmarks/unchanged.py compare BEFORE.json AFTER.json

For a change of structure that is to change no result: recorded before and after, on one machine, with as
many threads. Recorded are, by the commands alone, so that moved modules do not matter: weights and metrics
of four steps of training of each task; masks, label maps, probabilities, volumes, types and gates of
predictions; brain masks and tumours evaluated, the latter by three protocols; and a BIDS export. With --demo
the predictions are of the demo's ten patients by its models, else of two by the models just trained.
The exit code of compare is 1 if anything differs.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch

from brainseg.runs.config import LAST

ROOT = Path(__file__).resolve().parent.parent
TASKS = ("classifier", "skullstripper", "segmenter")
PROTOCOLS = ("brats-legacy", "brats-2023", "brats-2026")
TINY = ("data=phantom", "data.spacing_mm=5", "data.subjects=8", "data.workers=0", "data.test_share=0")
STEPS = ("trainer.accelerator=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=4")
NETS = {
    "classifier": ("classifier.backbone=test_resnet", "classifier.preprocess.size=64"),
    "skullstripper": (
        *("skullstripper.net=unet", "skullstripper.channels=[8,16,32]", "skullstripper.patch=[32,32,32]"),
        "skullstripper.preprocess.spacing_mm=[5,5,5]",
    ),
    "segmenter": (
        *("segmenter.channels=[8,16,32]", "segmenter.patch=[32,32,32]"),
        "segmenter.preprocess.spacing_mm=[5,5,5]",
    ),
}
# The keys of result.json that were computed.
COMPUTED = ("verdict", "tumor_type", "volumes_ml", "diameters_mm", "label_convention", "segmentation")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = options.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record")
    record.add_argument("file", type=Path)
    record.add_argument("--demo", type=Path, default=None, help="the folder of `brainseg demo`")
    compare = commands.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    given = options.parse_args()
    sys.exit(_compare(given) if given.command == "compare" else _record(given))


def _record(given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as place:
        found = dict(_all(Path(place), given.demo and given.demo.resolve()))
    given.file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"{given.file}: {len(found)} values")
    return 0


def _compare(given: argparse.Namespace) -> int:
    before, after = (json.loads(path.read_text()) for path in (given.before, given.after))
    differing = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    for name in differing:
        one, other = (json.dumps(values.get(name, "not there"))[:100] for values in (before, after))
        print(f"{name}: {one} -> {other}")
    print(f"{len(differing)} of {len(before.keys() | after.keys())} values differ")
    return int(bool(differing))


def _all(place: Path, demo: Path | None) -> Iterator[tuple[str, Any]]:
    for task in TASKS:
        _command(place, "train", f"model={task}", *TINY, *STEPS, *NETS[task], f"hydra.run.dir={task}")
        yield from _run(f"train/{task}", place / task)
    if demo is None:
        _command(place, "phantom", "patients", "--layout=bids", "--subjects=2", "--spacing-mm=4", "--seed=5")
        models = {task: place / task / LAST for task in TASKS}
        patients = place / "patients"
    else:
        models = {task: demo / task / LAST for task in TASKS}
        patients = demo / "patients"
    given = [f"{task}={path}" for task, path in models.items()]
    given += ["gates=none"] if demo is None else ["vote.healthy_at=0.84", "vote.offsets_mm=[0,10,20,30,40]"]
    more = ["save_probabilities=true", "page=false", "montage=false", "derivatives=bids", "device=cpu"]
    _command(place, "predict", f"input={patients}", "output=results", *given, *more, codes=(0, 3, 4))
    yield from _images("predict", place / "results")
    for path in sorted((place / "results").glob("*/result.json")):
        result = json.loads(path.read_text())
        yield from ((f"predict/{path.parent.name}/{key}", result.get(key)) for key in COMPUTED)
        for gate in result["gates"]:
            about = [gate[name] for name in ("of", "level", "value")]
            yield f"predict/{path.parent.name}/gates/{gate['gate']}/{about[0]}", about
    yield from _images("bids", place / "bids")
    yield "bids/participants.tsv", _sha(next((place / "bids").rglob("participants.tsv")).read_bytes())
    truth = patients / "derivatives" / "truth"
    for protocol in PROTOCOLS:
        task = ("--task=segment", f"--protocol={protocol}")
        _command(place, "evaluate", str(truth), "results", *task, f"--output={protocol}", codes=range(101))
        yield from _tables(f"evaluate/{protocol}", place / protocol)
    _command(place, "evaluate", str(truth), "results", "--output=brains", codes=range(101))
    yield from _tables("evaluate/brains", place / "brains")


def _run(name: str, folder: Path) -> Iterator[tuple[str, Any]]:
    weights = torch.load(folder / LAST, weights_only=True)["state_dict"]
    for key, tensor in weights.items():
        yield f"{name}/{key}", _sha(tensor.contiguous().numpy().tobytes())
    yield f"{name}/metrics.csv", (folder / "metrics.csv").read_text().splitlines()


def _tables(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.csv")):
        yield f"{name}/{path.name}", _sha(path.read_bytes())


def _images(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.nii.gz")):
        image = nib.load(path)
        content = np.ascontiguousarray(image.dataobj).tobytes() + image.affine.tobytes()
        yield f"{name}/{path.relative_to(folder)}", _sha(content)


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _command(place: Path, *arguments: str, codes: Any = (0,)) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
         "import runpy; runpy.run_module('brainseg', run_name='__main__')", *arguments],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in codes:
        sys.exit(f"brainseg {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
