"""When a result should not be trusted: scans, masks and tumours are measured and held to limits."""

from brainseg.gates.assessment import Assessment, Level, worst

__all__ = ["Assessment", "Level", "worst"]
