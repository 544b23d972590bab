"""The page of a classifier grid: a sweep of our own runs, with the student report's numbers beside."""
