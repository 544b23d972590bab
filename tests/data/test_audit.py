"""An audit of slices with planted faults: copies, two labels for one picture, a damaged file."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

from brainseg.commands import cli
from brainseg.config import TUMOR_TYPES
from brainseg.data.audit import audit_slices
from brainseg.data.cache import ArrayCache


@pytest.fixture
def planted(tmp_path):
    """Four pictures a class; one saved twice, one mirrored into another class, one darker in Testing."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    disc = x**2 + (y / 0.8) ** 2 < 0.9

    def save(name, grey):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path)

    for kind in TUMOR_TYPES:
        for i in range(4):
            blobs = ndimage.gaussian_filter(rng.normal(size=(96, 96)), 4)
            grey = np.where(disc, 130 + 45 * blobs / blobs.std(), 0)
            save(f"Training/{kind}/{i}.png", grey)
            if (kind, i) == ("glioma", 0):
                save("Training/glioma/0_again.png", grey)
                save("Training/pituitary/0_mirrored.png", grey[:, ::-1])
        save(f"Testing/{kind}/dark.png", 0.8 * grey)  # of the last picture
    (tmp_path / "set" / "Training" / "notumor" / "broken.png").write_bytes(b"no image")
    return tmp_path / "set"


def test_what_was_planted_is_counted(planted, tmp_path):
    numbers = audit_slices(planted, list(TUMOR_TYPES), ArrayCache(tmp_path / "cache")).numbers()
    assert numbers["files"] == 16 + 2 + 4 + 1
    assert numbers["unreadable"] == 1
    assert numbers["exact_duplicates"] == 1
    assert numbers["near_duplicates"] == 1 + 4
    assert numbers["clusters"] == 1 + 4
    assert numbers["conflicting_clusters"] == 1
    assert numbers["crossing_clusters"] == numbers["training_slices_in_testing"] == 4
    assert numbers["pictures"] == 16


def test_the_command_writes_a_page_and_all_pairs(planted, tmp_path):
    out = tmp_path / "audit"
    arguments = [
        "audit",
        "data=kaggle",
        f"data.root={planted}",
        f"paths.data={tmp_path}",
        "--output",
        str(out),
    ]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    stored = json.loads((out / "audit.json").read_text())
    conflict = [pair for pair in stored["pairs"] if pair["conflict"]]
    assert {pair["second"] for pair in conflict} == {"Training/pituitary/0_mirrored.png"}
    assert all("mirrored" in pair["transform"] for pair in conflict)
    assert list(stored["faults"]) == ["Training/notumor/broken.png"]
    assert "Training/pituitary/0_mirrored.png" in (out / "audit.html").read_text()
