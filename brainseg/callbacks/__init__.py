"""What a run shows while it trains, and how it ends when it is stopped."""

from brainseg.callbacks.average import weight_average
from brainseg.callbacks.curves import Curves
from brainseg.callbacks.interruption import Interruption
from brainseg.callbacks.panels import Panels
from brainseg.callbacks.progress import Progress
from brainseg.callbacks.scores import SliceScores
from brainseg.callbacks.several import SeveralProcesses

__all__ = [
    "Curves",
    "Interruption",
    "Panels",
    "Progress",
    "SeveralProcesses",
    "SliceScores",
    "weight_average",
]
