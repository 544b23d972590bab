"""A thousand subjects of small phantoms shared out to two processes: is every row and every file there?

python benchmarks/shards.py [SUBJECTS] [PROCESSES]
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from brainseg.phantom import write_cohort
from brainseg.results.verify import batch_changes

DIFFERENT = 20  # phantoms; the others are links to their files


def main(subjects: int = 1000, processes: int = 2) -> None:
    with tempfile.TemporaryDirectory() as place:
        phantoms, cohort, output = (Path(place) / name for name in ("phantoms", "cohort", "output"))
        write_cohort(phantoms, layout="brats", subjects=DIFFERENT, seed=1, spacing_mm=4.0)
        originals = sorted(path for path in phantoms.iterdir() if path.is_dir())
        for number in range(subjects):
            folder = cohort / f"p{number:04}"
            folder.mkdir(parents=True)
            for file in originals[number % DIFFERENT].glob("*.nii.gz"):
                os.link(file, folder / f"p{number:04}_{file.name.rsplit('_', 1)[1]}")
        command = [sys.executable, "-m", "brainseg", "predict", f"input={cohort}", f"output={output}"]
        fast = ["skullstripper=otsu", "montage=false", "page=false", "gates=none", f"shards={processes}"]
        begun = time.monotonic()
        code = subprocess.run([*command, *fast], cwd=place, stdout=subprocess.DEVNULL, check=False).returncode
        seconds = time.monotonic() - begun
        with (output / "volumes.csv").open() as table:
            rows = [row["subject"] for row in csv.DictReader(table)]
        with (output / "files.csv").open() as table:
            files = [row["file"] for row in csv.DictReader(table)]
        there = sorted(path.relative_to(cohort).as_posix() for path in cohort.rglob("*.nii.gz"))
        named = sorted(Path(file).relative_to(cohort).as_posix() for file in files)
        print(f"exit code {code}; {seconds:.0f} s, {seconds / subjects:.2f} s a subject")
        print(f"volumes.csv: {len(rows)} rows of {len(set(rows))} subjects, in order: {rows == sorted(rows)}")
        print(f"files.csv: {len(files)} rows, the {len(there)} files that are there: {named == there}")
        print(f"changed since they were written: {len(batch_changes(output))}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
