"""A run that is resumed ends as one that was never stopped, in every bit and every row."""

import pytest

MEAN = "segmenter.ema=0.8"
STOPS = {
    "SIGTERM between two batches": ("term", 1, 3),
    "SIGTERM in the last batch of an epoch": ("term", 0, 5),
    "SIGTERM while an epoch is validated": ("term", 1, None),
    "SIGTERM in the last validation": ("term", 2, None),
    "killed between two batches": ("kill", 1, 3),
    "killed while an epoch is validated": ("kill", 1, None),
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", STOPS)
def test_a_stopped_run_goes_on_as_if_it_had_never_been_stopped(
    runs, straight, stop_at, differing, stopped, stop, workers, request
):
    folder = f"stopped_{request.node.callspec.id}"
    settings = (MEAN, f"data.workers={workers}", "trainer.checkpoint_minutes=0")
    expected = straight(MEAN)
    stop_at(*STOPS[stop])
    with pytest.raises(stopped):
        runs.train(folder, *settings)
    runs.train(folder, *settings, f"resume={runs.last(folder)}")
    assert not differing(expected, runs.end(folder))
