import logging
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from brainseg.config import PredictConfig, check, check_predict, conf_dir, plain, register_schemas
from brainseg.phantom import write_cohort

from .shown import shown_run

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"

# Programs that nohup or a script with & has started ignore these, and so would all that the tests start.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


@pytest.fixture(autouse=True, scope="session")
def own_memory(tmp_path_factory) -> Iterator[None]:
    """No test finds what predictions of this user have timed, nor leaves any behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BRAINSEG_CACHE", raising=False)  # which would win
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("user-cache")))
        yield


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Logging as a test found it: Hydra in this process writes to an output that the test's end closes."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = [one for one in root.handlers if one in before]
    root.setLevel(level)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: begun last, one of them would keep one worker busy and the others idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def composed(tmp_path):
    """Compose the training config as `python train.py <overrides>` would, writing into tmp_path."""
    register_schemas()

    def _compose(*overrides: str) -> DictConfig:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            return compose("train", [*overrides, f"paths.run={tmp_path}", f"paths.data={tmp_path}/data"])

    return _compose


@pytest.fixture
def small_segmenter(composed):
    """The section of a segmenter of two levels: `python train.py model=segmenter <overrides>`."""
    small = ("channels=[4,8]", "patch=[8,8,8]", "preprocess.spacing_mm=[2,2,2]")

    def _section(*overrides: str) -> dict[str, Any]:
        cfg = composed("model=segmenter", *(f"segmenter.{one}" for one in small), *overrides)
        check(cfg)
        return plain(cfg.segmenter)

    return _section


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real scans, or a skip where it is not at hand."""
    folder = Path(os.environ.get("BRAINSEG_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            "no real data here: set BRAINSEG_SHARED to the folder that holds kaggle, brats13 and open_ms"
        )
    return folder


@pytest.fixture(scope="session")
def type_json() -> Callable[[str, dict[str, float]], dict[str, Any]]:
    """What result.json says of a vote of 27 slices that all have these probabilities."""

    def _type(verdict: str, probabilities: dict[str, float]) -> dict[str, Any]:
        vote = {"plane": "axial", "offset_mm": 0.0, "voxel": 3, "probabilities": probabilities}
        return {
            "verdict": verdict,
            "probabilities": probabilities,
            "undecided": max(probabilities.values()) > probabilities[verdict],
            "healthy_at": 0.95,
            "sequence": "t1ce",
            "agreement": 1.0,
            "planes": {"axial": verdict},
            "loudest": {**vote, "heat_in_tumor": None},
            "noise": 0.03,
            "filtered": False,
            "slices": [vote] * 27,
        }

    return _type


@pytest.fixture(scope="session")
def result_json() -> Callable[..., dict[str, Any]]:
    """The values of a whole result.json in which nothing was found, with other values for some keys."""

    def _result(subject: str = "sub-1", **values: Any) -> dict[str, Any]:
        grid = {"reference": "t1", "shape": [4, 4, 4], "spacing_mm": [1.0, 1.0, 1.0], "orientation": "RAS"}
        maps = "volumes_ml diameters_mm left_out grids inputs models seconds peak_memory_mb versions"
        return {
            **{
                "schema": 2,
                "files": [],
                "subject": subject,
                "status": "done",
                "verdict": "pass",
                "tumor_type": None,
            },
            **{"label_convention": None, "segmentation": None, "stages": [], "warnings": [], "gates": []},
            **{"synthetic": False, "grid": grid, **{name: {} for name in maps.split()}},
            "settings": {"values": {}, "sha256": ""},
            "code": {"version": "0.1.0", "sha256": ""},
            "machine": {"processor": "x", "system": "Linux", "python": "3.11.7"},
            **values,
        }

    return _result


TINY = ["data=phantom", "data.spacing_mm=6", "data.subjects=4", "data.workers=0", "trainer=smoke"]
TINY_NET = {
    "classifier": [
        "classifier.backbone=test_resnet",
        "classifier.preprocess.size=32",
        "data.slices_per_subject=3",
    ],
    "skullstripper": [
        "skullstripper.net=unet",
        "skullstripper.channels=[4,8]",
        "skullstripper.preprocess.spacing_mm=[6,6,6]",
        "skullstripper.patch=[32,32,32]",
    ],
    "segmenter": [
        "segmenter.channels=[4,8]",
        "segmenter.preprocess.spacing_mm=[6,6,6]",
        "segmenter.patch=[32,32,32]",
    ],
    "volume_classifier": [
        "volume_classifier.channels=[4,8]",
        "volume_classifier.preprocess.spacing_mm=[6,6,6]",
        "volume_classifier.side=32",
        "data.val_share=0.5",
        "data.test_share=0",
        "data.subjects=8",
    ],
}


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], list[str]]:
    """What makes a run of a task on phantoms take seconds."""
    return lambda task: [f"model={task}", *TINY, *TINY_NET[task]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny) -> Callable[[str], tuple[DictConfig, Path]]:
    """The config and best checkpoint of a tiny model of each task, trained when first asked for."""
    from brainseg.training.train import train

    register_schemas()
    root = tmp_path_factory.mktemp("trained")
    done: dict[str, tuple[DictConfig, Path]] = {}

    def _trained(task: str) -> tuple[DictConfig, Path]:
        if task not in done:
            with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
                cfg = compose(
                    "train", [*tiny(task), f"paths.run={root / task}", f"paths.data={root / 'data'}"]
                )
            train(cfg)
            done[task] = cfg, root / task / "checkpoints" / "best.ckpt"
        return done[task]

    return _trained


