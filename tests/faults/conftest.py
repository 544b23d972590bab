from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import PredictConfig, check_predict, conf_dir, register_schemas
from brainseg.phantom import write_cohort

NOTHING_BUT_OTSU = ("skullstripper=otsu", "montage=false", "page=false", "gates=none")


@pytest.fixture(scope="session")
def coarse_heads(tmp_path_factory) -> Path:
    """A healthy head and one with a glioma at 5 mm, four sequences each; only to be read."""
    folder = tmp_path_factory.mktemp("heads") / "bids"
    write_cohort(folder, layout="bids", subjects=2, seed=77, spacing_mm=5.0, types=["glioma", "notumor"])
    return folder


@pytest.fixture
def predict_options(tmp_path) -> Callable[..., PredictConfig]:
    """The options of `predict input=SOURCE output=tmp_path/out` with Otsu alone, and overrides."""

    def _options(source: Path, *overrides: str) -> PredictConfig:
        register_schemas()
        given = {override.split("=")[0] for override in overrides}
        fixed = [f"input={source}", f"output={tmp_path / 'out'}", "device=cpu", *NOTHING_BUT_OTSU]
        kept = [one for one in fixed if one.split("=")[0] not in given]
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return check_predict(compose("predict", [*kept, *overrides]))

    return _options
