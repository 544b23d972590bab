"""The seconds of a processor that each part of one prediction takes, from the start of predict.py on.

python benchmarks/prediction_parts.py [input=PATH] [segmenter=C.ckpt] [key=value ...]

Without input it is a phantom of the size of a BraTS case, 240 x 240 x 155 voxels of 1 mm and four sequences.
The first row is what a command waits for, the second the same case again in the same process.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

ROWS = ("start-up", "read", "strip", "classify", "segment", "gates", "write", "page")
OF_METER = {"judge": "gates", "draw": "page", "register": "read"}  # names that a reader would not look for


def main(overrides: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        if not any(one.startswith("input=") for one in overrides):
            overrides = [f"input={_phantom(Path(place) / 'phantom')}", *overrides]
        fixed = [f"output={place}/out", f"hydra.run.dir={place}/log", "hydra.output_subdir=null"]
        command = [sys.executable, __file__, "--one", *fixed, *overrides]
        print("".join(f"{name:>10}" for name in (*ROWS, "all")))
        sys.stdout.flush()
        subprocess.run(command, check=True)


def _phantom(folder: Path) -> Path:
    from brainseg.phantom import write_cohort

    write_cohort(folder, layout="brats", subjects=1, seed=0, spacing_mm=1.0)
    return folder


def one(overrides: list[str]) -> None:
    """Predict in this process, which has done nothing else, and again."""
    torch.set_num_threads(1)
    from brainseg.commands import main as commands
    from brainseg.prediction import run, subject

    parts: dict[str, float] = {}

    class Metered(subject.Meter):
        @contextmanager
        def measure(self, name: str) -> Iterator[None]:
            begun = time.process_time()
            with super().measure(name):
                yield
            name = OF_METER.get(name, name)
            parts[name] = parts.get(name, 0.0) + time.process_time() - begun

    predict = run._made

    def timed(*given: Any) -> Any:
        parts["start-up"] = time.process_time()
        for _ in range(2):
            begun = time.process_time()
            result = predict(*given)
            known = sum(seconds for name, seconds in parts.items() if name != "start-up")
            parts["page"] = (
                parts.get("page", 0.0) + time.process_time() - begun - known
            )  # its text, and result.json
            print("".join(f"{parts.get(name, 0.0):10.2f}" for name in ROWS) + f"{sum(parts.values()):10.2f}")
            parts.clear()
        return result

    subject.Meter, run._made = Metered, timed
    sys.argv[1:] = overrides
    commands.predict_main()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2:])
    else:
        main(sys.argv[1:])
