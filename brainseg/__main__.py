"""`python -m brainseg`, the same as `brainseg`."""

from brainseg.system.process import command


def main() -> None:
    """The `brainseg` command, guarded before its imports begin."""
    with command():
        from brainseg.commands.cli import app

        app(prog_name="brainseg")


if __name__ == "__main__":
    main()
