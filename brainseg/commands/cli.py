"""The `brainseg` command. Torch and its like load inside the commands, so that --help answers at once."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from brainseg.config.errors import USAGE_ERROR, UserError
from brainseg.system.terminal import cell, console, say

# What to do with a cohort that was just written: {root} is its folder.
NEXT_COMMAND = {
    "brats": "python train.py model=segmenter data.root={root}",
    "msd": "python train.py model=segmenter data.root={root}",
    "nfbs": "python train.py model=skullstripper data.root={root}",
    "kaggle": "python train.py model=classifier data.root={root}",
    "bids": "python predict.py input={root} skullstripper=A.ckpt classifier=B.ckpt segmenter=C.ckpt",
}
PASS_THROUGH: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    "add_help_option": False,
}


class Layout(StrEnum):
    """How the files of a cohort are named and sorted."""

    brats = "brats"
    nfbs = "nfbs"
    kaggle = "kaggle"
    msd = "msd"
    bids = "bids"


class Contrast(StrEnum):
    """How bright each tissue is."""

    realistic = "realistic"
    random = "random"


class Evaluated(StrEnum):
    """What kind of results are compared with a truth."""

    skullstrip = "skullstrip"
    segment = "segment"


class Protocol(StrEnum):
    """How a challenge counts."""

    legacy = "brats-legacy"
    lesions_2023 = "brats-2023"
    lesions_2026 = "brats-2026"


class Checkpoint(StrEnum):
    """Which of a run's two."""

    best = "best"
    last = "last"


class OneLineErrors(TyperGroup):
    """A group that answers what the user can mend in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            say(f"error: {error}", error=True)
            raise typer.Exit(USAGE_ERROR) from None


app = typer.Typer(
    name="brainseg",
    cls=OneLineErrors,
    help="Brain-tumour MRI: strip the skull, name the tumour type, outline the tumour.\n\n"
    "Exit codes: 0 done, 2 something you can mend, 130 Ctrl+C, 143 SIGTERM, 129 the terminal's end; "
    "others are named by the commands.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

report = typer.Typer(help="Pages of tables and figures about runs that were made.", no_args_is_help=True)
app.add_typer(report, name="report")


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


@app.command()
def doctor(
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets, else $BRAINSEG_DATA.")] = None,
    outputs: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("outputs"),
) -> None:
    """Look at this machine: versions, device, memory, disk, W&B. Exit code 1 if something needs a mend."""
    from brainseg.system.doctor import examine, is_healthy

    findings = examine(data, outputs)
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        mark = cell("ok", "green") if finding.ok else cell("no", "bold red")
        table.add_row(mark, finding.name, cell(finding.value))
        if not finding.ok and finding.mend:
            table.add_row("", "", cell(f"mend: {finding.mend}", "yellow"))
    _console().print(table)
    raise typer.Exit(0 if is_healthy(findings) else 1)


@app.command()
def phantom(
    folder: Annotated[Path, typer.Argument(help="Where the cohort is written; made if it is not there.")],
    layout: Annotated[Layout, typer.Option(help="Whose file names to use.")] = Layout.brats,
    subjects: Annotated[int, typer.Option(min=1, help="How many heads.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed gives the same heads.")] = 0,
    spacing_mm: Annotated[float, typer.Option(min=0.5, max=8.0, help="Side of a voxel, millimetres.")] = 1.0,
    contrast: Annotated[Contrast, typer.Option(help="Brightness of the tissues.")] = Contrast.realistic,
) -> None:
    """Write a cohort of synthetic heads with exact truth, to try everything without a download."""
    import shlex

    from rich.progress import Progress

    from brainseg.phantom import write_cohort

    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("heads", total=subjects)
        ids = write_cohort(
            folder,
            layout=layout.value,
            subjects=subjects,
            seed=seed,
            spacing_mm=spacing_mm,
            contrast=contrast.value,
            progress=lambda written, total: bar.update(task, completed=written, total=total),
        )
    files = [file for file in folder.rglob("*") if file.is_file()]
    size_mb = sum(file.stat().st_size for file in files) / 2**20
    say(f"{folder}: {len(ids)} subjects in {layout} layout, {len(files)} files, {size_mb:.0f} MiB")
    say("next: " + NEXT_COMMAND[layout].format(root=shlex.quote(str(folder))))


@app.command(**PASS_THROUGH)
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


@app.command(**PASS_THROUGH)
def predict(ctx: typer.Context) -> None:
    """Predict: `brainseg predict input=PATH segmenter=CHECKPOINT ...`, the same as `python predict.py`."""
    from brainseg.commands.main import predict_main

    sys.argv = ["predict.py", *ctx.args]
    predict_main()


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where runs, patients and predictions go.")] = Path(
        "outputs/demo"
    ),
    patients: Annotated[int, typer.Option(min=1, help="How many unseen patients are predicted.")] = 10,
) -> None:
    """The whole system on phantoms: train three models, predict unseen patients, score them. Some minutes."""
    from brainseg.commands.demo import demo as run_demo

    run_demo(folder, patients)


@app.command()
def audit(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="As for train: data.root=DIR, or data=phantom."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where audit.html and audit.json go, else outputs/audit/<time>.")
    ] = None,
) -> None:
    """Look at the classifier's slices: unreadable files, copies, copies in two classes or in both parts."""
    from brainseg.data.audit import audit_slices
    from brainseg.reporting.audit import summary, write_audit

    findings = audit_slices(*_slices_of(overrides or []))
    folder = output or Path("outputs") / "audit" / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    page = write_audit(findings, folder)
    say(*summary(findings), f"page: {page}", f"all pairs: {page.with_name('audit.json')}")


