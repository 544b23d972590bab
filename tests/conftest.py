import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from brainseg.config import register_schemas

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"


@pytest.fixture
def composed(tmp_path):
    """Compose the training config as `python train.py <overrides>` would, writing into tmp_path."""
    register_schemas()

    def _compose(*overrides: str) -> DictConfig:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            return compose("train", [*overrides, f"paths.run={tmp_path}", f"paths.data={tmp_path}/data"])

    return _compose


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real scans, or a skip where it is not at hand."""
    folder = Path(os.environ.get("BRAINSEG_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            "no real data here: set BRAINSEG_SHARED to the folder that holds kaggle, brats13 and open_ms"
        )
    return folder


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
}


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], list[str]]:
    """What makes a run of a task on phantoms take seconds."""
    return lambda task: [f"model={task}", *TINY, *TINY_NET[task]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny) -> Callable[[str], tuple[DictConfig, Path]]:
    """The config and best checkpoint of a tiny model of each task, trained when first asked for."""
    from brainseg.training import train

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
