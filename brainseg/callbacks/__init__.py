"""What a run shows while it trains, and how it ends when it is stopped."""

from brainseg.callbacks.average import weight_average
from brainseg.callbacks.best import Best
from brainseg.callbacks.best_epoch import BestEpoch
from brainseg.callbacks.cases import CaseScores
from brainseg.callbacks.checkpoint_io import CheckpointFiles
from brainseg.callbacks.compiled import Compiled
from brainseg.callbacks.curves import Curves
from brainseg.callbacks.early import early_stopping
from brainseg.callbacks.last import Last
from brainseg.callbacks.metrics_csv import MetricsCSV
from brainseg.callbacks.panels import Panels
from brainseg.callbacks.progress import Progress
from brainseg.callbacks.scores import SliceScores
from brainseg.callbacks.several import SeveralProcesses
from brainseg.callbacks.steps import Steps
from brainseg.callbacks.took import Took

__all__ = [
    "Best",
    "BestEpoch",
    "CaseScores",
    "CheckpointFiles",
    "Compiled",
    "Curves",
    "Last",
    "MetricsCSV",
    "Panels",
    "Progress",
    "SeveralProcesses",
    "SliceScores",
    "Steps",
    "Took",
    "early_stopping",
    "weight_average",
]
