"""What the files of results are called."""

RESULT = "result.json"  # in the folder of a subject
VOLUMES, FILES, INDEX = "volumes.csv", "files.csv", "index.html"  # the tables and the page of all subjects
LOCK = ".brainseg-lock"  # beside them, while one of several processes writes them
