"""A sweep that is killed at random moments and gone on with ends with the table of one that never was."""

import random
import signal
import time

import pytest

from .sweeping import LOSSES, Sweeps

pytestmark = pytest.mark.slow


def gone_on_with(sweeps: Sweeps, arguments: list[str], kills: int, seed: int) -> tuple[int, float]:
    """Kill it so often, then let it end: how many kills came before its end, and the seconds of all."""
    chance, began, hit = random.Random(seed), time.monotonic(), 0
    sweeps.run("trainer=smoke", "seed=0,1", folder="first")  # so that the phantoms are there
    seconds = _seconds_of_a_whole_one(sweeps, arguments)
    for n in range(kills):
        number = (signal.SIGKILL, signal.SIGTERM)[n % 2]
        after = chance.uniform(0.3, 1.7) * seconds / max(4, kills / 2)
        code, said = sweeps.run(*arguments, folder="killed", kill=(after, number))
        hit += code in (-signal.SIGKILL, 128 + signal.SIGTERM, -signal.SIGTERM)
        assert code == 0 or hit, said
    code, said = sweeps.run(*arguments, folder="killed")
    assert code == 0, said
    return hit, time.monotonic() - began


def _seconds_of_a_whole_one(sweeps: Sweeps, arguments: list[str]) -> float:
    began = time.monotonic()
    code, said = sweeps.run(*arguments, folder="whole")
    assert code == 0, said
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("arguments", "jobs", "kills"),
    [
        (["seed=0,1"], 2, 2),
        pytest.param([LOSSES, "seed=0,1,2,3"], 12, 20, marks=pytest.mark.long),
    ],
)
def test_the_final_table_is_that_of_a_sweep_that_was_never_killed(tmp_path, arguments, jobs, kills):
    sweeps = Sweeps(tmp_path)
    hit, seconds = gone_on_with(sweeps, arguments, kills, seed=jobs)
    whole, killed = sweeps.table("whole"), sweeps.table("killed")
    print(f"{hit} of {kills} kills came before the end of {jobs} jobs; {seconds:.0f} s in all")
    assert len(whole) == jobs
    assert hit > kills / 2
    assert killed == whole
    assert sweeps.states("killed") == ["done"] * jobs
    assert not [path for path in (tmp_path / "killed").rglob(".*") if path.name != ".hydra"]
