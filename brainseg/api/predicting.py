"""`brainseg.predict`: predict.py for one subject, with the images in memory."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from brainseg.api.memory import AnyPath, InMemory, called, is_path, stored
from brainseg.config import (
    OTSU,
    SEQUENCES,
    ConfigError,
    PredictConfig,
    check_predict,
    conf_dir,
    explain,
    register_schemas,
)
from brainseg.config.arguments import quoted, refuse_no_choice
from brainseg.config.choices import BUILTIN, TASKS, Identify
from brainseg.config.defaults import default_choose
from brainseg.config.errors import DataError, ImageError
from brainseg.images.layouts import find_subjects
from brainseg.images.preference import Choice
from brainseg.images.source import Source
from brainseg.images.subject import Subject
from brainseg.prediction.job import Job, job_of
from brainseg.prediction.looking import Contrasts
from brainseg.prediction.outputs import folder_for, write_result
from brainseg.prediction.subject import predict_subject
from brainseg.results import provenance
from brainseg.results.places import refuse_unfit_ids, refuse_unfit_output
from brainseg.results.replacing import known_files, recover
from brainseg.results.result import Result
from brainseg.runs.models import checkpoints_of
from brainseg.system.pseudonyms import KEEP
from brainseg.system.threads import computing_with

NOT_HERE = ("input", "derivatives", "forecast", "overwrite")  # of many subjects, which predict.py is for


@dataclass(frozen=True)
class Prediction(Result):
    """A result and its images, all of them in memory.

    Attributes:
        images: By name: brain_mask, tumor_labels, t1_stripped, ..., each on the scan's own grid, as a nibabel
            image.
    """

    images: Mapping[str, nib.Nifti1Image] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        """What a notebook shows: the answers, without the votes of all slices and the provenance."""
        tumor_type = None if self.tumor_type is None else self.tumor_type.verdict
        in_3d = "" if self.tumor_type_3d is None else f"tumor_type_3d={self.tumor_type_3d.verdict!r}, "
        return (
            f"Prediction(subject={self.subject!r}, verdict={str(self.verdict)!r}, reasons={self.reasons}, "
            f"tumor_type={tumor_type!r}, {in_3d}volumes_ml={self.volumes_ml}, images={list(self.images)})"
        )

    def to_json(self) -> dict[str, Any]:
        return Result(**{one.name: getattr(self, one.name) for one in fields(Result)}).to_json()


def predict(
    scans: AnyPath | Mapping[str, AnyPath | InMemory],
    models: Mapping[str, AnyPath | Sequence[AnyPath]],
    *,
    output: AnyPath | None = None,
    **options: Any,
) -> Prediction:
    """Strip, classify and segment the scans of one subject, as predict.py does.

    The models stay loaded for the next call with the same ones.

    Args:
        scans: A scan, a subject's folder or a DICOM folder; or each sequence (t1, t1ce, t2, flair) with its
            path, nibabel image, or (array, affine).
        models: "skullstripper", "classifier", "volume_classifier" and "segmenter" with a checkpoint each. The
            skull stripper may be "otsu"; the segmenter may be several checkpoints, a run or a sweep. A stage
            without a model is left out. A volume classifier takes `pipeline="wished"` as well.
        output: A folder for what predict.py writes: a folder of the subject's name, which replaces an earlier
            result there. Without it nothing is kept on disk, and no page is made.
        options: The other keys of conf/predict.yaml: `device="cpu"`, `gates="none"`,
            `vote={"healthy_at": 0.84}`, `save_probabilities=True`.

    Raises:
        UserError: A scan, a model or an option cannot be used; the line says which, and what to do.
    """
    if options.get("names", KEEP) != KEEP:
        raise ConfigError(f"names={options['names']}: predict.py alone hides names; leave it out here")
    with tempfile.TemporaryDirectory() as temporary, called(_names_in(temporary)):
        subject = _subject(scans, Path(temporary), options, keeps=output is not None)
        folder = Path(temporary, "output") if output is None else Path(output)
        if output is None:
            options = {"page": False, "montage": False, **options}
        job = _job(subject, models, folder, options)
        asked = job.options.threads  # a notebook has its own, which auto leaves as they are
        with computing_with(asked if isinstance(asked, int) else torch.get_num_threads()):
            result = _predicted(subject, job, folder)
        return Prediction(**vars(result), images=_images(folder / subject.id, subject.id))


def _names_in(temporary: str) -> dict[str, str]:
    """What the files of images in memory are called in errors: "t1", and "scans" for all of them."""
    return {str(Path(temporary, f"{name}.nii")): name for name in SEQUENCES} | {temporary: "scans"}


def _subject(
    scans: AnyPath | Mapping[str, AnyPath | InMemory],
    temporary: Path,
    options: Mapping[str, Any],
    *,
    keeps: bool,
) -> Subject:
    if is_path(scans):
        choice = replace(Choice.of(default_choose()), **dict(options.get("choose", {})))
        looker = Contrasts() if str(options.get("identify")) == str(Identify.content) else None
        subjects = find_subjects(Path(os.fspath(scans)), options.get("sequence"), choice, looker)  # type: ignore[arg-type]
        if len(subjects) > 1:
            names = ", ".join(one.id for one in subjects[:3])
            raise DataError(
                f"{scans}: holds {len(subjects)} subjects, such as {names}; give the folder of one, or take "
                "python predict.py, which predicts all of them"
            )
        return subjects[0]
    if not isinstance(scans, Mapping) or not scans:
        raise ImageError(
            f"scans is of type {type(scans).__name__}; give a path, or images by sequence: {{'t1': image}}"
        )
    if unknown := [str(name) for name in scans if name not in SEQUENCES]:
        raise ImageError(f"{unknown[0]!r} is no sequence; the names are {', '.join(SEQUENCES)}")
    if keeps and not all(map(is_path, scans.values())):
        raise ConfigError("output needs scans that are files, which result.json can name; leave output out")
    there = [name for name in SEQUENCES if name in scans]
    images = {name: Source(_file(scans[name], temporary / f"{name}.nii")) for name in there}
    first = next(iter(images.values())).path
    return Subject("subject", first.parent, "sequences", images)


def _file(image: Any, path: Path) -> Path:
    return Path(image) if is_path(image) else stored(image, path)


def _job(subject: Subject, models: Mapping[str, Any], output: Path, options: Mapping[str, Any]) -> Job:
    """The options checked, with the models of the call before where they are the same."""
    _refuse_unfit_models(models)
    if unfit := [name for name in options if name in NOT_HERE]:
        raise ConfigError(f"{unfit[0]} is an option of predict.py, for many subjects; leave it out here")
    given = dict.fromkeys(TASKS) | dict(models)
    overrides = [one for name, value in {**given, **options}.items() for one in _overrides(name, value)]
    named = [one for one in models.values() if one not in (OTSU, BUILTIN)]
    files = [path for one in named for path in checkpoints_of(one)]
    job = _loaded(tuple(overrides), tuple((str(path), *_identity(path)) for path in files))
    places = replace(job.options, input=str(subject.folder), output=str(output))
    return replace(job, options=places, settings=provenance.settings_of(places))


def _refuse_unfit_models(models: Mapping[str, Any]) -> None:
    if not isinstance(models, Mapping):
        raise ConfigError(
            f"models is of type {type(models).__name__}; give paths by name: {{'segmenter': 'best.ckpt'}}"
        )
    if unknown := [str(name) for name in models if name not in TASKS]:
        raise ConfigError(f"{unknown[0]!r} is no model; the names are {', '.join(TASKS)}")
    for name, given in models.items():
        several = name == "segmenter" and isinstance(given, Sequence) and all(map(is_path, given))
        if not (is_path(given) or several):
            raise ConfigError(
                f"the {name} is of type {type(given).__name__}; give a checkpoint's path, or leave it out"
            )


def _identity(path: Path) -> tuple[int, int]:
    if not path.is_file():
        return 0, 0  # loading it says so in one line
    about = path.stat()
    return about.st_mtime_ns, about.st_size


@lru_cache(maxsize=1)
def _loaded(overrides: tuple[str, ...], files: tuple[tuple[str, int, int], ...]) -> Job:
    """A job for no subject yet. `files` is only there so that a changed checkpoint is loaded anew."""
    return job_of(_checked([*overrides, "input=.", "output=."]))


def _checked(overrides: list[str]) -> PredictConfig:
    register_schemas()
    refuse_no_choice("predict", overrides)
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return check_predict(compose("predict", overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from None


def _overrides(key: str, value: Any) -> list[str]:
    """As the command line has them: vote={"healthy_at": 0.9} is vote.healthy_at=0.9."""
    if isinstance(value, Mapping):
        return [one for name, inner in value.items() for one in _overrides(f"{key}.{name}", inner)]
    return [f"{key}={_value(key, value)}"]


def _value(key: str, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_value(key, one) for one in value)}]"
    if is_path(value) or isinstance(value, torch.device):
        return quoted(str(value))
    raise ConfigError(f"{key} is of type {type(value).__name__}; give a text, a number, a list or a dict")


def _predicted(subject: Subject, job: Job, output: Path) -> Result:
    recover(output, known_files)
    refuse_unfit_output(output, [subject])
    refuse_unfit_ids(output, [subject])
    with folder_for(output, subject.id) as folder:
        result = predict_subject(subject, job, folder)
        write_result(folder, result)
    return result


def _images(folder: Path, name: str) -> dict[str, nib.Nifti1Image]:
    """All images of a subject's folder, read to their end: the folder may go."""
    found = {}
    for path in sorted(folder.glob("*.nii.gz")):
        image = nib.Nifti1Image.from_filename(path)
        voxels = nib.Nifti1Image(image.dataobj[...], image.affine, image.header)
        found[path.name.removeprefix(f"{name}_").removesuffix(".nii.gz")] = voxels
    return found
