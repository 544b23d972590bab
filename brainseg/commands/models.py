"""`brainseg models` and `brainseg pack`: models that come with brainseg, and models to give away."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

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
        kind = "synthetic heads" if "phantom" in facts else contract["run"]["data"].get("root")
        figures = [
            f"{one['score']} {one['value']:.3f} ({one['data']}, {one['scans']})"
            for one in facts.get("measured", [])
        ]
        table.add_row(
            cell(task), cell(contract["about"]["licence"]), f"{file.stat().st_size / 1e6:.1f}",
            cell(f"{examples} {kind}"), cell("; ".join(figures) or "not measured"),
        )  # fmt: skip
    show(table)
    say(
        "predict.py takes them where no other model is given; TASK=null leaves one out. Their cards are "
        f"beside them, in {builtin_file('x').parent}"
    )


def pack(
    checkpoint: Annotated[Path, typer.Argument(help="best.ckpt or last.ckpt of a run.")],
    name: Annotated[Path, typer.Argument(help="Folder and name of the packed model, without a suffix.")],
    licence: Annotated[str, typer.Option(help="SPDX identifier of the licence of the weights.")],
    purpose: Annotated[str, typer.Option(help="What the model is for, in a sentence.")],
    scores: Annotated[
        list[str] | None,
        typer.Option(help="WHAT=scores.csv of brainseg evaluate on real scans; may be given several times."),
    ] = None,
    single: Annotated[bool, typer.Option("--single", help="Keep the weights in single precision.")] = False,
) -> None:
    """Pack a trained model: NAME.safetensors, NAME.json and a card, NAME.md."""
    given = dict(_scores(one) for one in scores or [])
    from brainseg.api.packing import pack as packed

    path = packed(checkpoint, name, licence=licence, purpose=purpose, scores=given, half=not single)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB; its card is {path.with_suffix('.md')}")


def _scores(given: str) -> tuple[str, Path]:
    what, equals, path = given.rpartition("=")
    if not equals or not what:
        raise ConfigError(
            f"--scores {given}: write WHAT=scores.csv, such as 'Open MS, T1w=results/scores.csv'"
        )
    return what, Path(path)
