"""An exported model of brainseg on scans. Needs numpy, nibabel, onnxruntime; for PNG, JPEG Pillow too.

A skull stripper writes brain_mask.nii.gz, a segmenter tumor_labels.nii.gz, classifiers say the tumour type:

    python run.py head.nii.gz
    python run.py t1=A.nii.gz t1ce=B.nii.gz t2=C.nii.gz flair=D.nii.gz --stripper ../stripper
    python run.py t1ce=A.nii.gz --stripper ../stripper
    python run.py slice.png slice.npy

model.json, beside this file, says how scans are prepared. What was found is printed as JSON, with the seconds
that each step took. Exit codes: 0 done; 2 something that you can mend, said in one line.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from brainseg.export.standalone.naming import name_type
from brainseg.export.standalone.networks import Model
from brainseg.export.standalone.outlining import brain_if_stripped, brain_in, segment, usable
from brainseg.export.standalone.preparing import prepare_slice
from brainseg.export.standalone.voting import picture, probabilities, vote
from brainseg.export.standalone.voxels import Array, Fault, Volume, on_grid, read, write


class Steps:
    """The seconds that each step took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - begun, 3)


def scans_of(given: Sequence[str], model: Model) -> dict[str, Volume]:
    """The scans by their sequence; one without a name is what the model knows, where that is one sequence."""
    found: dict[str, Volume] = {}
    known = model.json.get("sequences", [])
    for one in given:
        name, _, path = one.partition("=") if "=" in one and not Path(one).exists() else ("", "", one)
        if not name and len(given) > 1:
            raise Fault(f"{one}: say which sequence each scan is, e.g. t1={one}")
        name = name or (known[0] if len(known) == 1 else "scan")
        if name in found:
            raise Fault(f"{name} is given twice; give each sequence once")
        found[name] = read(path)
    return found


def mask_of(path: str, grid: Volume) -> Array:
    mask = read(path)
    if not mask.lies_on(grid):
        raise Fault(f"{path}: the brain mask does not lie on the grid of the scan; resample it first")
    return np.asarray(mask.data[0] > 0)


def sequences_of(model: Model, there: Sequence[str]) -> list[str]:
    """The sequences that a network of several is shown, or the one that a network of any is."""
    about = model.json
    if model.task() not in ("segmenter", "volume_classifier"):
        return []
    if about["sequences"] == ["any"]:
        return [next(iter([*(name for name in about["order"] if name in there), *there]))]
    return usable(about, there)


def together(scans: Mapping[str, Volume], names: Sequence[str], reference: Volume) -> Volume:
    """Sequences on the grid of the reference, as channels."""
    data = np.concatenate([on_grid(scans[name], reference, name).data for name in names])
    return Volume(data, reference.affine)


def on_scans(model: Model, options: argparse.Namespace, steps: Steps) -> dict[str, Any]:
    """What is found in scans; masks lie on the grid of the stripper's sequence, else of the first."""
    about, output = model.json, Path(options.output)
    with steps.timed("read"):
        scans = scans_of(options.scans, model)
    stripper = model if model.task() == "skullstripper" else None
    if stripper is None and options.stripper:
        stripper = Model(Path(options.stripper), options.threads)
    own = stripper.json["sequences"][0] if stripper else "any"
    names = sequences_of(model, list(scans))
    first = own if own in scans else next(iter(names or scans))
    reference, brain = scans[first], None
    with steps.timed("strip"):
        brain = mask_of(options.brain, reference) if options.brain else brain_if_stripped(reference)
        if brain is None and stripper is not None:
            if own not in (*scans, "any"):
                raise Fault(
                    f"the scans are {', '.join(scans)}, the skull stripper knows {own} alone; "
                    "add it, or give --brain MASK"
                )
            brain = brain_in(stripper, reference)
    found: dict[str, Any] = {"reference": first, "files": [], "warnings": []}
    if brain is not None:
        found["brain_ml"] = round(float(brain.sum()) * reference.voxel_ml, 3)
    if model.task() == "skullstripper":
        assert brain is not None
        with steps.timed("write"):
            found["files"].append(write(output / "brain_mask.nii.gz", brain.astype(np.uint8), reference))
    elif model.task() == "segmenter":
        if brain is None:
            found["warnings"].append(
                "segmented without a brain mask, which the segmenter was not trained for; give --stripper DIR"
            )
        with steps.timed("segment"):
            classes, regions = segment(model, together(scans, names, reference), names, brain)
        with steps.timed("write"):
            labels = np.array(about["labels"]["values"], dtype=np.uint8)[classes]
            found["files"].append(write(output / "tumor_labels.nii.gz", labels, reference))
            if options.probabilities:
                found["files"].append(write(output / "tumor_probabilities.nii.gz", regions, reference))
        members = about["regions"].items()
        found["sequences"] = names
        found["volumes_ml"] = {
            name: round(float(np.isin(classes, own).sum()) * reference.voxel_ml, 3) for name, own in members
        }
    elif model.task() == "volume_classifier":
        with steps.timed("classify"):
            found |= {
                "sequences": names,
                **name_type(model, together(scans, names, reference), names, brain),
            }
    else:
        order = [name for name in about["vote"]["order"] if name in scans]
        sequence = about["vote"]["sequence"] or next(iter([*order, *scans]))
        if sequence not in scans:
            raise Fault(f"the scans are {', '.join(scans)}, the vote is on {sequence}; add it")
        with steps.timed("classify"):
            on_reference = on_grid(scans[sequence], reference, sequence)
            found |= {"sequence": sequence, **vote(model, scans[sequence], on_reference, brain)}
    return found


def on_slices(model: Model, given: Sequence[str], steps: Steps) -> dict[str, Any]:
    """The class probabilities of each picture of a slice."""
    with steps.timed("read"):
        slices = [prepare_slice(picture(path), model.json["preparation"]) for path in given]
    with steps.timed("classify"):
        p = probabilities(model, slices)
    classes = model.json["classes"]
    rows = [dict(zip(classes, row, strict=True)) for row in p.tolist()]
    return {
        "slices": [
            {"file": path, "type": max(row, key=lambda c: row[c]), "probabilities": row}
            for path, row in zip(given, rows, strict=True)
        ]
    }


def main() -> int:
    """Answer for what the command line names; 2 where the user can mend something."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "scans", nargs="+", help="NIfTI files as SEQUENCE=FILE, or one FILE; or pictures of slices"
    )
    parser.add_argument(
        "--model", default=str(Path(__file__).resolve().parent), help="the exported folder; this one"
    )
    parser.add_argument("--stripper", help="the folder of an exported skull stripper")
    parser.add_argument("--brain", help="a brain mask on the grid of the scan, instead of --stripper")
    parser.add_argument("--output", default=".", help="where masks are written")
    parser.add_argument(
        "--probabilities", action="store_true", help="write the probabilities of the tumour's regions too"
    )
    parser.add_argument("--threads", type=int, default=0, help="cores that a network uses; 0: all")
    options = parser.parse_args()
    steps = Steps()
    try:
        with steps.timed("load"):
            model = Model(Path(options.model), options.threads)
        Path(options.output).mkdir(parents=True, exist_ok=True)
        slices = model.task() == "classifier" and not any(".nii" in Path(one).name for one in options.scans)
        found = on_slices(model, options.scans, steps) if slices else on_scans(model, options, steps)
    except (Fault, OSError) as error:
        print(str(error), file=sys.stderr)
        return 2
    print(json.dumps({"task": model.task(), **found, "seconds": steps.seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
