"""What is known of a model that was loaded: for result.json, and for how a scan is prepared for it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from brainseg.config.builtin import builtin_file
from brainseg.config.errors import CheckpointError
from brainseg.files.atomic import sha256
from brainseg.runs.model_record import LearntFrom, Measured, ModelFile
from brainseg.runs.packed_file import read_contract
from brainseg.trained import Ensemble, Model
from brainseg.trained.ensemble import HARDLY

MEASURED = {"data": str, "scans": int, "score": str, "value": int | float}
SUBSET = {**MEASURED, "sequences": list, "lost": int | float}


def model_file(path: str | Path, model: Model) -> ModelFile:
    """The checkpoint that a model came from, what it learnt from, and how it was measured.

    Raises:
        CheckpointError: Its figures have a form that cannot be read.
    """
    return ModelFile(
        os.path.abspath(path), sha256(Path(path)), _learnt_from(model), measured_on_real(model, path)
    )


def landmarks_of(model: Model | Ensemble) -> Any:
    """The intensity landmarks of the training part, where the model was trained with them; else None."""
    return model.facts.get("landmarks")


def _learnt_from(model: Model) -> LearntFrom:
    """How many examples of which data, as the checkpoint has it."""
    facts = model.facts
    sequences = [] if "train_slices" in facts else list(model.config.preprocess.modalities)
    return replace(_examples(model.provenance), sequences=sequences)


def measured_on_real(model: Model, path: str | Path) -> list[Measured]:
    """How the model did on real scans, where its checkpoint says so: `facts.measured` of its run.

    Raises:
        CheckpointError: It says so in another form.
    """
    found = model.facts.get("measured", [])
    if not isinstance(found, list) or not all(_is_of_kinds(one, MEASURED) for one in found):
        raise CheckpointError(
            f"{path}: facts.measured is {found!r:.80}; it must be a list of data, scans, score and value, "
            "such as {'data': 'IXI', 'scans': 20, 'score': 'brain Dice', 'value': 0.957}"
        )
    return [Measured(**one) for one in found]


def measured_of_builtin(task: str) -> list[Measured]:
    """The figures on real scans of a model that comes with brainseg, by its card; the model is not loaded."""
    facts = read_contract(builtin_file(task))["run"].get("facts", {})
    return [Measured(**one) for one in facts.get("measured", [])]


def measured_without(model: Model | Ensemble, sequences: Sequence[str]) -> list[str]:
    """What real scans lost of the whole tumour's Dice with these sequences alone, where that was measured.

    As "0.412 on 31 scans of LGG", from `facts.measured_subsets` of a model whose card was written.
    """
    return [
        f"{one['lost']:.3f} on {one['scans']} scans of {one['data']}" for one in _subsets(model, sequences)
    ]


def hardly_finds(model: Ensemble, sequences: Sequence[str]) -> bool:
    """Whether real scans, or those of the validation, had nearly no Dice with these sequences alone."""
    real = [one["value"] for one in _subsets(model, sequences)]
    return model.hardly_finds(sequences) or any(value < HARDLY for value in real)


def _subsets(model: Model | Ensemble, sequences: Sequence[str]) -> list[dict[str, Any]]:
    found = model.facts.get("measured_subsets", [])
    known = [one for one in (found if isinstance(found, list) else []) if _is_of_kinds(one, SUBSET)]
    return [one for one in known if set(one["sequences"]) == set(sequences)]


def _is_of_kinds(one: Any, kinds: dict[str, Any]) -> bool:
    if not isinstance(one, dict) or set(one) != set(kinds):
        return False
    return all(isinstance(one[name], kind) for name, kind in kinds.items()) and one["scans"] > 0


def _examples(run: dict[str, Any]) -> LearntFrom:
    """The examples of a run; `before` has those of the run whose weights it started from."""
    facts, data = run.get("facts", {}), run.get("data", {})
    what = "slices of " if "train_slices" in facts else "subjects of "
    before = run.get("started_from")
    return LearntFrom(
        examples=facts.get("train_slices", facts.get("train_subjects")),
        data=what + ("synthetic heads" if "phantom" in facts else Path(str(data.get("root"))).name),
        synthetic="phantom" in facts,
        before=_examples(before) if before else None,
    )
