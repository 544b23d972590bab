"""The models of a prediction: a checkpoint each, of the segmenter perhaps several."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from brainseg.checkpoint import load_model
from brainseg.config import OTSU, PredictConfig
from brainseg.config.choices import Stage
from brainseg.config.errors import CheckpointError, ConfigError
from brainseg.images.labels import CONVENTIONS, Convention
from brainseg.nets import folded
from brainseg.prediction.members import BEST, missing_members
from brainseg.prediction.stages import Otsu
from brainseg.results.provenance import sha256
from brainseg.system.device import best_device
from brainseg.tasks import Ensemble, Segmenter, TaskModule

MODEL_OF = {Stage.strip: "skullstripper", Stage.classify: "classifier", Stage.segment: "segmenter"}
Models = dict[Stage, TaskModule | Ensemble | Otsu]


def load_models(options: PredictConfig) -> Models:
    """The models of the stages that have one.

    Raises:
        CheckpointError: One cannot be used, or segmenters that are to answer together do not fit each other.
        ConfigError: There is none at all.
    """
    device = best_device(options.device)
    given = {stage: getattr(options, MODEL_OF[stage]) for stage in options.pipeline.stages}
    models: Models = {}
    for stage, what in given.items():
        if stage is Stage.strip and what == OTSU:
            models[stage] = Otsu()
        elif stage is Stage.segment and what:
            models[stage] = load_ensemble(what, device)
        elif what:
            models[stage] = load_model(what, device, task=MODEL_OF[stage])
    if not models:
        raise ConfigError(
            f"no model for any of the stages {', '.join(map(str, given))}; "
            f"give at least one of {', '.join(f'{MODEL_OF[stage]}=CHECKPOINT' for stage in given)}"
        )
    return models


def load_ensemble(given: Any, device: torch.device) -> Ensemble:
    """The segmenters in a checkpoint, a run's or sweep's folder, or a list of these."""
    members: dict[str, Segmenter] = {}
    for path in checkpoints_of(given):
        model = load_model(path, device, task="segmenter")
        assert isinstance(model, Segmenter)
        model.net = folded(model.net)
        members[str(path)] = model
    return Ensemble(members)


def checkpoints_of(given: Any) -> list[Path]:
    """The files that segmenter=... names.

    Raises:
        CheckpointError: A folder has no best checkpoint in it.
    """
    if not isinstance(given, str | Path):
        return list(dict.fromkeys(path for one in given for path in checkpoints_of(one)))
    path = Path(given)
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(f"**/{BEST}"))
    if not found:
        raise CheckpointError(f"{path} holds no run with {BEST}; give a run, a sweep or a file")
    return found


def described(options: PredictConfig, models: Mapping[Stage, Any]) -> dict[str, Any]:
    """For result.json, by the model's name: file, sha256, what it learnt from and how it was measured.

    A list of such for an ensemble, and for what learns nothing its method.
    """
    about: dict[str, Any] = {}
    for stage, model in models.items():
        given = getattr(options, MODEL_OF[stage])
        if isinstance(model, Otsu):
            about[MODEL_OF[stage]] = {"method": given}
            continue
        members = model.members if isinstance(model, Ensemble) else [model]
        files = [
            {
                "file": os.path.abspath(path),
                "sha256": sha256(path),
                "learnt_from": _learnt_from(member),
                "measured": measured_on_real(member, path),
            }
            for path, member in zip(checkpoints_of(given), members, strict=True)
        ]
        about[MODEL_OF[stage]] = files[0] if len(files) == 1 else files
    return about


def _learnt_from(model: TaskModule) -> dict[str, Any]:
    """How many examples of which data, as the checkpoint has it."""
    facts = model.provenance.get("facts", {})
    sequences = [] if "train_slices" in facts else list(model.config.preprocess.modalities)
    return {**_examples(model.provenance), "sequences": sequences}


def measured_on_real(model: TaskModule, path: Path) -> list[dict[str, Any]]:
    """How the model did on real scans, where its checkpoint says so: `facts.measured` of its run.

    A list of {"data": "IXI", "scans": 20, "score": "brain Dice", "value": 0.957}.

    Raises:
        CheckpointError: It says so in another form.
    """
    found = model.provenance.get("facts", {}).get("measured", [])
    kinds = {"data": str, "scans": int, "score": str, "value": int | float}
    if not isinstance(found, list) or not all(_is_of_kinds(one, kinds) for one in found):
        raise CheckpointError(
            f"{path}: facts.measured is {found!r:.80}; it must be a list of data, scans, score and value, "
            "such as {'data': 'IXI', 'scans': 20, 'score': 'brain Dice', 'value': 0.957}"
        )
    return found


def _is_of_kinds(one: Any, kinds: dict[str, Any]) -> bool:
    if not isinstance(one, dict) or set(one) != set(kinds):
        return False
    return all(isinstance(one[name], kind) for name, kind in kinds.items()) and one["scans"] > 0


def _examples(run: dict[str, Any]) -> dict[str, Any]:
    """Of a run, and under "before" of the one whose weights it started from."""
    facts, data = run.get("facts", {}), run.get("data", {})
    what = "slices of " if "train_slices" in facts else "subjects of "
    before = run.get("started_from")
    return {
        "examples": facts.get("train_slices", facts.get("train_subjects")),
        "data": what + ("synthetic heads" if "phantom" in facts else Path(str(data.get("root"))).name),
        "synthetic": "phantom" in facts,
    } | ({"before": _examples(before)} if before else {})


def remarks_of(options: PredictConfig, models: Models) -> list[str]:
    """What a person should know of the models: which members of the segmenter are not there."""
    segmenter = models.get(Stage.segment)
    if not isinstance(segmenter, Ensemble):
        return []
    files = checkpoints_of(options.segmenter)
    return missing_members(options.segmenter, dict(zip(files, segmenter.members, strict=True)))


def convention_of(options: PredictConfig, models: Models) -> Convention:
    """How the labels are written: as asked for, else as the segmenter's data had them."""
    name, segmenter = options.labels, models.get(Stage.segment)
    if name is None and isinstance(segmenter, Ensemble):
        name = segmenter.provenance.get("facts", {}).get("label_convention")
    name = name or "brats-2023"
    if name not in CONVENTIONS:
        raise ConfigError(f"labels must be one of {', '.join(CONVENTIONS)}, got {name}")
    return CONVENTIONS[name]