def _slices_of(overrides: list[str]) -> Any:
    """Folder, classes and cache of the data that `train` would use; phantoms are written if need be."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from brainseg.config import ConfigError, check, conf_dir, explain, register_schemas
    from brainseg.data import KaggleSlices, PhantomData, composed_data

    register_schemas()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            cfg = compose("train", overrides)
        check(cfg)
        data = composed_data(cfg)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from None
    slices = data.inner if isinstance(data, PhantomData) else data
    if not isinstance(slices, KaggleSlices):
        raise ConfigError(
            f"model={cfg.task} learns from {type(slices).__name__}, but only slices can be audited so far: "
            "model=classifier with data=kaggle or data=phantom"
        )
    if isinstance(data, PhantomData):
        data.write()
    return slices.root, list(slices.recipe.classes), slices.cache


@app.command()
def evaluate(
    truth: Annotated[Path, typer.Argument(help="A true mask or label map, or a folder of them.")],
    guess: Annotated[Path, typer.Argument(help="A mask or label map, or what predict.py wrote.")],
    task: Annotated[Evaluated, typer.Option(help="What the masks are of.")] = Evaluated.skullstrip,
    protocol: Annotated[
        Protocol, typer.Option(help="Of tumours: 2023 and 2026 count lesion by lesion.")
    ] = Protocol.legacy,
    labels: Annotated[str, typer.Option(help="Convention of tumour labels, as data.labels.")] = "auto",
    output: Annotated[Path | None, typer.Option(help="Where scores.csv and scores.json go.")] = None,
) -> None:
    """Masks or tumour labels against true ones: scores of each, and over all with intervals of 95 %."""
    if task is Evaluated.skullstrip:
        faults = _evaluate_brains(truth, guess, output)
    else:
        faults = _evaluate_tumors(truth, guess, protocol.value, labels, output)
    for fault in faults:
        say(fault, error=True)
    if faults:
        raise typer.Exit(min(len(faults), 100))


def _evaluate_brains(truth: Path, guess: Path, output: Path | None) -> list[str]:
    from brainseg.evaluation.brains import SCORES, evaluate_brains, write_brain_evaluation

    found = evaluate_brains(truth, guess)
    table = Table("scan", *(name.replace("_", " ") for name in SCORES))
    for case in found.cases:
        values = [f"{case.scores[name]:.3f}" for name in SCORES] if case.scores else [""] * len(SCORES)
        table.add_row(cell(case.name), *values)
    if found.medians:
        intervals = [f"{m:.3f}\n{low:.3f} to {high:.3f}" for m, low, high in found.medians.values()]
        table.add_section()
        table.add_row("median\n95 %", *intervals)
    _console().print(table)
    if output is not None:
        write_brain_evaluation(found, output)
    return [f"{case.name}: {case.fault}" for case in found.faults]


def _evaluate_tumors(truth: Path, guess: Path, protocol: str, labels: str, output: Path | None) -> list[str]:
    from brainseg.evaluation.tumors import evaluate_tumors, write_tumor_evaluation

    found = evaluate_tumors(truth, guess, protocol, labels)
    table = Table("score", "cases", "mean", "95 %", "median", "quartiles", title=protocol)
    for name, one in found.summaries.items():
        spread = f"{one.low:.3f} to {one.high:.3f}", f"{one.median:.3f}"
        quartiles = "{:.3f} to {:.3f}".format(*one.quartiles)
        table.add_row(name.replace("_", " "), str(one.n), f"{one.mean:.3f}", *spread, quartiles)
    _console().print(table)
    for suspicion in found.suspicions:
        say(f"look at this: {suspicion}")
    if output is not None:
        write_tumor_evaluation(found, output)
    return [f"{case.name}: {case.fault}" for case in found.faults]


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="What predict.py wrote: one subject's folder, or all.")],
) -> None:
    """Name each file of a result, its inputs and models that has changed since; exit code 1 if one has."""
    from brainseg.results.read import result_folders
    from brainseg.results.verify import batch_changes, changes

    folders = result_folders(folder)
    problems = [problem for one in folders for problem in changes(one)]
    if folders != [folder]:
        problems += batch_changes(folder)
    for problem in problems:
        say(problem, error=True)
    if problems:
        raise typer.Exit(1)
    say(f"{folder}: nothing has changed in {len(folders)} results, their inputs and models")


@app.command()
def reproduce(
    folder: Annotated[Path, typer.Argument(help="What predict.py wrote: one subject's folder, or all.")],
) -> None:
    """Predict again from what result.json names, and compare bit for bit. Exit code 1 if anything differs."""
    from brainseg.prediction.reproduce import reproduce as differences
    from brainseg.results.read import result_folders

    differing = 0
    for one in result_folders(folder):
        found = differences(one)
        differing += bool(found)
        say(*[f"{one.name}: {line}" for line in found or ["the same, bit for bit"]])
    if differing:
        raise typer.Exit(1)


@app.command()
def bids(
    results: Annotated[Path, typer.Argument(help="What predict.py wrote: one subject's folder, or all.")],
    folder: Annotated[Path, typer.Argument(help="The data set's: new, or of an earlier call.")],
) -> None:
    """Results as BIDS derivatives, as predict.py derivatives=DIR writes them. Exit code 1 if all failed."""
    from brainseg.bids.dataset import write_derivatives

    written = write_derivatives(results, folder)
    say(*written.lines())
    if not written.subjects:
        raise typer.Exit(1)


@app.command()
def view(
    folder: Annotated[Path, typer.Argument(help="What predict.py wrote: one subject's folder, or all.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
) -> None:
    """Show the report pages to a browser on this machine only (127.0.0.1), until Ctrl+C."""
    from brainseg.reporting.serve import server_of

    server, address = server_of(folder, port)
    say(address, "Ctrl+C ends it")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # here it is the way to end, with exit code 0
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


@report.command("grid")
def report_grid(
    folder: Annotated[
        Path, typer.Argument(help="A sweep of the classifier, ended or not: outputs/sweeps/...")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where grid.html, grid.md and grid.csv go, else FOLDER/report.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="Whose curves and confusion matrix are drawn: backbone,loss,optimizer; else the best."
        ),
    ] = None,
    failure: Annotated[
        Path | None, typer.Option(help="Run or sweep of experiment=report_efficientnet_failure.")
    ] = None,
) -> None:
    """The classifier grid beside the student report's: tables 1 to 3, figures 7 to 9 and 12 to 14."""
    from brainseg.study.grid.page import write_grid_page

    page = write_grid_page(folder, output, cell, failure)
    say(*page.lines, f"page: {page.path}")


