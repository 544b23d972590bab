"""What predict.py forecasts beside what then happens: seconds, memory and disk, on scans of several sizes.

python benchmarks/forecast.py [skullstripper=A.ckpt] [classifier=B.ckpt] [segmenter=C.ckpt] [key=value ...]

The scans are phantoms with skull and four sequences, written for this, at each of SPACINGS_MM. Every one is
forecast and predicted in a process of its own, as a user's first one would be.
"""

import multiprocessing
import sys
import tempfile
from pathlib import Path

from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.images.layouts import find_subjects
from brainseg.phantom import write_cohort
from brainseg.prediction.forecast import forecast
from brainseg.prediction.job import job_of
from brainseg.prediction.run import run
from brainseg.results.read import read_result
from brainseg.system.verdicts import SOME_FAILED

SPACINGS_MM = (1.0, 1.5, 2.0, 3.0)


def main() -> None:
    overrides = sys.argv[1:]
    if not overrides:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as place:
        for spacing_mm in SPACINGS_MM:
            cohort = Path(place) / f"{spacing_mm}"
            write_cohort(cohort, layout="bids", subjects=1, seed=4, spacing_mm=spacing_mm, types=["glioma"])
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                told, found, shape = pool.apply(_both, (cohort, Path(place) / f"{spacing_mm}-out", overrides))
            said = "; ".join(
                f"{name} {before:.1f} forecast, {after:.1f} found ({before / after:.2f})"
                for name, before, after in zip(
                    ("seconds", "MB of memory", "MB on disk"), told, found, strict=True
                )
            )
            print(f"{shape} voxels of {spacing_mm} mm: {said}", flush=True)


def _both(cohort: Path, output: Path, overrides: list[str]) -> tuple[list[float], list[float], str]:
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        options = check_predict(compose("predict", [f"input={cohort}", f"output={output}", *overrides]))
    (subject,) = find_subjects(cohort)
    told = forecast(subject, job_of(options))
    if run(options) == SOME_FAILED:
        raise RuntimeError(f"{cohort}: the prediction failed")  # a worker that exits would be waited for
    result = read_result(output / subject.id)
    disk_mb = sum(file.stat().st_size for file in (output / subject.id).iterdir()) / 1e6
    found = [sum(result.seconds.values()), max(result.peak_memory_mb.values()), disk_mb]
    shape = " x ".join(map(str, result.grid.shape if result.grid else []))
    return [told.seconds, told.memory_mb, told.disk_mb], found, shape


if __name__ == "__main__":
    main()
