"""Where in a training a checkpoint was written, so that a run can go on from exactly there.

Lightning counts epochs and batches in four steps (ready, started, processed, completed), which differ in
each of its hooks. `settle` makes the counts in a checkpoint say one of three things: between two epochs,
between two batches of an epoch, or before the validation of an epoch whose batches are all done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_EPOCH, _BATCH = "epoch_progress", "epoch_loop.batch_progress"
_VALIDATION, _LOOP = "epoch_loop.val_loop.batch_progress", "epoch_loop.state_dict"


@dataclass(frozen=True)
class Position:
    """How many epochs are done, and how many batches of the one after these."""

    epochs: int
    batches: int

    def __str__(self) -> str:
        within = f" and {self.batches} batches of the next" if self.batches else ""
        return f"{self.epochs} epoch{'s' * (self.epochs != 1)} done{within}"


START = Position(0, 0)


def position_in(loops: Mapping[str, Any]) -> Position:
    """Where a run stands, from the "loops" of its checkpoint."""
    epoch, batch = loops["fit_loop"][_EPOCH]["current"], loops["fit_loop"][_BATCH]["current"]
    within = epoch["started"] > epoch["processed"]
    return Position(epoch["processed"], batch["processed"] if within else 0)


def settle(loops: Mapping[str, Any], *, batches_of_epoch: float, validating: bool) -> None:
    """Make the counts those of their position, in place.

    Args:
        loops: The "loops" of a checkpoint that Lightning is about to write.
        batches_of_epoch: How many batches an epoch has.
        validating: Whether an epoch is being validated, which may be before its end where time is up.
    """
    fit = loops["fit_loop"]
    batches = position_in(loops).batches
    if not batches:
        for name in ("total", "current"):
            _even(fit[_EPOCH][name])
        return
    for name in ("total", "current"):
        _even(fit[_BATCH][name])
    if batches < batches_of_epoch:
        fit[_BATCH]["is_last_batch"] = False
        fit[_LOOP]["_batches_that_stepped"] += validating  # counted after the validation otherwise
    elif validating:
        for name in ("total", "current"):  # as of a validation at its first scan, which is then begun anew
            fit[_VALIDATION][name].update({"ready": 1, "started": 1, "processed": 0, "completed": 0})


def _even(counts: dict[str, int]) -> None:
    counts.update(dict.fromkeys(counts, counts["processed"]))
