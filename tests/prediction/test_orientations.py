"""A head gives the same brain and the same tumour in the world, whichever of 48 ways its files are stored."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage

from brainseg.config.choices import Blend, Crop, Flips, Intensity
from brainseg.config.training import VolumePreprocess
from brainseg.images.labels import CONVENTIONS
from brainseg.images.layouts import find_subjects
from brainseg.images.nifti import read
from brainseg.images.volume import to_ras
from brainseg.inference import Cleaning, Windows
from brainseg.metrics import dice
from brainseg.prediction.job import Job
from brainseg.prediction.segment import SegmentStage
from brainseg.prediction.strip import NetworkStripper, StripStage
from brainseg.prediction.subject import predict_subject
from brainseg.results.parts import Settings
from brainseg.results.result import Result
from brainseg.runs.model_record import Method

from ..orientations import ORIENTATIONS
from .turned import oblong_head, stored_as

LABELS = ("brain_mask", "tumor_labels")
SEQUENCES = ("t1", "t1ce", "t2", "flair")


def stripper() -> SimpleNamespace:
    """Finds what is bright once smoothed, more so on the right, in front and above: it tells every side."""

    def logits(image, **_):
        smooth = ndimage.gaussian_filter(image[0].numpy(), 1.0)
        x, y, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in smooth.shape)]
        return torch.from_numpy(smooth - 0.3 + 0.1 * x + 0.05 * y + 0.03 * z)[None].float()

    preprocess = VolumePreprocess(["t1"], [5.0, 5.0, 5.0], Intensity.percentile, Crop.head)
    return SimpleNamespace(
        config=SimpleNamespace(preprocess=preprocess),
        device=torch.device("cpu"),
        computing=None,
        facts={},
        logits=logits,
    )


def segmenter() -> SimpleNamespace:
    """Outlines what is bright in FLAIR and not in T1, in three classes by height, on the one side more."""

    def probabilities(image, *_, **__):
        bright = ndimage.gaussian_filter((image[3] - image[0]).numpy(), 0.7)
        x, _, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in bright.shape)]
        scores = np.stack([0 * bright + 0.4, bright + 0.3 * x, bright + 0.3 * z, bright - 0.1 - 0.3 * z])
        return torch.from_numpy(scores).float().softmax(dim=0)

    preprocess = VolumePreprocess(list(SEQUENCES), [3.0, 3.0, 3.0], Intensity.zscore_nonzero, Crop.nonzero)
    return SimpleNamespace(
        config=SimpleNamespace(preprocess=preprocess, margin_mm=4.0),
        device=torch.device("cpu"),
        computing=None,
        facts={},
        subsets=[],
        has_regions=False,
        cavity=False,
        members=[SimpleNamespace(device=torch.device("cpu"), computing=None)],
        temperatures={},
        cleaning=Cleaning(least_part_ml=0.3, fill=True),
        probabilities=probabilities,
        decided=lambda p: p.argmax(dim=0),
        regions=lambda p: torch.stack([p[1:].sum(dim=0), p[1] + p[3], p[3]]),
    )


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Path:
    return oblong_head(tmp_path_factory.mktemp("head"))


@pytest.fixture
def predicted(options, tmp_path):
    """Predict a subject's folder with the stand-ins."""

    def _predicted(folder: Path) -> tuple[Result, Path]:
        chosen = options(folder, "skullstripper=a", "segmenter=b", "classifier=null", "montage=false")
        windows, members = Windows(overlap=0, blend=Blend.gaussian, batch_size=1), [Method("a stand-in")]
        stages = (
            StripStage(NetworkStripper(stripper()), windows, members),
            SegmentStage(segmenter(), windows, Flips.none, CONVENTIONS["brats-2023"], members),
        )
        job = Job(chosen, stages, Settings({}, ""))
        output = tmp_path / "out" / folder.parent.name
        output.mkdir(parents=True)
        (subject,) = find_subjects(folder)
        return predict_subject(subject, job, output), output

    return _predicted


def test_the_brain_and_the_tumour_are_the_same_in_the_world_in_all_48_orientations(head, predicted, tmp_path):
    result, upright = predicted(stored_as("RAS", head, tmp_path / "RAS" / "sub-001"))
    names = [*LABELS, *(f"{sequence}_stripped" for sequence in SEQUENCES)]
    expected = {name: to_ras(read(upright / f"sub-001_{name}.nii.gz")).data[0] for name in names}
    labels = expected["tumor_labels"]
    assert 0.05 < expected["brain_mask"].mean() < 0.6
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert dice(expected["brain_mask"] > 0, expected["brain_mask"][::-1] > 0) < 0.95  # one-sided
    for orientation in ORIENTATIONS[1:]:
        folder = stored_as(orientation, head, tmp_path / orientation / "sub-001")
        again, output = predicted(folder)
        assert again.grid.orientation == orientation
        for name in names:
            made = read(output / f"sub-001_{name}.nii.gz")
            assert made.grid.orientation == orientation
            found = to_ras(made).data[0]
            if name in LABELS:
                for value in np.unique(expected[name])[1:]:
                    same = dice(found == value, expected[name] == value)
                    assert same >= 0.999, (orientation, name, value)
            else:
                np.testing.assert_array_equal(found, expected[name], err_msg=f"{orientation} {name}")
        assert again.volumes_ml == pytest.approx(result.volumes_ml, rel=1e-3)


def test_grids_of_the_inputs_are_in_the_result(head, predicted, tmp_path):
    result, _ = predicted(stored_as("PIL", head, tmp_path / "PIL" / "sub-001"))
    grids = json.loads(json.dumps(result.to_json()))["grids"]
    assert {grid["orientation"] for grid in grids.values()} == {"PIL"}
    assert {grid["brought"] for grid in grids.values()} == {"as it is"}
