"""Small cohorts in the files of the real data sets, and the data modules that read them."""

import shutil
from pathlib import Path

import pytest

from brainseg.data import composed_data
from brainseg.phantom import write_cohort


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Cohorts of four at 6 mm, each written once."""
    folders: dict[str, Path] = {}

    def _written(layout: str) -> Path:
        if layout not in folders:
            folders[layout] = tmp_path_factory.mktemp(layout) / layout
            write_cohort(folders[layout], layout=layout, subjects=4, seed=3, spacing_mm=6.0)
        return folders[layout]

    return _written


@pytest.fixture
def cohort(written, tmp_path):
    """A copy of a cohort that a test may damage."""

    def _cohort(layout: str) -> Path:
        return Path(shutil.copytree(written(layout), tmp_path / layout))

    return _cohort


@pytest.fixture
def module(composed):
    """The data module that train.py would make for these overrides, its cache in a folder of the test."""

    def _module(root: Path, *overrides: str):
        about = [f"data.root={root}", "data.workers=0", "data.val_share=0.25"]
        return composed_data(composed(*about, *overrides))

    return _module


@pytest.fixture
def ready(module):
    """The same with its scans prepared and split."""

    def _ready(root: Path, *overrides: str):
        data = module(root, *overrides)
        data.prepare_data()
        data.setup("fit")
        return data

    return _ready
