"""Training and the audit of volumes say what became of every file."""

import numpy as np
import pytest
from typer.testing import CliRunner

from brainseg.commands.cli import app
from brainseg.config.errors import DataError
from brainseg.data import composed_data
from brainseg.phantom import write_cohort


@pytest.fixture
def cohort(tmp_path):
    """Four subjects in BraTS names, one of which has a second flair."""
    write_cohort(tmp_path / "brats", layout="brats", subjects=4, seed=5, spacing_mm=8.0)
    flair = sorted((tmp_path / "brats").rglob("*_flair.nii.gz"))[0]
    flair.with_name(flair.name.removesuffix(".gz")).write_bytes(np.arange(99, dtype=np.uint8).tobytes())
    return tmp_path / "brats"


def test_training_refuses_the_one_with_a_fault_or_leaves_it_out(cohort, composed, caplog):
    caplog.set_level("INFO")
    settings = ("model=segmenter", "data=brats", f"data.root={cohort}", "data.workers=0", "data.test_share=0")
    small = ("segmenter.preprocess.spacing_mm=[8,8,8]", "segmenter.patch=[16,16,16]")
    with pytest.raises(DataError, match=r"1 of 4 subjects .*both claim to be the flair"):
        composed_data(composed(*settings, *small)).prepare_data()
    assert "21 files: 15 used, 6 left out; brainseg audit names each" in caplog.text
    data = composed_data(composed(*settings, *small, "data.skip_bad=true"))
    data.prepare_data()
    assert len(data.arrays) == 3


def test_the_audit_of_volumes_prints_the_table(cohort):
    ran = CliRunner().invoke(app, ["audit", "data=brats", f"data.root={cohort}"])
    assert ran.exit_code == 0, ran.output
    assert "would fail: " in ran.output
    assert "4 subjects; 21 files: 15 used, 6 left out" in ran.output
