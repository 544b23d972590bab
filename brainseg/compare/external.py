"""A trained model scored on labelled data of its task: an external test.

The scores are those of a training's own test part: slices as prepared for the network, whole scans on the
network's grid, without the cleaning of predictions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig

from brainseg.checkpoint import load_model
from brainseg.config import plain
from brainseg.config.errors import ConfigError, UserError
from brainseg.data import KaggleSlices, PhantomData, VolumesByType, data_of
from brainseg.data.loader import Samples
from brainseg.data.loading import plain_loader
from brainseg.data.slices import SliceDataset
from brainseg.data.volumes import VolumeData, WholeDataset
from brainseg.inference import calibrated
from brainseg.metrics import region_dices
from brainseg.runs.cases import ScoredCase
from brainseg.runs.config import SPLIT, read_split
from brainseg.runs.models import checkpoints_of
from brainseg.system.terminal import followed
from brainseg.tasks.types import case_rows
from brainseg.tasks.volumes import named_dices
from brainseg.trained import ClassifierModel, Ensemble, Model, SegmenterModel, VolumeClassifierModel

PART = "external"


@dataclass(frozen=True)
class External:
    """A model's scores on data.

    Attributes:
        models: The checkpoints; several are an ensemble.
        task: Of the models.
        data: Which, in words.
        cases: Each with its scores.
        remarks: What a reader must know.
        logits: (N, K), of a classifier.
        truth: (N,) class indices, of a classifier.
        temperature: Of a classifier.
        classes: Of a classifier.
    """

    models: Sequence[Path]
    task: str
    data: str
    cases: Sequence[ScoredCase]
    remarks: Sequence[str]
    logits: NDArray[np.float32] | None = None
    truth: NDArray[np.int64] | None = None
    temperature: float = 1.0
    classes: Sequence[str] = ()

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Calibrated ones of a classifier, (N, K)."""
        assert self.logits is not None
        return calibrated(self.logits, self.temperature)


def models_of(given: Sequence[Path], device: torch.device) -> dict[Path, Model]:
    """The models in checkpoints, runs or sweeps, all of one task; several answer together.

    Raises:
        CheckpointError: There is none.
        ConfigError: They are of several tasks, or several of a task that has no ensembles.
    """
    models = {path: load_model(path, device) for path in checkpoints_of(list(given))}
    tasks = {model.task: path for path, model in models.items()}
    if len(tasks) > 1:
        said = ", ".join(f"{path} is a {task}" for task, path in tasks.items())
        raise ConfigError(f"models of several tasks cannot answer together: {said}; give those of one")
    if len(models) > 1 and "segmenter" not in tasks:
        task = next(iter(tasks))
        raise ConfigError(f"{len(models)} models of {task} are given, but only segmenters answer together")
    return models


def score_external(models: Mapping[Path, Model], cfg: DictConfig) -> External:
    """Score models on all that a composed config's data section describes.

    Raises:
        UserError: The data cannot be read, or lacks what the model looks at.
    """
    model = next(iter(models.values()))
    data = _data_for(model, cfg)
    name = str(plain(cfg.data)["_target_"]).rpartition(".")[2]
    inner = data
    if isinstance(data, PhantomData):
        data.check_split()
        data.write()
        inner = data.inner
    about = f"{name} in {inner.root}"
    if isinstance(inner, KaggleSlices) and isinstance(model, ClassifierModel):
        cases, more = _score_slices(model, inner)
    elif isinstance(inner, VolumesByType) and isinstance(model, VolumeClassifierModel):
        cases, more = _score_types(model, inner)
    elif isinstance(inner, VolumeData):
        cases, more = _score_volumes(models, inner), {}
    else:
        raise ConfigError(f"data of {name} keeps no cases to score a {model.task} on; choose another data=")
    remarks = [said for path, one in models.items() for said in _overlap(path, one, cfg, cases)]
    return External(list(models), model.task, about, cases, list(dict.fromkeys(remarks)), **more)


def _data_for(model: Model, cfg: DictConfig) -> Any:
    try:
        return data_of(plain(cfg.data), model.config)
    except ConfigError as error:
        missing, _, mend = str(error).partition("; ")
        if not mend.startswith("set segmenter.preprocess.modalities"):
            raise
        seen = ", ".join(model.config.preprocess.modalities)
        raise ConfigError(
            f"the model looks at {seen}, but {missing}; score a model that was trained on what is there"
        ) from error


