"""A model is exported, and run.py answers as the model does in a Python that knows no torch."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from brainseg.checkpoint import load_model, read_checkpoint
from brainseg.commands.cli import app
from brainseg.config.errors import CheckpointError, ConfigError
from brainseg.export.folder import export
from brainseg.export.network import write_onnx
from brainseg.images.jpeg import read_slice
from brainseg.metrics import dice
from brainseg.nets import build_volume_net, folded, sees_its_window
from brainseg.prediction.run import run
from brainseg.preprocess.slices import prepare_slice
from brainseg.runs.checkpoint_file import write_checkpoint
from brainseg.tasks import Segmenter

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

# What an environment without torch lacks is not found, whoever asks for it.
WITHOUT_TORCH = """
import runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "scipy", "brainseg", "monai", "skimage", "cc3d", "pydicom"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def answered(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def found(program: Path, *arguments: object) -> dict:
    done = answered(program, *arguments)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


@pytest.fixture(autouse=True)
def in_float32(monkeypatch):
    monkeypatch.setattr("brainseg.system.device.bf16_is_fast", lambda device: False)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The folder of each exported tiny model."""
    root = tmp_path_factory.mktemp("exported")
    for task in ("skullstripper", "segmenter", "classifier"):
        export(trained(task)[1], root / task)
    return root


@pytest.fixture(scope="module")
def scans(patients):
    """The sequences of the first patient, as run.py takes them."""
    names = {"t1": "T1w", "t1ce": "ce-*_T1w", "t2": "T2w", "flair": "FLAIR"}
    folder = patients / "sub-001"
    every = {name: sorted(folder.rglob(f"*{suffix}.nii.gz")) for name, suffix in names.items()}
    every["t1"] = [one for one in every["t1"] if "ce-" not in one.name]
    return {name: f"{name}={files[0]}" for name, files in every.items()}


@pytest.mark.slow
def test_masks_and_probabilities_are_those_of_the_prediction(options, patients, exported, scans, tmp_path):
    run(options(patients, "only=[sub-001]", output=tmp_path / "ours"))
    ours = tmp_path / "ours" / "sub-001"
    out = ("--output", tmp_path, "--stripper", exported / "skullstripper", "--threads", 1)
    brain = found(exported / "skullstripper" / "run.py", scans["t1"], "--output", tmp_path, "--threads", 1)
    assert brain["seconds"].keys() == {"load", "read", "strip", "write"}
    wanted = voxels(ours / "sub-001_brain_mask.nii.gz")
    assert wanted.any()
    assert dice(wanted > 0, voxels(tmp_path / "brain_mask.nii.gz") > 0) >= 0.9999
    tumor = found(exported / "segmenter" / "run.py", *scans.values(), *out, "--probabilities")
    wanted = voxels(ours / "sub-001_tumor_labels.nii.gz")
    assert wanted.any()
    labels = nib.load(tmp_path / "tumor_labels.nii.gz")
    assert (np.asarray(labels.dataobj) == wanted).mean() >= 0.9999
    assert np.allclose(labels.affine, nib.load(ours / "sub-001_tumor_labels.nii.gz").affine)
    assert voxels(tmp_path / "tumor_probabilities.nii.gz").shape == (*wanted.shape, 3)
    assert not tumor["warnings"]
    kind = found(exported / "classifier" / "run.py", *scans.values(), *out)
    said = json.loads((ours / "result.json").read_text())["tumor_type"]
    assert (kind["verdict"], kind["sequence"]) == (said["verdict"], said["sequence"])
    rows = [list(one["probabilities"].values()) for one in said["slices"]]
    assert np.abs(np.subtract(rows, kind["slices"])).max() < 1e-4


@pytest.mark.slow
def test_pictures_get_the_probabilities_of_the_classifier(trained, exported, tmp_path):
    rng = np.random.default_rng(0)
    image = np.pad(rng.integers(60, 250, (50, 40), dtype=np.uint8), 12)
    Image.fromarray(image).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", image[:, ::-1])
    rows = found(exported / "classifier" / "run.py", tmp_path / "a.png", tmp_path / "b.npy")["slices"]
    model = load_model(trained("classifier")[1])
    prepared = [
        prepare_slice(one, model.config.preprocess)
        for one in (read_slice(tmp_path / "a.png"), image[:, ::-1])
    ]
    wanted = model.probabilities(torch.from_numpy(np.stack(prepared)))
    assert np.abs([list(row["probabilities"].values()) for row in rows] - wanted).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("modalities", ["several", "any"])
def test_the_type_of_a_whole_brain_is_that_of_the_prediction(
    modalities, volume_classifier, options, patients, scans, tmp_path
):
    one = ("preprocess.modalities=[any]", "subset_share=0") if modalities == "any" else ()
    checkpoint, brain = volume_classifier(*one), tmp_path / "ours" / "sub-001" / "sub-001_brain_mask.nii.gz"
    export(checkpoint, tmp_path / "exported")
    few = [scans["t1"], scans["flair"]]
    mine = tmp_path / "two" / "sub-001"
    mine.mkdir(parents=True)
    for each in few:
        name, path = each.split("=")
        (mine / f"sub-001_{name}.nii.gz").write_bytes(Path(path).read_bytes())
    models = ("skullstripper=otsu", f"volume_classifier={checkpoint}", "classifier=null", "segmenter=null")
    run(options(mine.parent, "pipeline=wished", *models, output=tmp_path / "ours"))
    said = json.loads((tmp_path / "ours" / "sub-001" / "result.json").read_text())["tumor_type_3d"]
    answer = found(tmp_path / "exported" / "run.py", *few, "--brain", brain, "--output", tmp_path)
    assert (answer["verdict"], answer["sequences"]) == (said["verdict"], said["sequences"])
    assert answer["probabilities"] == pytest.approx(said["probabilities"], abs=1e-4)
    refused = answered(tmp_path / "exported" / "run.py", *few, "--output", tmp_path)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "learnt from brains without skull; give --stripper DIR or --brain MASK" in refused.stderr


@pytest.mark.slow
def test_segmenters_of_subsets_answer_together(trained, exported, options, patients, scans, tmp_path):
    """Two random networks that know every subset of their sequences, of which two are given."""
    files = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        stored = read_checkpoint(trained("segmenter")[1])
        stored["hyper_parameters"]["config"] |= {"subsets": "any", "subset_share": 0.5}
        net = Segmenter(config=stored["hyper_parameters"]["config"]).net
        stored["state_dict"] = {f"net.{name}": value for name, value in net.state_dict().items()}
        stored["brainseg"].pop("fitted", None)
        files.append(tmp_path / f"{seed}.ckpt")
        write_checkpoint(stored, files[-1])
    export(files, tmp_path / "both")
    given = [scans["t1"], scans["flair"]]
    two = patients.parent / "two" / "sub-001"
    two.mkdir(parents=True)
    for one in given:
        name, path = one.split("=")
        (two / f"sub-001_{name}.nii.gz").write_bytes(Path(path).read_bytes())
    run(
        options(two.parent, f"segmenter=[{files[0]},{files[1]}]", "classifier=null", output=tmp_path / "ours")
    )
    wanted = voxels(tmp_path / "ours" / "sub-001" / "sub-001_tumor_labels.nii.gz")
    out = ("--output", tmp_path, "--stripper", exported / "skullstripper")
    assert found(tmp_path / "both" / "run.py", *given, *out)["sequences"] == ["t1", "flair"]
    assert wanted.any()
    assert (voxels(tmp_path / "tumor_labels.nii.gz") == wanted).mean() >= 0.9999


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "norm"),
    [("unet3d", "own"), ("residual_unet3d", "own"), ("segresnet", "own"), ("dynunet", "batch")],
)
def test_every_kind_of_network_becomes_onnx(name, norm, tmp_path):
    net = folded(build_volume_net(name, 2, 3, [8, 16, 32], norm=norm).eval())
    any_size = not sees_its_window(net)
    write_onnx(net, (2, 16, 16, 24), tmp_path / "net.onnx", present=False, any_size=any_size)
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    x = torch.randn(3, 2, 16, *((32, 8) if any_size else (16, 24)))
    with torch.no_grad():
        wanted = net(x).numpy()
    assert np.abs(session.run(None, {"image": x.numpy()})[0] - wanted).max() < 1e-3


@pytest.mark.slow
def test_what_cannot_be_answered_is_said_in_one_line(exported, scans, tmp_path):
    def line(task: str, *arguments: object) -> str:
        done = answered(exported / task / "run.py", *arguments)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        return done.stderr

    assert "no_such.nii: cannot be read" in line("skullstripper", tmp_path / "no_such.nii")
    assert "the segmenter knows t1, t1ce, t2, flair; add" in line("segmenter", scans["t1"])
    assert "say which sequence" in line("segmenter", *(one.split("=")[1] for one in scans.values()))


@pytest.mark.slow
def test_an_export_is_refused_early_in_one_line(trained, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    done = CliRunner().invoke(app, ["export", str(trained("classifier")[1]), str(tmp_path / "full")])
    assert done.exit_code == 2
    with pytest.raises(ConfigError, match="holds other files than an exported model"):
        export(trained("classifier")[1], tmp_path / "full")
    with pytest.raises(CheckpointError, match="one is exported at a time, and 2 were given"):
        export([trained("classifier")[1], trained("skullstripper")[1]], tmp_path / "new")
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr("brainseg.export.folder.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "brainseg\[export\]"'):
        export(trained("classifier")[1], tmp_path / "new")
