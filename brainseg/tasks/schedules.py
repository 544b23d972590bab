"""Learning-rate schedules that need more than the menu can say."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(optimizer: Optimizer, total_steps: int, pct_start: float) -> OneCycleLR:
    """The optimizer's own rate as the peak of one cycle: up for a share `pct_start` of the steps, then down.

    Smith and Topin, "Super-convergence" (2018), by torch's OneCycleLR; the momentum stays as it is.
    """
    peak = optimizer.defaults["lr"]
    return OneCycleLR(optimizer, peak, total_steps=total_steps, pct_start=pct_start, cycle_momentum=False)
