"""brainseg for notebooks and scripts: each function runs the same code as its command.

`brainseg` itself hands them out: `brainseg.predict`, `brainseg.classify`, `brainseg.evaluate`,
`brainseg.load_model`.
"""

from brainseg.api.classifying import SliceType, classify
from brainseg.api.evaluating import evaluate
from brainseg.api.predicting import Prediction, predict
from brainseg.checkpoint import load_model

__all__ = ["Prediction", "SliceType", "classify", "evaluate", "load_model", "predict"]
