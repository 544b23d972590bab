"""What says when a result should not be trusted: measures of scans, masks and tumours beside their limits."""

from brainseg.gates.finding import Finding, Level, worst

__all__ = ["Finding", "Level", "worst"]
