"""What is lost or silently wrong when files are damaged and trainings killed, counted over many of them.

python benchmarks/crash.py files [--n 1000] [--seed 0] [--folder DIR]
python benchmarks/crash.py kills [--n 500] [--seed 0] [--folder DIR] [--setting KEY=VALUE]

files    Small scans and slices of a phantom are damaged by chance, found, read and prepared as prediction
         does it, in this one process. tests/faults/fuzz.py says what counts as the same, refused,
         unknowable and wrong; that none is wrong is the claim. Seconds are the processor's.

kills    Trainings of a tiny segmenter are killed (SIGKILL), once at each change of a file and then at random
         moments, with 0 and 2 loader workers, with and without averaged weights, and gone on with in both
         ways: the same command with resume=last.ckpt, and resume=RUN. What they leave is compared with what a
         training leaves that was never stopped: weights, averaged weights, optimizer, schedule, best score,
         fitted values and metrics.csv, all to the last bit. See tests/faults/kills.py.

The exit code is 1 if anything is wrong.
"""

import argparse
import importlib.util
import logging
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

FAULTS = Path(__file__).resolve().parent.parent / "tests" / "faults"
FUZZ, KILLS = FAULTS / "fuzz.py", FAULTS / "kills.py"
MEAN, OFTEN, WORKERS = "segmenter.ema=0.8", "trainer.checkpoint_minutes=0", "data.workers=2"
KINDS = {
    "0 workers, averaged weights, by epochs": (MEAN,),
    "0 workers, averaged weights, by batches": (MEAN, OFTEN),
    "2 workers, averaged weights, by batches": (MEAN, OFTEN, WORKERS),
    "0 workers, by batches": (OFTEN,),
    "2 workers, by epochs": (WORKERS,),
}
OUTCOMES = ("same", "refused", "unknowable", "wrong")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = options.add_subparsers(dest="command", required=True)
    files = commands.add_parser("files", help="damaged files")
    files.add_argument("--n", type=int, default=1000)
    files.add_argument("--seed", type=int, default=0)
    files.add_argument("--folder", type=Path, default=None, help="where they are made, else a temporary one")
    files.set_defaults(run=_files)
    kills = commands.add_parser("kills", help="killed trainings")
    kills.add_argument("--n", type=int, default=500)
    kills.add_argument("--seed", type=int, default=0)
    kills.add_argument("--folder", type=Path, default=None, help="where they train, else a temporary one")
    kills.add_argument("--setting", action="append", default=[], help="of all, e.g. trainer.accelerator=gpu")
    kills.set_defaults(run=_kills)
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


def _kills(given: argparse.Namespace) -> int:
    """Print n of m for each kind of training, and what differed; the exit code."""
    kills = _module(KILLS)
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="killed_", ignore_cleanup_errors=True) as place:
        kinds = {
            name: kills.Trainings(Path(place) / str(n), *settings, *given.setting)
            for n, (name, settings) in enumerate(KINDS.items())
        }
        results: dict[str, list[Any]] = {name: [] for name in kinds}
        for n, (name, kill) in enumerate(_planned(kills, kinds, given.n, draw)):
            one = kinds[name].killed(f"killed_{n}", kill, kills.WAYS[n % 2])
            results[name].append(one)
            if one.differences or one.left_over:
                said = [*one.differences, *one.left_over]
                print(f"{name}, {kill}, {kills.WAYS[n % 2]}: {'; '.join(said)[:1000]}", flush=True)
            if n % 25 == 24:
                print(f"{n + 1} of {given.n} done", flush=True)
    print("\n".join(kills.summary(results)))
    return int(any(one.differences or one.left_over for several in results.values() for one in several))


def _planned(kills: ModuleType, kinds: Mapping[str, Any], n: int, draw: random.Random) -> Iterator[Any]:
    """Each change of a file of the first kind, then moments by chance of all in turn."""
    first = next(iter(kinds))
    changes = min(kinds[first].changes, n)
    for change in range(1, changes + 1):
        yield first, kills.Kill(change=change)
    for number in range(n - changes):
        name = list(kinds)[number % len(kinds)]
        yield name, kills.Kill(seconds=draw.uniform(0, kinds[name].seconds))


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
