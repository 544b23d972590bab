"""The `brainseg` command: its subcommands by name, what they share, and training and prediction.

Torch and its like load inside the commands, so that --help answers at once.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from brainseg.commands import (
    audit,
    compare,
    dashboard,
    doctor,
    evaluate,
    export,
    models,
    phantom,
    results,
    study_pages,
    sweep,
)
from brainseg.config.errors import UserError
from brainseg.system.terminal import say

PASS_THROUGH: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    "add_help_option": False,
}


class OneLineErrors(TyperGroup):
    """A group that answers what the user can mend in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (UserError, OSError) as error:
            from brainseg.commands.one_line import exit_if_mendable

            exit_if_mendable(error)
            raise


app = typer.Typer(
    name="brainseg",
    cls=OneLineErrors,
    help="Brain-tumour MRI: strip the skull, name the tumour type, outline the tumour.\n\n"
    "Exit codes: 0 done; 2 something that you can mend, said in one line; 130 Ctrl+C, 143 SIGTERM, 129 the "
    "end of the terminal. Other codes are named by the commands.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from brainseg.system.doctor import brainseg_version

        say(f"brainseg {brainseg_version()}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def train(ctx: typer.Context) -> None:
    """Train a model: `brainseg train model=segmenter key=value ...`, the same as `python train.py`."""
    from brainseg.commands.main import train_main

    sys.argv = ["train.py", *ctx.args]
    with _begun_anew_as("brainseg.commands.train_process"):
        train_main()


@contextmanager
def _begun_anew_as(module: str) -> Iterator[None]:
    """What Lightning runs for the further processes of a training: whatever `__main__` says it is."""
    main = sys.modules["__main__"]
    before = main.__spec__
    main.__spec__ = find_spec(module)
    try:
        yield
    finally:
        main.__spec__ = before


def predict(ctx: typer.Context) -> None:
    """Predict: `brainseg predict input=PATH segmenter=CHECKPOINT ...`, the same as `python predict.py`."""
    from brainseg.commands.main import predict_main

    sys.argv = ["predict.py", *ctx.args]
    predict_main()


def demo(
    folder: Annotated[Path, typer.Option(help="Where runs, patients and predictions go.")] = Path(
        "outputs/demo"
    ),
    patients: Annotated[int, typer.Option(min=1, help="How many unseen patients are predicted.")] = 10,
) -> None:
    """The whole system on phantoms: train three models, predict unseen patients, score them. Some minutes."""
    from brainseg.commands.demo import demo as run_demo

    run_demo(folder, patients)


app.command()(doctor.doctor)
app.command()(phantom.phantom)
app.command(**PASS_THROUGH)(train)
app.command(**PASS_THROUGH)(predict)
app.command()(sweep.sweep)
app.command()(demo)
app.command()(audit.audit)
app.command()(evaluate.evaluate)
app.command()(export.export)
app.command()(dashboard.dashboard)
app.command()(compare.compare)
app.command()(compare.score)
app.command()(models.models)
app.command()(models.pack)
app.command()(models.card)
for command in (results.verify, results.reproduce, results.bids, results.view):
    app.command()(command)
app.add_typer(study_pages.study, name="study")
app.add_typer(study_pages.study, name="report", hidden=True)  # its name in scripts that exist
