"""brainseg.predict, classify, evaluate and load_model: the same answers as the commands."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import brainseg
from brainseg.config.errors import CheckpointError, ConfigError, DataError, ImageError
from brainseg.prediction.run import run
from brainseg.results.read import read_result

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("skullstripper", "classifier", "segmenter")


@pytest.fixture(scope="module")
def models(trained):
    return {task: trained(task)[1] for task in TASKS}


@pytest.fixture
def patient(patients):
    return next(iter(sorted(patients.glob("sub-*"))))


def files_of(patient):
    ends = {"t1": "_T1w", "t1ce": "_ce-gadolinium_T1w", "t2": "_T2w", "flair": "_FLAIR"}
    return {name: patient / "anat" / f"{patient.name}{end}.nii.gz" for name, end in ends.items()}


def test_predict_finds_what_the_command_finds(patient, models, options, tmp_path):
    run(options(patient, "montage=false"))
    stored = read_result(tmp_path / "out" / patient.name)
    found = brainseg.predict(patient, models, device="cpu", gates="none")
    assert found.volumes_ml == stored.volumes_ml
    assert found.tumor_type == stored.tumor_type
    assert found.settings.sha256 == stored.settings.sha256
    written = nib.load(tmp_path / "out" / patient.name / f"{patient.name}_tumor_labels.nii.gz")
    assert np.array_equal(found.images["tumor_labels"].get_fdata(), written.get_fdata())
    assert np.array_equal(found.images["tumor_labels"].affine, written.affine)


def test_images_in_memory_are_predicted_as_their_files_are(patient, models):
    files = files_of(patient)
    by_path = brainseg.predict(files, models, device="cpu", gates="none")
    images = {name: nib.load(file) for name, file in files.items()}
    by_image = brainseg.predict(images, models, device="cpu", gates="none")
    arrays = {name: (one.get_fdata(dtype=np.float32), one.affine) for name, one in images.items()}
    by_array = brainseg.predict(arrays, models, device="cpu", gates="none")
    for other in (by_image, by_array):
        assert other.volumes_ml == by_path.volumes_ml
        assert other.tumor_type == by_path.tumor_type
        for name, image in by_path.images.items():
            assert np.array_equal(image.get_fdata(), other.images[name].get_fdata()), name


def test_output_keeps_what_the_command_keeps_and_a_prediction_is_a_result(patient, models, tmp_path):
    found = brainseg.predict(patient, models, output=tmp_path / "kept", device="cpu", gates="none")
    folder = tmp_path / "kept" / patient.name
    assert json.loads((folder / "result.json").read_text()) == found.to_json()
    assert (folder / "report.html").is_file()
    assert (folder / "SHA256SUMS").is_file()


def test_nothing_is_left_on_disk_without_output(patient, models, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = brainseg.predict(patient, {"skullstripper": "otsu"}, gates="none")
    assert list(tmp_path.iterdir()) == []
    assert found.images["brain_mask"].get_fdata().sum() > 0  # read to its end before


@pytest.mark.parametrize(
    ("scans", "models", "options", "error", "said"),
    [
        (
            {},
            {"skullstripper": "otsu"},
            {},
            ImageError,
            "scans is a dict; give a path, or images by sequence",
        ),
        (
            {"t3": "x"},
            {"skullstripper": "otsu"},
            {},
            ImageError,
            "'t3' is no sequence; the names are t1, t1ce",
        ),
        ({"t1": np.ones((4, 4, 4))}, {"skullstripper": "otsu"}, {}, ImageError, "has no voxel size; give"),
        ({"t1": "x.nii"}, {"stripper": "otsu"}, {}, ConfigError, "'stripper' is no model; the names are"),
        ({"t1": "x.nii"}, {"segmenter": 3}, {}, ConfigError, "the segmenter is of type int; give the path"),
        (
            {"t1": "x.nii"},
            {"skullstripper": "otsu"},
            {"overwrite": True},
            ConfigError,
            "option of predict.py",
        ),
        (
            {"t1": "x.nii"},
            {"skullstripper": "otsu"},
            {"vote": {"helthy_at": 1}},
            ConfigError,
            "mean healthy_at",
        ),
        ({"t1": "x.nii"}, {"skullstripper": "otsu"}, {}, ImageError, "x.nii"),
        ({"t1": "x.nii"}, {"segmenter": "no.ckpt"}, {}, CheckpointError, "no.ckpt: no such checkpoint"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(scans, models, options, error, said):
    with pytest.raises(error, match=said) as refused:
        brainseg.predict(scans, models, **options)
    assert "\n" not in str(refused.value)


def test_a_folder_of_several_subjects_is_for_predict_py(patients):
    with pytest.raises(DataError, match="holds 2 subjects, such as"):
        brainseg.predict(patients, {"skullstripper": "otsu"})


def test_images_in_memory_cannot_be_named_in_a_kept_result(patient, tmp_path):
    image = nib.load(files_of(patient)["t1"])
    with pytest.raises(ConfigError, match="leave output out"):
        brainseg.predict({"t1": image}, {"skullstripper": "otsu"}, output=tmp_path / "kept")


def test_a_checkpoint_that_changed_is_loaded_anew(patient, trained, tmp_path):
    path = tmp_path / "best.ckpt"
    shutil.copy(trained("classifier")[1], path)
    first = brainseg.predict(patient, {"classifier": path}, gates="none", device="cpu")
    path.write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match=r"best\.ckpt"):
        brainseg.predict(patient, {"classifier": path}, gates="none", device="cpu")
    assert first.tumor_type is not None


def test_slices_are_classified_alike_as_files_arrays_and_pil_images(trained, tmp_path):
    path = trained("classifier")[1]
    grey = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    given = [tmp_path / "a.png", grey, Image.fromarray(grey), np.stack([grey] * 3, axis=-1)]
    answers = brainseg.classify(given, brainseg.load_model(path))
    assert [one.probabilities for one in answers] == [answers[0].probabilities] * 4
    assert sum(answers[0].probabilities.values()) == pytest.approx(1)
    assert answers[0].type == max(answers[0].probabilities, key=answers[0].probabilities.get)
    (alone,) = brainseg.classify(str(tmp_path / "a.png"), path, device="cpu")  # in a batch of its own
    assert alone.probabilities == pytest.approx(answers[0].probabilities, abs=1e-6)


def test_classify_refuses_what_is_no_slice_and_what_is_no_classifier(trained):
    with pytest.raises(ImageError, match=r"this one is \(4, 4, 4\)"):
        brainseg.classify(np.ones((4, 4, 4)), trained("classifier")[1])
    with pytest.raises(CheckpointError, match="segmenter"):
        brainseg.classify(np.ones((4, 4)), brainseg.load_model(trained("segmenter")[1]))


def test_cubes_that_share_half_their_voxels_have_a_dice_of_one_half():
    truth, guess = np.zeros((12, 12, 12), bool), np.zeros((12, 12, 12), bool)
    truth[2:6, 2:6, 2:6] = guess[4:8, 2:6, 2:6] = True
    scores = brainseg.evaluate(truth, guess, "brain", spacing_mm=(1, 1, 1))
    assert scores["dice"] == pytest.approx(0.5)
    assert scores["iou"] == pytest.approx(1 / 3)
    whole = brainseg.evaluate(
        (truth.astype(np.uint8) * 2, np.eye(4)), nib.Nifti1Image(guess.astype(np.uint8) * 2, np.eye(4)),
        labels="brats-2023",
    )  # fmt: skip
    assert whole["dice/whole_tumor"] == pytest.approx(0.5)
    assert whole["dice/enhancing_tumor"] == 1.0  # it is in neither


def test_what_cannot_be_compared_is_one_line(tmp_path):
    one, other = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 5), np.uint8)
    with pytest.raises(DataError, match="the guess does not lie on the grid of the truth"):
        brainseg.evaluate(one, other, labels="brats-2023", spacing_mm=(1, 1, 1))
    with pytest.raises(DataError, match="the truth: has labels 9"):
        brainseg.evaluate(one + 9, one, labels="brats-2023", spacing_mm=(1, 1, 1))
    with pytest.raises(DataError, match="is a folder; give two files"):
        brainseg.evaluate(tmp_path, one, spacing_mm=(1, 1, 1))


def test_importing_brainseg_loads_no_torch():
    code = "import sys, brainseg; assert 'torch' not in sys.modules; "
    code += "brainseg.predict; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.slow
def test_the_notebook_of_the_documentation_runs(models, patients, tmp_path, monkeypatch):
    """On tiny models in the places where the demo leaves its own; its sub-002 is ours."""
    for task, checkpoint in models.items():
        (folder := tmp_path / "outputs" / "demo" / task / "checkpoints").mkdir(parents=True)
        shutil.copy(checkpoint, folder / "last.ckpt")
    shutil.copytree(patients, tmp_path / "outputs" / "demo" / "patients")
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "docs" / "how-to" / "python.ipynb").read_text())["cells"]
    names: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            source = source.replace('device="cpu"', 'device="cpu", gates="none"')  # they find no brains
            exec(compile(source, cell["id"], "exec"), names)
    assert names["found"].images["tumor_labels"].shape == names["scan"].shape
    assert "dice/whole_tumor" in names["scores"]
