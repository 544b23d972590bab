"""What is lost or silently wrong when files are damaged, counted over many of them.

python benchmarks/crash.py files [--n 1000] [--seed 0] [--folder DIR]

files    Small scans and slices of a phantom are damaged by chance, found, read and prepared as prediction
         does it, in this one process. tests/faults/fuzz.py says what counts as the same, refused,
         unknowable and wrong; that none is wrong is the claim. Seconds are the processor's.

The exit code is 1 if anything is wrong.
"""

import argparse
import importlib.util
import logging
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType

FUZZ = Path(__file__).resolve().parent.parent / "tests" / "faults" / "fuzz.py"
OUTCOMES = ("same", "refused", "unknowable", "wrong")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = options.add_subparsers(dest="command", required=True)
    files = commands.add_parser("files", help="damaged files")
    files.add_argument("--n", type=int, default=1000)
    files.add_argument("--seed", type=int, default=0)
    files.add_argument("--folder", type=Path, default=None, help="where they are made, else a temporary one")
    files.set_defaults(run=_files)
    given = options.parse_args()
    sys.exit(given.run(given))


def _files(given: argparse.Namespace) -> int:
    """Print n of m for each format, and each that is wrong; the exit code."""
    fuzz = _module(FUZZ)
    logging.disable(logging.CRITICAL)  # of each file the readers say something
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="damaged_") as folder:
        verdicts = list(fuzz.run(Path(folder), given.n, given.seed))
    counts = Counter((one.kind, one.outcome) for one in verdicts)
    for kind in fuzz.NAMES:
        total = sum(counts[kind, outcome] for outcome in OUTCOMES)
        said = ", ".join(f"{counts[kind, outcome]} {outcome}" for outcome in OUTCOMES)
        print(f"{kind:8} {said}, of {total}")
    wrong = [one for one in verdicts if one.outcome == "wrong"]
    for one in wrong:
        print(f"wrong: file {one.number}, {one.kind}, {one.damage}: {one.detail}")
    seconds, mb = max(one.seconds for one in verdicts), max(one.peak_mb for one in verdicts)
    print(
        f"at most {seconds:.1f} s of {fuzz.MOST_SECONDS:g} and {mb:.0f} MB of {fuzz.MOST_MB:g} for one file"
    )
    print(f"{len(wrong)} of {len(verdicts)} damaged files were read wrong, or ended in anything but one line")
    return 1 if wrong else 0


def _module(path: Path) -> ModuleType:
    """A module that is no part of a package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
