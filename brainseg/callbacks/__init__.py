"""What a run shows while it trains, and how it ends when it is stopped."""

from brainseg.callbacks.confusion import ConfusionMatrix
from brainseg.callbacks.curves import Curves
from brainseg.callbacks.interruption import Interruption
from brainseg.callbacks.panels import Panels
from brainseg.callbacks.progress import Progress

__all__ = ["ConfusionMatrix", "Curves", "Interruption", "Panels", "Progress"]
