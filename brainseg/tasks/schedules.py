"""Learning-rate schedules that need more than the menu can say."""

from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR


def one_cycle(
    optimizer: Optimizer,
    *,
    total_steps: int,
    pct_start: float,
    anneal_strategy: Literal["cos", "linear"],
    div_factor: float,
    final_div_factor: float,
) -> OneCycleLR:
    """The optimizer's own rate as the peak of one cycle: up for a share `pct_start` of the steps, then down.

    Smith and Topin, "Super-convergence" (2018), by torch's OneCycleLR; the momentum stays as it is.

    Args:
        optimizer: Its rate is the peak.
        total_steps: Steps of the whole training.
        pct_start: Share of the steps on which the rate rises.
        anneal_strategy: Shape of both parts.
        div_factor: The peak over the first rate.
        final_div_factor: The first rate over the last.
    """
    return OneCycleLR(
        optimizer,
        max_lr=optimizer.defaults["lr"],
        total_steps=total_steps,
        pct_start=pct_start,
        anneal_strategy=anneal_strategy,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        cycle_momentum=False,
    )