@pytest.fixture
def write_dicom() -> Callable[..., list[Path]]:
    """Write a volume (X, Y, Z) as a DICOM series, a slice for each Z, rows along X, under shuffled names.

    Header values are given by keyword; a function of the slice's number is called, and None is left out. The
    files come in the order of the slices.
    """
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    def _write(folder: Path, array: Any, affine: Any, suffix: str = "", **headers: Any) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        series, study = generate_uid(), generate_uid(entropy_srcs=[str(headers.get("PatientID", "P1"))])
        order = list(range(array.shape[2]))
        random.Random(0).shuffle(order)
        lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        along = lps[:3, :3] / spacing
        paths = []
        for z in range(array.shape[2]):
            # (X, Y) with Y upwards becomes rows from the top down.
            pixels = np.ascontiguousarray(array[:, ::-1, z].T)
            corner = lps @ [0, array.shape[1] - 1, z, 1]
            values = {
                "Modality": "MR",
                "PatientID": "P1",
                "PatientName": "Secret^Name",
                "PatientBirthDate": "19700101",
                "StudyInstanceUID": study,
                "StudyDate": "20240131",
                "SeriesInstanceUID": series,
                "SeriesNumber": 1,
                "SeriesDescription": "t1",
                "SOPInstanceUID": generate_uid(),
                "InstanceNumber": z + 1,
                "ImageOrientationPatient": [f"{v:.9g}" for v in (*along[:, 0], *-along[:, 1])],
                "ImagePositionPatient": [f"{v:.9g}" for v in corner[:3]],
                "PixelSpacing": [f"{spacing[1]:.9g}", f"{spacing[0]:.9g}"],
                "Rows": pixels.shape[0],
                "Columns": pixels.shape[1],
                "SamplesPerPixel": 1,
                "PhotometricInterpretation": "MONOCHROME2",
                "BitsAllocated": 16,
                "BitsStored": 16,
                "HighBit": 15,
                "PixelRepresentation": int(pixels.dtype.kind == "i"),
                "PixelData": pixels.tobytes(),
            }
            dataset = pydicom.Dataset()
            for name, value in (values | headers).items():
                value = value(z) if callable(value) else value
                if value is not None and name not in ("SOPClassUID", "compress"):
                    setattr(dataset, name, value)
            dataset.SOPClassUID = headers.get("SOPClassUID", MRImageStorage)
            dataset.file_meta = pydicom.dataset.FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset["PixelData"].VR = "OW"
            if "compress" in headers:
                dataset.compress(headers["compress"], encoding_plugin="pydicom")
            paths.append(folder / f"IM{order[z]:04d}{suffix}")
            dataset.save_as(paths[-1], enforce_file_format=True)
        return paths

    return _write


@pytest.fixture(scope="session")
def volume_classifier(tmp_path_factory) -> Callable[..., Path]:
    """A checkpoint of a classifier of whole brains that has learnt nothing, but tells one from another."""
    import torch

    from brainseg.config import plain
    from brainseg.runs.checkpoint_file import write_checkpoint
    from brainseg.trained import VolumeClassifierModel

    root = tmp_path_factory.mktemp("volume_classifier")
    small = ["net=residual", "channels=[4,8]", "side=32", "preprocess.spacing_mm=[6,6,6]", "margin_mm=6"]

    def _checkpoint(*overrides: str) -> Path:
        path = root / f"{''.join(filter(str.isalnum, ''.join(overrides))) or 'usual'}.ckpt"
        if path.exists():
            return path
        register_schemas()
        given = [f"volume_classifier.{one}" for one in (*small, *overrides)]
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            config = plain(compose("train", ["model=volume_classifier", *given]).volume_classifier)
        torch.manual_seed(3)
        net = VolumeClassifierModel.of(config).net
        with torch.no_grad():
            net.out.weight.normal_(0, 0.3)  # which begin as 0
        run = {"facts": {"phantom": {}, "train_subjects": 3}, "data": {}, "seed": 0}
        about = {"format": 1, "task": "volume_classifier", "run": run, "fitted": {"temperature": 1.5}}
        weights = {f"net.{name}": value for name, value in net.state_dict().items()}
        write_checkpoint(
            {"brainseg": about, "hyper_parameters": {"config": config}, "state_dict": weights}, path
        )
        return path

    return _checkpoint


