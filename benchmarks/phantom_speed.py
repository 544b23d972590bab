"""Seconds that a synthetic patient of four sequences takes on one core; the goal at 1 mm is 10.

OMP_NUM_THREADS=1 python benchmarks/phantom_speed.py
"""

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from brainseg.config import TUMOR_TYPES
from brainseg.phantom import make_subject
from brainseg.phantom.atlas import head_atlas

GOAL_S = {1.0: 10.0, 2.0: 2.5, 3.0: 1.0, 4.0: 1.0}


def main() -> None:
    start = time.perf_counter()
    head_atlas()
    print(f"head atlas, once per process: {time.perf_counter() - start:.1f} s")
    print(f"{'spacing':>8} {'type':>11} {'wall s':>8} {'CPU s':>8} {'of goal':>8}")
    for spacing_mm, goal_s in GOAL_S.items():
        for tumor_type in TUMOR_TYPES:
            wall, cpu = time.perf_counter(), time.process_time()
            make_subject(1, tumor_type=tumor_type, spacing_mm=spacing_mm)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"{spacing_mm:>5.0f} mm {tumor_type:>11} {wall:>8.2f} {cpu:>8.2f} {cpu / goal_s:>8.2f}")


if __name__ == "__main__":
    main()
