"""Trainings that are killed (SIGKILL) at a change of a file or at some moment, and gone on with.

`benchmarks/crash.py kills` does the same five hundred times.
"""

import pytest

from .kills import WAYS, Kill, Trainings

pytestmark = pytest.mark.slow
MEAN, OFTEN = "segmenter.ema=0.8", "trainer.checkpoint_minutes=0"


@pytest.fixture(scope="module")
def by_epochs(tmp_path_factory):
    return Trainings(tmp_path_factory.mktemp("by_epochs"), MEAN)


@pytest.fixture(scope="module")
def by_batches(tmp_path_factory):
    return Trainings(tmp_path_factory.mktemp("by_batches"), MEAN, OFTEN, "data.workers=2")


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.85, 1.0])
def test_a_training_killed_at_a_change_of_a_file_ends_as_if_it_never_was(by_epochs, share):
    change = round(share * by_epochs.changes)
    way = WAYS[change % 2]
    found = by_epochs.killed(f"change_{change}", Kill(change=change), way)
    assert found.was_killed
    assert (found.code, list(found.differences), list(found.left_over)) == (0, [], [])


@pytest.mark.parametrize("share", [0.5, 0.75, 0.95])
def test_a_training_with_workers_killed_at_some_moment_ends_as_if_it_never_was(by_batches, share):
    found = by_batches.killed(f"{share:g}", Kill(seconds=share * by_batches.seconds), WAYS[share > 0.6])
    assert (found.code, list(found.differences), list(found.left_over)) == (0, [], [])
