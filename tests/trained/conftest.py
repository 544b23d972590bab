from collections.abc import Callable

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import check, conf_dir, plain, register_schemas
from brainseg.trained import SegmenterModel


@pytest.fixture
def segmenter() -> Callable[..., SegmenterModel]:
    """An untrained segmenter of two levels: `python train.py model=segmenter <overrides>`."""

    def _segmenter(*overrides: str) -> SegmenterModel:
        register_schemas()
        small = [
            "segmenter.channels=[4,8]",
            "segmenter.patch=[8,8,8]",
            "segmenter.preprocess.spacing_mm=[2,2,2]",
        ]
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            cfg = compose("train", ["model=segmenter", *small, *overrides])
        check(cfg)
        return SegmenterModel.of(plain(cfg.segmenter)).eval()

    return _segmenter
