"""`brainseg card`: what a packed model is, and how it did, written from measured scores."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from brainseg.checkpoint import load_model
from brainseg.config.errors import ConfigError
from brainseg.evaluation.failures import draw_worst
from brainseg.evaluation.figures import Figure, figures_of
from brainseg.files.atomic import writing
from brainseg.gates.model_words import model_in_words
from brainseg.metrics.cases import Interval
from brainseg.prediction.models import model_file
from brainseg.runs.packed_file import contract_of, is_packed, read_contract
from brainseg.trained import Model

WHOLE = "whole tumour Dice"


@dataclass(frozen=True)
class Scores:
    """The tables that a card is written from.

    Attributes:
        real: scores.csv or cases.csv by the name of the scans, as "LGG"; also kept in the model's record.
        synthetic: The same of phantoms, which stand in the card alone.
        subsets: Tables of the same scans with fewer sequences, by their name and the sequences:
            ("LGG", "t1+flair").
        failures: scores.csv of phantoms, the worst of which are drawn.
    """

    real: Mapping[str, Path] = field(default_factory=dict)
    synthetic: Mapping[str, Path] = field(default_factory=dict)
    subsets: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    failures: Path | None = None


@dataclass(frozen=True)
class Cost:
    """What is lost of a score where sequences are missing."""

    sequences: str
    figure: Figure
    lost: Interval | None  # None where other scans were measured


def write_card(model: str | Path, scores: Scores) -> Path:
    """Write NAME.md beside a packed model, and its figures on real scans into NAME.json.

    Args:
        model: NAME.safetensors.
        scores: What it was measured on.

    Returns:
        The card.

    Raises:
        UserError: The model or the scores cannot be used.
    """
    path = Path(model)
    if not is_packed(path):
        raise ConfigError(f"{path}: is no packed model; write one with brainseg pack CHECKPOINT NAME")
    contract = read_contract(path)
    figures = partial(figures_of, of_volumes=contract["task"] == "volume_classifier")
    real, synthetic = ([*_all(figures, tables)] for tables in (scores.real, scores.synthetic))
    costs = [_cost(real, *key, figures(key[0], table)) for key, table in scores.subsets.items()]
    facts = contract["run"].setdefault("facts", {})
    facts |= {"measured": [_record(one) for one in real], "measured_subsets": [*_subset_records(costs)]}
    picture = path.with_name(f"{path.stem}_worst.png")
    drawn = None if scores.failures is None else draw_worst(scores.failures, picture)
    with writing(contract_of(path)) as temporary:
        temporary.write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")
    loaded = load_model(path)
    lines = [
        *_head(path, contract["about"], loaded),
        *_figures(real, synthetic),
        *_costs(costs, loaded),
        *_worst([*real, *synthetic], drawn, picture.name),
    ]
    with writing(path.with_suffix(".md")) as temporary:
        temporary.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path.with_suffix(".md")


def _all(figures: Callable[[str, Path], list[Figure]], tables: Mapping[str, Path]) -> Iterator[Figure]:
    return (one for data, path in tables.items() for one in figures(data, path))


def _record(one: Figure) -> dict[str, Any]:
    return {"data": one.data, "scans": one.mean.cases, "score": one.score, "value": round(one.mean.value, 4)}


def _cost(real: Sequence[Figure], data: str, sequences: str, figures: Sequence[Figure]) -> list[Cost]:
    whole = {one.score: one for one in real if one.data == data}
    if not whole:
        known = ", ".join(dict.fromkeys(one.data for one in real)) or "none"
        raise ConfigError(f"--subset {data}:{sequences}: there are no --scores of {data}, only of {known}")
    return [
        Cost(sequences, one, whole[one.score].minus(one) if one.score in whole else None) for one in figures
    ]


def _subset_records(costs: Sequence[Sequence[Cost]]) -> Iterator[dict[str, Any]]:
    """Those of the whole tumour, which a prediction says beside an outline."""
    for cost in (one for several in costs for one in several):
        if cost.figure.score == WHOLE and cost.lost is not None:
            yield _record(cost.figure) | {
                "sequences": cost.sequences.split("+"),
                "lost": round(cost.lost.value, 4),
            }


def _head(path: Path, about: Mapping[str, str], model: Model) -> list[str]:
    learnt = model_in_words(model_file(path, model)).partition("; measured")[0]
    config: Any = model.config
    parameters = sum(one.numel() for one in model.net.parameters())
    spacing_mm = getattr(config.preprocess, "spacing_mm", None)
    side = getattr(config.preprocess, "size", None)
    works = f"{side} x {side} pixels" if side else " x ".join(f"{one:g}" for one in spacing_mm or ()) + " mm"
    network = getattr(config, "net", None) or config.backbone
    return [
        f"# {path.stem}",
        "",
        about["purpose"],
        "",
        "| | |",
        "| --- | --- |",
        f"| task | {model.task} |",
        f"| licence | {about['licence']} |",
        f"| learnt | {learnt.removeprefix('learnt ')} |",
        f"| network | {network}, {parameters / 1e6:.2f} million parameters |",
        f"| works at | {works} |",
        f"| file | {path.stat().st_size / 1e6:.1f} MB |",
        "",
    ]


def _figures(real: Sequence[Figure], synthetic: Sequence[Figure]) -> list[str]:
    if not [*real, *synthetic]:
        return ["## Figures", "", "The model was not measured on real scans."]
    lines = ["## Figures", "", "| scans | score | number | mean | 95 % | least |", "|" + " --- |" * 6]
    for one in [*real, *synthetic]:
        least = "" if one.least is None else f"{one.least:.3f}"
        lines.append(f"| {one.data} | {one.score} | {_values(one.mean)} | {least} |")
    return [*lines, "", "The interval is that of a bootstrap over the subjects. No scan was left out."]


def _values(mean: Interval) -> str:
    return f"{mean.cases} | {mean.value:.3f} | {_between(mean)}"


def _between(one: Interval) -> str:
    return "" if one.low is None else f"{one.low:.3f} to {one.high:.3f}"


def _costs(costs: Sequence[Sequence[Cost]], model: Model) -> list[str]:
    validation = model.fitted.get("subsets", {})
    if not costs and not validation:
        return []
    lines = ["", "## What missing sequences cost", ""]
    if costs:
        lines += ["| scans | there is only | score | number | mean | 95 % | lost, 95 % |", "|" + " --- |" * 7]
        for one in (cost for several in costs for cost in several):
            lost = "" if one.lost is None else f"{one.lost.value:.3f} ({_between(one.lost)})"
            said = f"| {one.figure.data} | {one.sequences.replace('+', ', ')} | {one.figure.score} |"
            lines.append(f"{said} {_values(one.figure.mean)} | {lost} |")
        lines.append("")
    if validation:
        heads = "synthetic heads" if "phantom" in model.facts else "scans"
        lines += [f"Whole tumour Dice of {model.fitted.get('validation_scans')} validation {heads}:", ""]
        lines += ["| there is only | mean |", "| --- | --- |"]
        lines += [
            f"| {name.replace('+', ', ')} | {regions['whole_tumor']:.3f} |"
            for name, regions in sorted(validation.items(), key=lambda item: -item[1]["whole_tumor"])
        ]
    return lines


def _worst(figures: Sequence[Figure], drawn: Figure | None, picture: str) -> list[str]:
    rows = [
        f"| {one.data} | {one.score} | {', '.join(f'{name} {value:.3f}' for name, value in one.worst)} |"
        for one in figures
        if one.worst
    ]
    if not rows and drawn is None:
        return []
    lines = ["", "## Where it fails"]
    if rows:
        lines += ["", "| scans | score | the worst |", "| --- | --- | --- |", *rows]
    if drawn is not None:
        said = ", ".join(f"{name} {value:.3f}" for name, value in drawn.worst)
        lines += ["", f"The worst phantoms of {drawn.mean.cases} by {drawn.score}: {said}.", ""]
        lines.append(f"![The worst phantoms: blue is the truth, orange what was found]({picture})")
    return lines