@report.command("classifier")
def report_classifier(
    folder: Annotated[Path, typer.Argument(help="A run of the classifier: outputs/classifier/...")],
    output: Annotated[
        Path | None, typer.Option(help="Where classifier.html and classifier.md go, else FOLDER/report.")
    ] = None,
) -> None:
    """A run of the classifier: scores with intervals, calibration, mistakes, and both splits side by side."""
    from brainseg.study.classifier_page import write_classifier_page

    page = write_classifier_page(folder, output)
    say(*page.lines, f"page: {page.path}")


@report.command("skullstrip")
def report_skullstrip(
    folders: Annotated[
        list[Path], typer.Argument(help="Runs of the skull stripper, or sweeps: outputs/skullstripper/...")
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Where skullstrip.html, .md and .json go, else the first FOLDER/report."),
    ] = None,
    checkpoint: Annotated[
        Checkpoint, typer.Option(help="last is what the student report kept.")
    ] = Checkpoint.best,
    patches: Annotated[
        int, typer.Option(min=1, help="Random ones of each head, scored as in the student report.")
    ] = 128,
    device: Annotated[str, typer.Option(help="As predict.py has it: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Tables 4 and 5, figure 1: skull strippers scored on random patches and on whole heads, beside Otsu."""
    from brainseg.study.stripper_page import write_skullstrip_page

    page = write_skullstrip_page(folders, output, checkpoint=checkpoint.value, patches=patches, device=device)
    say(*page.lines, f"page: {page.path}")


@report.command("segmentation")
def report_segmentation(
    folders: Annotated[
        list[Path], typer.Argument(help="Runs of the segmenter, or sweeps of folds: outputs/segmenter/...")
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Where segmentation.html, .md and .json go, else the first FOLDER/report."),
    ] = None,
    checkpoint: Annotated[Checkpoint, typer.Option(help="Of each run.")] = Checkpoint.best,
    device: Annotated[str, typer.Option(help="As predict.py has it: auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Table 6 and figure 24: segmenters scored by three protocols on scans that were kept from them."""
    from brainseg.study.segmenter_page import write_segmentation_page

    page = write_segmentation_page(folders, output, checkpoint=checkpoint.value, device=device)
    say(*page.lines, f"page: {page.path}")


def _console() -> Console:
    # A line is cut or wrapped for a terminal only: in a file, or read by a program, it stays whole.
    return console() if sys.stdout.isatty() else console(width=10_000)
