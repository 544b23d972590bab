"""The student report that this project began with: its tables and figures, from our own runs."""
