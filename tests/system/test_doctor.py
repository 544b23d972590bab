import importlib
import platform
from importlib import metadata

import pytest
import torch

from brainseg.system import device, doctor
from brainseg.system.doctor import Check, examine, is_healthy


@pytest.fixture
def checks(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("BRAINSEG_DATA", raising=False)
    return {check.name: check for check in examine(outputs=tmp_path / "outputs")}


def test_everything_that_matters_is_looked_at_once(checks):
    expected = {"python", "brainseg", "torch", "torchvision", "pytorch-lightning", "monai", "timm", "nibabel"}
    expected |= {"wandb", "torch with torchvision", "device", "precision", "threads", "memory", "W&B"}
    assert expected | {"hydra-core", "configuration", "data folder", "outputs"} == set(checks)


def test_versions_are_those_that_run(checks):
    assert checks["python"].value == platform.python_version()
    assert checks["torch"].value == metadata.version("torch")
    assert checks["torch"].ok


def test_what_is_not_ok_says_how_to_fix_it(checks):
    assert all(check.fix for check in checks.values() if not check.ok)


def test_a_version_out_of_bounds_says_what_to_install(monkeypatch):
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == "monai" else real(name))
    monai = {f.name: f for f in doctor.package_versions()}["monai"]
    assert not monai.ok
    assert monai.value.startswith("0.1, brainseg needs ")
    assert monai.fix.startswith('pip install "monai')


def test_a_missing_package_says_what_to_install(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "timm":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    timm = {f.name: f for f in doctor.package_versions()}["timm"]
    assert (timm.ok, timm.value) == (False, "not installed")
    assert timm.fix.startswith('pip install "timm')


def test_torch_and_torchvision_that_do_not_fit_are_told_apart_from_missing_ones(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist\nmore lines")

    monkeypatch.setattr(importlib, "import_module", broken)
    check = doctor.torchvision_works()
    assert check.value == "operator torchvision::nms does not exist"
    assert not check.ok
    assert "--force-reinstall torch torchvision" in check.fix


def test_a_torch_that_does_not_load_still_gets_the_other_findings(monkeypatch, tmp_path):
    def broken(name):
        raise OSError("libcudart.so.13: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", broken)
    found = {check.name: check for check in examine(outputs=tmp_path)}
    assert "libcudart" in found["torch with torchvision"].value
    assert "device" not in found
    assert found["outputs"].ok


def test_more_threads_than_cores_are_too_many(monkeypatch):
    monkeypatch.setattr(device, "threads", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    threads = {f.name: f for f in doctor.hardware()}["threads"]
    assert (threads.ok, threads.value) == (False, "2 usable, torch takes 64")
    assert "OMP_NUM_THREADS=2" in threads.fix


def test_a_driver_without_a_card_for_torch_is_a_fault(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    found = {f.name: f for f in doctor.hardware()}["device"]
    assert not found.ok
    assert "torch sees no card" in found.value
    assert "CUDA build" in found.fix


@pytest.mark.parametrize(
    ("mode", "key", "said"),
    [
        ("offline", "", "WANDB_MODE=offline, `wandb sync` uploads the runs"),
        ("disabled", "", "WANDB_MODE=disabled"),
        (None, "a-made-up-key", "logged in: logger=wandb uploads"),
        (None, "", "not logged in: logger=wandb needs WANDB_MODE=offline, or `wandb login` first"),
    ],
)
def test_wandb_says_what_a_run_would_do_and_never_the_key(monkeypatch, tmp_path, mode, key, said):
    monkeypatch.setenv("HOME", str(tmp_path))  # no .netrc here
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    assert doctor.weights_and_biases() == Check("W&B", said)


def test_a_login_in_netrc_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine wandb.example.org login user password made-up\n")
    netrc.chmod(0o600)
    assert doctor.weights_and_biases().value == "logged in: logger=wandb uploads"


def test_a_data_folder_that_was_named_must_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINSEG_DATA", str(tmp_path / "nowhere"))
    missing = doctor.data_folder(None)
    assert not missing.ok
    assert missing.value.endswith("nowhere is no folder")
    monkeypatch.setenv("BRAINSEG_DATA", str(tmp_path))
    assert doctor.data_folder(None).ok
    monkeypatch.delenv("BRAINSEG_DATA")
    assert "data=phantom makes its own" in doctor.data_folder(None).value or (doctor.Path("data").is_dir())


def test_a_full_disk_is_a_fault(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_free_gb", lambda folder: 0.5)
    outputs = doctor.outputs_folder(tmp_path / "not" / "yet" / "made")
    assert not outputs.ok
    assert "0.5 GiB free" in outputs.value
    assert "at least 2 GiB" in outputs.fix


def test_one_fault_makes_the_whole_unhealthy():
    assert is_healthy([Check("a", "1")])
    assert not is_healthy([Check("a", "1"), Check("b", "2", ok=False, fix="do")])
