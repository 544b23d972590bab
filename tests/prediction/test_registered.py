"""pipeline.register=rigid: sequences of a patient who moved between them are brought together."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from brainseg.config.choices import Align, Blend, Crop, Intensity
from brainseg.config.errors import ConfigError
from brainseg.config.training import VolumePreprocess
from brainseg.images.layouts import find_subjects
from brainseg.images.nifti import write
from brainseg.images.volume import Grid, Volume, resample_to, to_ras
from brainseg.inference import Windows, fill_holes
from brainseg.metrics import dice
from brainseg.phantom import make_subject
from brainseg.prediction.forecast import REGISTER_S, forecast
from brainseg.prediction.job import Job
from brainseg.prediction.scans import Scans, read_scans, registered
from brainseg.prediction.strip import NetworkStripper, StripStage, strip
from brainseg.prediction.subject import predict_subject
from brainseg.results.parts import Settings
from brainseg.results.result import Result
from brainseg.runs.model_record import Method

WINDOWS = Windows(overlap=0, blend=Blend.gaussian, batch_size=1)
MOTION = nib.affines.from_matvec(Rotation.from_euler("xyz", [6, 0, 4], degrees=True).as_matrix(), [3, 8, -9])


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """T1w, a T2w of the moved head on a grid of its own, a FLAIR that is noise; the brain in each."""
    folder = tmp_path_factory.mktemp("moved") / "sub-001"
    subject = make_subject(21, tumor_type="glioma", spacing_mm=3.0, sequences=("t1", "t2"))
    own = Grid((60, 70, 50), nib.affines.from_matvec(np.diag([-3.0, -3.0, 4.0]), [88.0, 104.0, -98.0]))
    brain = fill_holes(subject.brain)
    moved = Grid(subject.grid.shape, MOTION @ subject.grid.affine)
    t2 = resample_to(Volume(subject.images["t2"][None], moved), own, nearest=False)
    in_t2 = resample_to(Volume(brain[None].astype(np.uint8), moved), own, nearest=True).data[0] > 0
    noise = np.random.default_rng(0).integers(0, 1000, subject.grid.shape)
    write(folder / "sub-001_T1w.nii.gz", np.rint(subject.images["t1"]).astype(np.int16), subject.grid)
    write(folder / "sub-001_T2w.nii.gz", np.rint(t2.data[0]).astype(np.int16), own)
    write(folder / "sub-001_FLAIR.nii.gz", noise.astype(np.int16), subject.grid)
    return SimpleNamespace(folder=folder, t1=brain, t2=in_t2)


@pytest.fixture
def job(options, patient):
    """The linked prediction with a stripper that finds the very brain in T1w."""

    def _job(*overrides: str) -> Job:
        quick = ("skullstripper=a", "segmenter=null", "classifier=null", "montage=false")
        chosen = options(patient.folder, *quick, *overrides)
        stage = StripStage(NetworkStripper(knows(patient.t1)), WINDOWS, [Method("a stand-in")])
        return Job(chosen, (stage,), Settings({}, ""))

    return _job


def knows(brain: np.ndarray, sequence: str = "t1") -> SimpleNamespace:
    answer = torch.from_numpy(np.where(brain, 5.0, -5.0).astype(np.float32))[None]
    preprocess = VolumePreprocess([sequence], None, Intensity.minmax, Crop.none)
    config, asked = SimpleNamespace(preprocess=preprocess), []

    def logits(image, **_):
        asked.append(image)
        return answer

    return SimpleNamespace(
        config=config, device=torch.device("cpu"), computing=None, facts={}, logits=logits, asked=asked
    )


@pytest.fixture(scope="module")
def done() -> dict:
    return {}


@pytest.fixture
def predicted(job, patient, done, tmp_path_factory):
    """The result and the folder of a prediction, made when its name is first asked for."""

    def _predicted(name: str, *overrides: str) -> tuple[Result, Path]:
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            (subject,) = find_subjects(patient.folder)
            done[name] = predict_subject(subject, job(*overrides), folder), folder
        return done[name]

    return _predicted


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_the_mask_is_carried_to_a_moved_sequence_s_own_grid_and_its_voxels_are_kept(predicted, patient):
    result, output = predicted("rigid", "pipeline.register=rigid")
    _, headers = predicted("none")
    found = {p: voxels(p / "sub-001_t2_brain_mask.nii.gz") > 0 for p in (output, headers)}
    assert dice(found[headers], patient.t2) < 0.85
    assert dice(found[output], patient.t2) > 0.96
    scan = nib.load(patient.folder / "sub-001_T2w.nii.gz")
    stripped = nib.load(output / "sub-001_t2_stripped.nii.gz")
    assert stripped.header["sform_code"] == scan.header["sform_code"]
    np.testing.assert_array_equal(stripped.affine, scan.affine)
    np.testing.assert_array_equal(voxels(stripped.get_filename()), np.where(found[output], scan.dataobj, 0))
    np.testing.assert_array_equal(voxels(output / "sub-001_brain_mask.nii.gz") > 0, patient.t1)
    assert "register" in result.seconds


def test_what_was_done_is_in_the_result_and_noise_is_named_and_stays(predicted, patient):
    result, output = predicted("rigid", "pipeline.register=rigid")
    assert result.warnings == [
        "flair could not be registered to t1 and was left where its header puts it: the mutual "
        "information is 0.00 nats (limit: at least 0.1); look at the two scans"
    ]
    grids = json.loads(json.dumps(result.to_json()))["grids"]
    assert grids["t1"]["brought"] == "as it is"
    assert grids["t1"]["registration"] is None
    assert grids["t2"]["brought"].startswith("registered: moved by ")
    numbers = grids["t2"]["registration"]
    left = np.array(numbers["matrix"]) @ MOTION  # what is not undone
    assert np.degrees(Rotation.from_matrix(left[:3, :3]).magnitude()) < 0.7
    np.testing.assert_allclose(left[:3, 3], 0, atol=0.7)
    assert numbers["refused"] is None
    assert 10 < numbers["largest_mm"] < 40
    assert numbers["mutual_information"]["registered"] > numbers["mutual_information"]["by_headers"]
    assert grids["flair"]["brought"].startswith("as it is; registering it was refused: the mutual")
    kept = voxels(output / "sub-001_flair_stripped.nii.gz")
    np.testing.assert_array_equal(
        kept, np.where(patient.t1, voxels(patient.folder / "sub-001_FLAIR.nii.gz"), 0)
    )


def test_two_predictions_are_the_same_bit_for_bit(predicted):
    (one, first), (two, second) = (predicted(name, "pipeline.register=rigid") for name in ("rigid", "again"))
    assert one.grids == two.grids
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_gates_judge_what_lies_on_each_other_after_registration(predicted):
    def apart(result: Result) -> float:
        return next(g.value for g in result.gates if g.gate == "apart_mm" and g.of == "t1 and t2")

    by_headers, moved = (
        predicted(f"judged-{how}", f"pipeline.register={how}", "gates=default")[0]
        for how in ("none", "rigid")
    )
    assert apart(by_headers) > 7
    assert apart(moved) < 4.1


@pytest.fixture(scope="module")
def scans(patient) -> Scans:
    """T1 and the T2 that was registered to it."""
    (subject,) = find_subjects(patient.folder)
    every = read_scans(subject, None, Align.resample)
    return registered(Scans({name: every.images[name] for name in ("t1", "t2")}, "t1"))


def test_a_network_sees_a_registered_sequence_interpolated_once(scans):
    seen = scans.on_reference("t2")
    assert seen is scans.on_reference("t2")
    moved = Volume(scans.images["t2"].data, scans.registrations["t2"].moved(scans.images["t2"].grid))
    np.testing.assert_array_equal(seen.data, resample_to(moved, scans.grid, nearest=False).data)
    assert seen.grid is scans.grid


def test_a_stripper_of_any_sequence_is_asked_once_where_sequences_share_a_head(patient, scans):
    model = knows(to_ras(Volume(patient.t1[None], scans.grid)).data[0], "any")
    found = strip(scans, NetworkStripper(model), WINDOWS)
    assert (len(model.asked), found.own) == (1, {})


def test_a_forecast_counts_registration_on_the_whole_scan(job, patient):
    (subject,) = find_subjects(patient.folder)
    still, moving = (
        forecast(subject, dataclasses.replace(job("montage=false", f"pipeline.register={how}"), stages=()))
        for how in ("none", "rigid")
    )
    assert moving.seconds - still.seconds == pytest.approx(2 * REGISTER_S, abs=0.5)  # of three sequences


def test_registering_where_resampling_is_refused_contradicts_itself(options, patient):
    with pytest.raises(
        ConfigError, match=r"pipeline\.register=rigid resamples .* set pipeline\.align=resample"
    ):
        options(
            patient.folder, "skullstripper=otsu", "segmenter=null", "classifier=null",
            "pipeline.register=rigid", "pipeline.align=refuse",
        )  # fmt: skip
