"""The command `brainseg-bids`, guarded before its imports begin."""

from brainseg.system.process import command


def main() -> None:
    """`brainseg-bids BIDS_DIR OUTPUT_DIR participant|group`."""
    with command():
        from brainseg.commands.bids_app import bids_app

        bids_app()


if __name__ == "__main__":
    main()
