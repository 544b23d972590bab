"""The linked prediction: strip, classify, segment, and back on the scan's own grid."""

from brainseg.pipeline.run import run

__all__ = ["run"]
