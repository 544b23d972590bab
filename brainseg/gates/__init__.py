"""When a result should not be trusted: scans, masks and tumours are measured and held to limits."""

from brainseg.gates.finding import Finding, Level, worst

__all__ = ["Finding", "Level", "worst"]
