"""`brainseg pack`: a trained model as a small file to give away, with a card of measured figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brainseg.checkpoint import load_model, read_checkpoint
from brainseg.evaluation.figures import Figure, figures_of
from brainseg.files.atomic import writing
from brainseg.gates.model_words import model_in_words
from brainseg.prediction.models import model_file
from brainseg.runs.packed_file import SUFFIX, write_packed


def pack(
    checkpoint: str | Path,
    name: str | Path,
    *,
    licence: str,
    purpose: str,
    scores: Mapping[str, Path] | None = None,
    half: bool = True,
) -> Path:
    """Write NAME.safetensors (weights), NAME.json (all else that a prediction needs) and NAME.md (a card).

    The figures of the scores on real scans go into the model's record too, from where pages and gates
    take them.

    Args:
        checkpoint: A trained model.
        name: Folder and name, without a suffix.
        licence: SPDX identifier of the licence of the weights, which follows from what they learnt from.
        purpose: What the model is for, in a sentence.
        scores: scores.csv of `brainseg evaluate`, by what the scans are.
        half: Store the weights in half precision.

    Returns:
        The file of the weights.

    Raises:
        UserError: The checkpoint or the scores cannot be used.
    """
    figures = [one for data, path in (scores or {}).items() for one in figures_of(data, path)]
    stored = read_checkpoint(checkpoint)
    if figures:
        measured = [
            {"data": one.data, "scans": one.mean.cases, "score": one.score, "value": round(one.mean.value, 4)}
            for one in figures
        ]
        stored["brainseg"]["run"].setdefault("facts", {})["measured"] = measured
    path = Path(f"{name}{SUFFIX}")
    write_packed(stored, path, {"licence": licence, "purpose": purpose}, half=half)
    model = load_model(path)
    with writing(path.with_suffix(".md")) as temporary:
        learnt = model_in_words(model_file(path, model))
        lines = _card(path, learnt, licence, purpose, figures, model)
        temporary.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def _card(
    path: Path, learnt: str, licence: str, purpose: str, figures: Sequence[Figure], model: Any
) -> list[str]:
    parameters = sum(one.numel() for one in model.net.parameters())
    prepared = model.config.preprocess
    resolution = getattr(prepared, "spacing_mm", None)
    lines = [
        f"# {path.stem}",
        "",
        purpose,
        "",
        "| | |",
        "| --- | --- |",
        f"| task | {model.task} |",
        f"| licence | {licence} |",
        f"| {learnt.partition(' ')[0]} | {learnt.partition(' ')[2].partition(';')[0]} |",
        f"| network | {_network(model)}, {parameters / 1e6:.2f} million parameters |",
        f"| works at | {' x '.join(f'{one:g}' for one in resolution)} mm |" if resolution else
        f"| works at | {prepared.size} x {prepared.size} pixels |",
        f"| file | {path.stat().st_size / 1e6:.1f} MB |",
        "",
        "## Figures",
        "",
    ]  # fmt: skip
    if not figures:
        return [*lines, "The model was not measured on real scans."]
    lines += ["| scans | score | number | mean | 95 % | least |", "| --- | --- | --- | --- | --- | --- |"]
    for one in figures:
        mean = one.mean
        between = "" if mean.low is None else f"{mean.low:.3f} to {mean.high:.3f}"
        values = f"{mean.cases} | {mean.value:.3f} | {between} | {one.least:.3f}"
        lines.append(f"| {one.data} | {one.score} | {values} |")
    return [*lines, "", "The interval is that of a bootstrap over the scans. No scan was left out."]


def _network(model: Any) -> str:
    return str(getattr(model.config, "net", None) or model.config.backbone)
