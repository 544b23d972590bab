"""How long a small training takes alone and beside busy programs, by threads that compute and loaders.

python benchmarks/loaded.py [--steps 60] [--rounds 3] [--cores 2] [--loops 1] [--experiment NAME] [--predict]

Each row is a process of its own that trains on made-up scans (loader_scaling.py): a thread for each core and
no process that loads, as torch would have it; what trainer.threads=auto and data.workers=auto choose; and one
thread alone. A busy program is an endless loop. It prints the seconds of so many steps, the least of the
rounds, in which the rows take turns; beside them the seconds of all cores that this took, which say something
on a machine that others use too. With --predict the network is asked for as many windows instead, and the
second row is what threads=auto chooses beside the loops.
"""

import argparse
import os
import subprocess
import sys
import time
from typing import Any

LOOP = "while True: pass"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--steps", type=int, default=60)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--cores", type=int, default=None, help="the first so many; all that there are")
    options.add_argument("--loops", type=int, default=1, help="busy programs")
    options.add_argument("--experiment", default="demo_skullstripper")
    options.add_argument("--predict", action="store_true")
    options.add_argument("--row", nargs=2, default=None, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.row is not None:
        _measure(given)
        return
    if given.cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    cores = len(os.sched_getaffinity(0))
    rows = {
        f"{cores} threads, no loader": (str(cores), "0"),
        "auto": ("auto", "auto"),
        "one thread, no loader": ("1", "0"),
    }
    least: dict[tuple[str, int], tuple[float, float]] = {}
    for _ in range(given.rounds):
        for loops in (0, given.loops):
            for name, row in rows.items():
                took = _beside(loops, row)
                least[name, loops] = min(took, least.get((name, loops), took))
    print(f"| {cores} cores | alone, s | of all cores | beside {given.loops}, s | of all cores | ratio |")
    print("|" + " --- |" * 6)
    for name in rows:
        alone, beside = least[name, 0], least[name, given.loops]
        ratio = beside[0] / alone[0]
        print(
            f"| {name} | {alone[0]:.1f} | {alone[1]:.1f} | {beside[0]:.1f} | {beside[1]:.1f} | {ratio:.2f} |"
        )


def _beside(loops: int, row: tuple[str, str]) -> tuple[float, float]:
    busy = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(loops)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    try:
        done = subprocess.run(
            [sys.executable, *sys.argv, "--row", *row],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    finally:
        for one in busy:
            one.kill()
            one.wait()
    seconds, processor = map(float, done.stdout.split()[-2:])
    return seconds, processor


def _measure(given: argparse.Namespace) -> None:
    """Print the seconds of the steps, and of all cores that they took."""
    from brainseg.system.busy import note_begin

    note_begin()
    import torch
    from gpu import step_of
    from loader_scaling import composed, made_loader, made_samples

    from brainseg.data.handover import CPU
    from brainseg.system.device import own_cores
    from brainseg.system.threads import loaders_beside, threads_beside, threads_to_predict

    threads, workers = (one if one == "auto" else int(one) for one in given.row)
    cores, cfg = own_cores(), composed(f"experiment={given.experiment}")
    samples, size = made_samples(cfg, CPU), cfg[cfg.task].batch_size
    if given.predict:
        torch.set_num_threads(threads_to_predict(threads))
        run: Any = _window_of(cfg)
    else:
        torch.set_num_threads(threads if threads != "auto" else threads_beside(workers, cores, "cpu"))
        loaders = workers if workers != "auto" else loaders_beside(torch.get_num_threads(), cores)
        batches, step = iter(made_loader(samples, size, loaders, CPU)), step_of(cfg, torch.device("cpu"))

        def run() -> None:
            step(next(batches))

    for _ in range(3):
        run()
    began, used = time.perf_counter(), _processor_s()
    for _ in range(given.steps):
        run()
    print(time.perf_counter() - began, _processor_s() - used)


def _window_of(cfg: Any) -> Any:
    import torch

    from brainseg.config import plain
    from brainseg.trained import MODELS
    from brainseg.trained.computing import as_it_predicts

    recipe = cfg[cfg.task]
    model = MODELS[cfg.task].of(plain(recipe)).eval()
    x = torch.randn(1, len(recipe.preprocess.modalities), *recipe.patch)

    def run() -> None:
        with torch.inference_mode(), as_it_predicts(model):
            model(x)

    return run


def _processor_s() -> float:
    """Processor seconds of this process and of its living children, which load."""
    import psutil

    everybody = [psutil.Process(), *psutil.Process().children()]
    return sum(sum(one.cpu_times()[:2]) for one in everybody)


if __name__ == "__main__":
    main()
