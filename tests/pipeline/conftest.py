from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import PredictConfig, check_predict, conf_dir, register_schemas
from brainseg.phantom import write_cohort

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
