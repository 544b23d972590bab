"""brainseg.predict, classify, evaluate and load_model: the same answers as the commands."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

import brainseg
from brainseg.api.memory import stored
from brainseg.config.errors import CheckpointError, ConfigError, DataError, ImageError, LabelError
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


def test_predict_names_the_type_of_a_whole_brain(patient, volume_classifier):
    given = {"skullstripper": "otsu", "volume_classifier": volume_classifier()}
    found = brainseg.predict(files_of(patient), given, pipeline="wished", device="cpu", gates="none")
    assert found.stages == ["strip", "classify_volume"]
    assert f"tumor_type_3d={found.tumor_type_3d.verdict!r}" in repr(found)
    assert found.to_json()["tumor_type_3d"]["sequences"] == ["t1", "t1ce", "t2", "flair"]
    with pytest.raises(ConfigError, match=r"pipeline\.stages has no classify_volume; set pipeline=wished$"):
        brainseg.predict(files_of(patient), given, device="cpu")


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
            "scans is of type dict; give a path, or images by sequence",
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
        (
            {"t1": "x.nii"},
            {"segmenter": 3},
            {},
            ConfigError,
            "the segmenter is of type int; give a checkpoint",
        ),
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
            "mean vote.healthy_at",
        ),
        ({"t1": "x.nii"}, {"skullstripper": "otsu"}, {}, ImageError, "x.nii"),
        ({"t1": "x.nii"}, {"segmenter": "no.ckpt"}, {}, CheckpointError, "no.ckpt: no such checkpoint"),
        ({"t1": "x.nii"}, "best.ckpt", {}, ConfigError, "models is of type str; give paths by name"),
        ({"t1": "x.nii"}, {"skullstripper": ["a", "b"]}, {}, ConfigError, "skullstripper is of type list"),
        ({"t1": "x.nii"}, {"skullstripper": "otsu"}, {"gates": {1}}, ConfigError, "gates is of type set"),
        ("x.nii", {"skullstripper": "otsu"}, {}, DataError, "x.nii: no such file or folder"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(scans, models, options, error, said):
    with pytest.raises(error, match=said) as refused:
        brainseg.predict(scans, models, **options)
    assert "\n" not in str(refused.value)


CUBE = np.ones((4, 4, 4), np.float32)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ((np.full_like(CUBE, np.nan), np.eye(4)), r"^t1: 64 of 64 voxels are NaN or infinite"),
        (
            (np.stack([CUBE] * 3, axis=-1), np.eye(4)),
            r"^t1: the image has shape \(4, 4, 4, 3\); give one volume",
        ),
        ((CUBE[0], np.eye(4)), r"^t1: has 2 dimensions"),
        ((CUBE.astype(complex), np.eye(4)), "^t1: voxels of type complex128 cannot be used"),
        ((CUBE, np.zeros((4, 4))), "^t1: the affine cannot be inverted"),
        ((CUBE, None), r"^t1: the affine has shape \(\); give a matrix \(4, 4\)"),
        (None, "^t1: an image of type NoneType cannot be used"),
    ],
)
def test_an_image_in_memory_that_cannot_be_used_is_named_by_its_sequence(image, said):
    with pytest.raises(ImageError, match=said) as refused:
        brainseg.predict({"t1": image}, {"skullstripper": "otsu"})
    assert "/t" not in str(refused.value)  # the temporary file


def test_images_of_every_number_type_and_orientation_give_one_brain(patient):
    scan = nib.load(files_of(patient)["t1"])
    values = scan.get_fdata()
    voxels = np.rint(values * 2000 / values.max())  # whole numbers that a half-precision float holds
    lps = nib.Nifti1Image(voxels, scan.affine).as_reoriented(np.array([[0, -1], [1, -1], [2, 1]]))
    given = [(voxels.astype(kind), scan.affine) for kind in (np.float16, np.longdouble, np.int64, ">f4")]
    options = {"device": torch.device("cpu"), "gates": "none", "vote": {"healthy_at": np.float64(0.5)}}
    found = [brainseg.predict({"t1": one}, {"skullstripper": "otsu"}, **options) for one in [*given, lps]]
    assert len({one.volumes_ml["brain"] for one in found}) == 1
    assert nib.aff2axcodes(found[-1].images["brain_mask"].affine) == ("L", "P", "S")


def test_a_prediction_is_shown_in_a_few_lines(patient, models):
    shown = repr(brainseg.predict(patient, models, device="cpu", gates="none"))
    assert shown.startswith(f"Prediction(subject='{patient.name}', verdict='not judged', reasons=[]")
    assert len(shown) < 600


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


def test_pil_images_and_arrays_of_any_depth_are_classified_alike(trained, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint16)
    deep = grey * 200
    Image.fromarray(deep).save(tmp_path / "deep.png")
    given = [
        tmp_path / "deep.png",
        Image.fromarray(deep),
        deep,
        deep.astype(np.float16) / 4,
        torch.tensor(grey),
    ]
    answers = brainseg.classify(given, trained("classifier")[1], device="cpu")
    assert len({one.type for one in answers}) == 1
    assert [one.probabilities for one in answers[1:3]] == [answers[0].probabilities] * 2
    mask = grey > 100
    one, other = brainseg.classify([mask, Image.fromarray(mask)], trained("classifier")[1], device="cpu")
    assert one == other


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.full((4, 5), np.nan), r"a slice \(4, 5\) cannot be used: 20 of 20 pixels are NaN or infinite"),
        (np.ones((0, 5)), "it has no pixels"),
        (np.ones((3, 4, 5)), "give several slices as a list"),
        (np.ones((4, 5), complex), "a slice of type complex128 cannot be used"),
        (None, "a slice of type NoneType cannot be used"),
    ],
)
def test_what_cannot_be_classified_is_one_line(image, said, trained):
    with pytest.raises(ImageError, match=said):
        brainseg.classify(image, trained("classifier")[1])


def test_a_model_that_cannot_be_loaded_is_one_line(trained):
    path = trained("classifier")[1]
    with pytest.raises(CheckpointError, match="is a folder; give the checkpoint in it"):
        brainseg.load_model(path.parent)
    with pytest.raises(ConfigError, match="device: 'gpu' is not known"):
        brainseg.load_model(path, "gpu")
    with pytest.raises(CheckpointError, match="the model is of type list"):
        brainseg.classify(np.ones((4, 4)), [path])


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


def test_whole_numbers_too_large_for_32_bits_keep_their_size(tmp_path):
    large = np.full((2, 2, 2), 2**40)
    written = nib.load(stored((large, np.eye(4)), tmp_path / "a.nii"))
    assert np.array_equal(written.get_fdata(), large)


def test_what_cannot_be_compared_is_one_line(tmp_path):
    one, other = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 5), np.uint8)
    with pytest.raises(DataError, match="the guess does not lie on the grid of the truth"):
        brainseg.evaluate(one, other, labels="brats-2023", spacing_mm=(1, 1, 1))
    with pytest.raises(DataError, match="the truth: has labels 9"):
        brainseg.evaluate(one + 9, one, labels="brats-2023", spacing_mm=(1, 1, 1))
    with pytest.raises(
        LabelError, match=r"^the truth: labels 0 are ambiguous.*; set labels= to one of these"
    ):
        brainseg.evaluate(one, one, spacing_mm=(1, 1, 1))
    with pytest.raises(ConfigError, match="protocol='brats' is unknown; choose one of brain, brats-legacy"):
        brainseg.evaluate(one, one, "brats", spacing_mm=(1, 1, 1))
    with pytest.raises(ImageError, match=r"spacing_mm=\(0, 1, 1\) must be three positive numbers"):
        brainseg.evaluate(one, one, "brain", spacing_mm=(0, 1, 1))
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
