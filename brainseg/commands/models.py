"""`brainseg models`, `pack` and `card`: models that come with brainseg, and models to give away."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from brainseg.config import SEQUENCES
from brainseg.config.builtin import builtin_file, builtin_tasks
from brainseg.config.errors import ConfigError
from brainseg.system.terminal import cell, say, show


def models() -> None:
    """The models that come with brainseg: licence, what they learnt from, figures on real scans."""
    from brainseg.runs.packed_file import read_contract

    table = Table("model", "licence", "MB", "learnt from", "on real scans")
    for task in builtin_tasks():
        file = builtin_file(task)
        contract = read_contract(file)
        facts = contract["run"].get("facts", {})
        examples = facts.get("train_slices", facts.get("train_subjects"))
        what = "slices of" if "train_slices" in facts else "subjects of"
        kind = "synthetic heads" if "phantom" in facts else contract["run"]["data"].get("root")
        figures = [
            f"{one['score']} {one['value']:.3f} ({one['data']}, {one['scans']})"
            for one in facts.get("measured", [])
        ]
        table.add_row(
            cell(task), cell(contract["about"]["licence"]), f"{file.stat().st_size / 1e6:.1f}",
            cell(f"{examples} {what} {kind}"), cell("; ".join(figures) or "not measured"),
        )  # fmt: skip
    show(table)
    say(
        "predict.py takes them where no other model is given; TASK=null leaves one out. Their cards are "
        f"beside them, in {builtin_file('x').parent}"
    )


REAL = typer.Option(
    help="WHAT=scores.csv of brainseg evaluate, or cases.csv, on real scans; may be given several times."
)
SYNTHETIC = typer.Option(help="The same of phantoms, for the card alone.")
SUBSET = typer.Option(help="WHAT:t1+flair=scores.csv: the scans of --scores WHAT with these sequences alone.")
FAILURES = typer.Option(help="scores.csv of phantoms, the worst of which the card shows.")


def pack(
    checkpoint: Annotated[Path, typer.Argument(help="best.ckpt or last.ckpt of a run.")],
    name: Annotated[Path, typer.Argument(help="Folder and name of the packed model, without a suffix.")],
    licence: Annotated[str, typer.Option(help="SPDX identifier of the licence of the weights.")],
    purpose: Annotated[str, typer.Option(help="What the model is for, in a sentence.")],
    data: Annotated[str | None, typer.Option(help="What the data are called that it learnt from.")] = None,
    scores: Annotated[list[str] | None, REAL] = None,
    synthetic: Annotated[list[str] | None, SYNTHETIC] = None,
    subset: Annotated[list[str] | None, SUBSET] = None,
    failures: Annotated[Path | None, FAILURES] = None,
    single: Annotated[bool, typer.Option("--single", help="Keep the weights in single precision.")] = False,
) -> None:
    """Pack a trained model: NAME.safetensors, NAME.json and a card, NAME.md."""
    tables = _tables(scores, synthetic, subset)
    from brainseg.api.card import Scores
    from brainseg.api.packing import pack as packed

    path = packed(
        checkpoint,
        name,
        licence=licence,
        purpose=purpose,
        data=data,
        scores=Scores(*tables, failures),
        half=not single,
    )
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB; its card is {path.with_suffix('.md')}")


def card(
    model: Annotated[Path, typer.Argument(help="NAME.safetensors, as brainseg pack writes it.")],
    scores: Annotated[list[str] | None, REAL] = None,
    synthetic: Annotated[list[str] | None, SYNTHETIC] = None,
    subset: Annotated[list[str] | None, SUBSET] = None,
    failures: Annotated[Path | None, FAILURES] = None,
) -> None:
    """Write the card of a packed model anew, from what was measured; pages say its figures on real scans."""
    tables = _tables(scores, synthetic, subset)
    from brainseg.api.card import Scores, write_card

    say(f"card: {write_card(model, Scores(*tables, failures))}")


Tables = tuple[dict[str, Path], dict[str, Path], dict[tuple[str, str], Path]]


def _tables(scores: list[str] | None, synthetic: list[str] | None, subsets: list[str] | None) -> Tables:
    """The tables that the options name; torch is not loaded for it.

    Raises:
        ConfigError: An option is not written as it wants it; it says how.
    """
    return (
        dict(_named("--scores", one) for one in scores or []),
        dict(_named("--synthetic", one) for one in synthetic or []),
        dict(map(_subset, subsets or [])),
    )


def _named(option: str, given: str) -> tuple[str, Path]:
    what, equals, path = given.rpartition("=")
    if not equals or not what:
        raise ConfigError(
            f"{option} {given}: write WHAT=scores.csv, such as 'Open MS, T1w=results/scores.csv'"
        )
    return what, Path(path)


def _subset(given: str) -> tuple[tuple[str, str], Path]:
    named, path = _named("--subset", given)
    what, colon, sequences = named.rpartition(":")
    if not colon or not what or not set(sequences.split("+")) <= set(SEQUENCES):
        raise ConfigError(
            f"--subset {given}: write WHAT:SEQUENCES=scores.csv, such as LGG:t1+flair=flair/scores.csv"
        )
    return (what, sequences), path
