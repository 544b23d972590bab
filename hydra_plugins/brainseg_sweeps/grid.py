"""The sweeper of train.py, where Hydra looks for one. What it does: `brainseg.training.sweep`."""

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class GridSweeper(BasicSweeper):
    """Every combination of the swept values. Hydra imports this at each start, so the rest loads later."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the jobs that are not done; see `brainseg.training.sweep.sweep`."""
        from brainseg.training.sweep import sweep

        return sweep(self, arguments)
