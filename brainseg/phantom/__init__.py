"""Synthetic patients with an exact truth: heads, tumours, contrasts, and cohorts in real layouts."""

from brainseg.phantom.anatomy import Pose
from brainseg.phantom.cohort import VERSION, training_types, write_cohort
from brainseg.phantom.keeping import is_whole, keep_cohort
from brainseg.phantom.subject import PhantomSubject, head_grid, make_subject

__all__ = [
    "VERSION",
    "PhantomSubject",
    "Pose",
    "head_grid",
    "is_whole",
    "keep_cohort",
    "make_subject",
    "training_types",
    "write_cohort",
]