STAGES = ("skullstripper", "classifier", "segmenter")


@pytest.fixture(scope="session")
def patients(tmp_path_factory) -> Path:
    """Two unseen whole heads with four sequences, one with a glioma."""
    folder = tmp_path_factory.mktemp("patients") / "bids"
    write_cohort(folder, layout="bids", subjects=2, seed=77, spacing_mm=4.0, types=["glioma", "notumor"])
    return folder


@pytest.fixture
def options(trained, tmp_path) -> Callable[..., PredictConfig]:
    """The options of `python predict.py input=... <overrides>` with tiny models; a stage may be null."""

    def _options(source: Path, *overrides: str, output: Path | None = None) -> PredictConfig:
        register_schemas()
        given = {override.split("=")[0] for override in overrides}
        if "gates" not in given:
            overrides = ("gates=none", *overrides)  # tiny models find no brains
        if "page" not in given:
            overrides = ("page=false", *overrides)  # test_pages.py looks at them
        models = [f"{task}={trained(task)[1]}" for task in STAGES if task not in given]
        fixed = [f"input={source}", f"output={output or tmp_path / 'out'}", "device=cpu"]
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return check_predict(compose("predict", [*fixed, *models, *overrides]))

    return _options


@pytest.fixture
def offline(monkeypatch):
    """W&B without network and without words."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.fixture
def shown():
    """What W&B would show of each of the runs in a folder, in the order in which they were begun."""

    def _shown(folder):
        files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
        end = time.monotonic() + 20
        while time.monotonic() < end and any(shown_run(file).exit_code is None for file in files):
            time.sleep(0.1)  # W&B's own process may still be writing
        return [shown_run(file) for file in files]

    return _shown


@pytest.fixture
def enhanced() -> Callable[..., Path]:
    """Write slices of classic DICOM files as the frames of one enhanced file."""

    def _enhanced(path: Path, slices: list[Path], *, frames: Any = None, compress: Any = None) -> Path:
        """The slices of classic files as the frames of one enhanced file, in the order given.

        Args:
            path: The new file.
            slices: Classic files of one series.
            frames: More of each frame: a dictionary of keywords for each.
            compress: A transfer syntax.
        """
        import pydicom
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

        def item(**values: Any) -> Any:
            dataset = Dataset()
            for name, value in values.items():
                setattr(dataset, name, value)
            return Sequence([dataset])

        sources = [pydicom.dcmread(file) for file in slices]
        whole = pydicom.dcmread(slices[0])
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "EchoTime"):
            if name in whole:
                delattr(whole, name)
        whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedMRImageStorage
        whole.NumberOfFrames = len(sources)
        whole.PixelData = b"".join(one.PixelData for one in sources)
        shared = Dataset()
        shared.PixelMeasuresSequence = item(PixelSpacing=sources[0].PixelSpacing)
        whole.SharedFunctionalGroupsSequence = Sequence([shared])
        groups = []
        for k, one in enumerate(sources):
            more = (frames or [{}] * len(sources))[k]
            group = Dataset()
            group.PlanePositionSequence = item(ImagePositionPatient=one.ImagePositionPatient)
            group.PlaneOrientationSequence = item(ImageOrientationPatient=one.ImageOrientationPatient)
            group.PixelValueTransformationSequence = item(
                RescaleSlope=more.get("slope", 1), RescaleIntercept=more.get("intercept", 0)
            )
            if "echo" in more:
                group.MREchoSequence = item(EffectiveEchoTime=float(more["echo"]))
            if "component" in more:
                group.MRImageFrameTypeSequence = item(
                    FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"], ComplexImageComponent=more["component"]
                )
            groups.append(group)
        whole.PerFrameFunctionalGroupsSequence = Sequence(groups)
        whole["PixelData"].VR = "OW"
        if compress:
            whole.compress(compress, encoding_plugin="pydicom")
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.save_as(path, enforce_file_format=True)
        return path

    return _enhanced
