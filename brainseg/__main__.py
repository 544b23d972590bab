"""`python -m brainseg`, the same as `brainseg`."""

from brainseg.cli import app

app(prog_name="brainseg")
