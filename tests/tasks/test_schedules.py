import pytest

from brainseg.config import chosen, plain
from brainseg.tasks import SkullStripper

SMALL = ["model=skullstripper", "skullstripper.channels=[2,4]", "skullstripper.patch=[8,8,8]"]


@pytest.fixture
def scheduled(composed):
    """The optimizer and the schedule of a stripper, and how often it steps."""

    def _scheduled(*overrides: str):
        cfg = composed(*SMALL, *overrides)
        parts = {name: chosen(cfg, name) for name in ("loss", "optimizer", "scheduler")}
        (optimizer,), (schedule,) = SkullStripper(plain(cfg.skullstripper), **parts).configure_optimizers()
        return optimizer, schedule["scheduler"], schedule["interval"]

    return _scheduled


@pytest.mark.parametrize(("name", "interval"), [("cosine_per_batch", "step"), ("cosine_per_epoch", "epoch")])
def test_the_original_stripper_s_rates_as_it_behaved_and_as_it_was_meant(scheduled, name, interval):
    """Six epochs: from 1e-3 down to 4e-5 in six steps and up again, whatever a step is (facts 1.6)."""
    overrides = [f"skullstripper.scheduler={name}", "skullstripper.optimizer=adam", "skullstripper.epochs=6"]
    optimizer, schedule, found = scheduled(*overrides)
    assert found == interval
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [1e-3, 9.35692e-4, 7.6e-4, 5.2e-4, 2.8e-4, 1.04308e-4, 4e-5, 1.04308e-4]
    assert rates == pytest.approx(expected, rel=1e-5)
