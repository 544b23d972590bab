"""The report's classifier grid from a sweep folder of our own runs, with the report's numbers beside."""

from brainseg.study.grid.write import Summary, write_grid_report

__all__ = ["Summary", "write_grid_report"]
