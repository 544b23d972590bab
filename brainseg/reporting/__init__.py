"""Pictures and tables for people: training curves, previews, confusion matrices, montages of a scan."""

from brainseg.reporting.confusion import draw_confusion
from brainseg.reporting.curves import draw_curves
from brainseg.reporting.montage import draw_montage
from brainseg.reporting.previews import draw_previews
from brainseg.reporting.tables import markdown_table

__all__ = ["draw_confusion", "draw_curves", "draw_montage", "draw_previews", "markdown_table"]