def _score_slices(model: ClassifierModel, data: KaggleSlices) -> tuple[list[ScoredCase], dict[str, Any]]:
    logits: list[NDArray[np.float32]] = []
    truth: list[NDArray[np.int64]] = []
    names: list[str] = []
    subjects: list[str] = []
    for slices in data.everything():
        names, subjects = [*names, *slices.names], [*subjects, *slices.subjects]
        for batch in _batches(SliceDataset(slices, data.recipe, seed=None), 32, "slices"):
            logits.append(_logits(model, batch[0]))
            truth.append(batch[1].numpy())
    return _typed(model, names, subjects, (np.concatenate(logits), np.concatenate(truth)))


def _score_types(
    model: VolumeClassifierModel, data: VolumesByType
) -> tuple[list[ScoredCase], dict[str, Any]]:
    arrays = dict(sorted(data.everything(None).items()))
    batches = list(_batches(data.whole(arrays), 1, "scans"))
    found = (
        np.concatenate([_logits(model, x) for x, _ in batches]),
        torch.cat([y for _, y in batches]).numpy(),
    )
    return _typed(model, list(arrays), [data.patients.get(name, name) for name in arrays], found)


def _typed(
    model: ClassifierModel | VolumeClassifierModel,
    names: Sequence[str],
    subjects: Sequence[str],
    found: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> tuple[list[ScoredCase], dict[str, Any]]:
    """The rows of cases with their logits and classes, and what the scores of types are made of."""
    classes = list(model.config.classes)
    rows = zip(names, subjects, case_rows(*found, classes), strict=True)
    more = {"logits": found[0], "truth": found[1], "temperature": model.temperature, "classes": classes}
    return [ScoredCase(PART, *row) for row in rows], more


@torch.inference_mode()
def _logits(model: Model, x: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(model(x.to(model.device)).float().cpu())


def _score_volumes(models: Mapping[Path, Model], data: VolumeData) -> list[ScoredCase]:
    first: Any = next(iter(models.values()))
    arrays = dict(sorted(data.everything(first.facts.get("landmarks")).items()))
    every = first.region_members
    regions = {name: every[name] for name in data.regions or every}
    guess, cases = _guesser(models), []
    for name, (image, truth) in zip(
        arrays, _batches(WholeDataset(list(arrays.values())), 1, "scans"), strict=True
    ):
        found = guess(image[0].to(first.device))
        dices = region_dices(truth.to(first.device), found[None], regions)[0]
        cases.append(ScoredCase(PART, name, name, named_dices(dices, regions)))
    return cases


def _guesser(models: Mapping[Path, Model]) -> Callable[[torch.Tensor], torch.Tensor]:
    """From a prepared scan (C, X, Y, Z) to the class of each voxel (X, Y, Z)."""
    first: Any = next(iter(models.values()))
    if len(models) == 1:
        return torch.inference_mode()(lambda image: first.classes_of(first.logits(image)))
    members = {str(path): one for path, one in models.items() if isinstance(one, SegmenterModel)}
    ensemble = Ensemble(members)
    return torch.inference_mode()(lambda image: ensemble.decided(ensemble.probabilities(image)))


def _batches(dataset: Samples, size: int, what: str) -> Iterator[Any]:
    loader = plain_loader(dataset, size, 0)
    yield from followed(loader, f"scoring {what}", len(loader))


def _overlap(path: Path, model: Model, cfg: DictConfig, cases: Sequence[ScoredCase]) -> Iterator[str]:
    """A sentence where the model has learnt from some of the cases, by their names and the kind of data.

    Which subjects a model learnt from is written in its run's folder, beside its checkpoints.
    """
    before, now = model.provenance.get("data", {}), plain(cfg.data)
    if before.get("_target_") != now.get("_target_"):
        return
    phantoms = ("subjects", "seed", "spacing_mm", "contrast", "types", "task")
    if "PhantomData" in str(now.get("_target_")) and any(before.get(k) != now.get(k) for k in phantoms):
        return  # other heads under the same names
    names = {case.case for case in cases}
    try:
        split = read_split(path.parent.parent / SPLIT)
    except (OSError, UserError):
        if before.get("root") == now.get("root"):
            yield (
                f"{path} was trained on data of {before.get('root')} itself, and {SPLIT} of its run is not "
                "there to say which cases: the scores may be too good"
            )
        return
    for part, what in (("train", "learnt from"), ("val", "was chosen by")):
        if same := sorted(names & set(split[part])):
            yield (
                f"{path} {what} cases of these names: {len(same)} of {len(names)} ({', '.join(same[:3])}); "
                "if they are the same, the scores are too good"
            )
