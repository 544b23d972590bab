"""Exit codes that say what a prediction has found; with each of them it has come to its end."""

SOME_TO_REVIEW, SOME_FAILED = 3, 4
VERDICTS = (0, SOME_TO_REVIEW, SOME_FAILED)
verdicts: list[int] = []  # of the predictions of this command, in this process or in others that it began
