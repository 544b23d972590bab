import os

import numpy as np
import pytest
import torch
from joblib.externals.loky.backend import context

from brainseg.config.errors import ConfigError
from brainseg.system import device

CPU = torch.device("cpu")


@pytest.fixture
def no_torch_answer(monkeypatch):
    monkeypatch.setattr(device, "_torch_knows_bf16", lambda: False)


def cpuinfo(tmp_path, flags, vendor="Testvendor"):
    file = tmp_path / "cpuinfo"
    about = f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: Testium 9\nflags\t\t: fpu {flags}\n"
    file.write_text(about + "\nprocessor\t: 1\n")
    return file


def test_auto_is_cuda_exactly_where_torch_sees_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.best_device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.best_device("auto") == CPU


def test_a_device_that_is_not_there_is_refused_with_how_many_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.best_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ConfigError, match=r"'cuda:1' is not there.* sees 1 of type cuda; choose auto or cpu"):
        device.best_device("cuda:1")


@pytest.mark.parametrize("name", ["gpu0", "xpu", "meta", ""])
def test_an_unknown_device_lists_the_choices(name):
    with pytest.raises(ConfigError, match="is not known; choose auto, cpu, cuda, cuda:1 or mps"):
        device.best_device(name)


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("avx2", "32-true"), ("avx512f", "32-true"), ("avx512_bf16", "bf16-mixed"), ("amx_bf16", "bf16-mixed")],
)
def test_a_cpu_gets_bf16_only_if_it_has_it(tmp_path, monkeypatch, no_torch_answer, flags, precision):
    found = device.cpu_flags(cpuinfo(tmp_path, flags))
    monkeypatch.setattr(device, "cpu_flags", lambda: found)
    assert device.precision_for(CPU) == precision


@pytest.mark.parametrize(
    ("vendor", "flags", "faster"),
    [
        ("GenuineIntel", "avx2", False),
        ("GenuineIntel", "avx512_bf16", False),
        ("GenuineIntel", "amx_bf16", True),
        ("AuthenticAMD", "avx2", False),
        ("AuthenticAMD", "avx512_bf16", True),
    ],
)
def test_a_cpu_predicts_in_bf16_as_usual_where_that_is_mostly_faster(
    tmp_path, monkeypatch, no_torch_answer, vendor, flags, faster
):
    file = cpuinfo(tmp_path, flags, vendor)
    found = device.cpu_flags(file), device.cpu_vendor(file)
    monkeypatch.setattr(device, "cpu_flags", lambda: found[0])
    monkeypatch.setattr(device, "cpu_vendor", lambda: found[1])
    assert device.predicts_in_bf16(CPU) is faster


def test_a_gpu_that_only_emulates_bf16_gets_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert device.precision_for(torch.device("cuda")) == "32-true"


def test_the_cpu_is_named_as_the_system_names_it(tmp_path):
    assert device.cpu_name(cpuinfo(tmp_path, "")) == "Testium 9"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 8 cores, all of them for this process, whose files of limits are below tmp_path."""
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    exists, cgroup = os.path.exists, "/sys/fs/cgroup"

    def moved(path):
        return str(path).replace(cgroup, str(tmp_path))

    monkeypatch.setattr(os.path, "exists", lambda path: exists(moved(path)))
    monkeypatch.setattr(context, "open", lambda path: open(moved(path)), raising=False)  # noqa: SIM115
    return tmp_path


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("900000 100000", 8),
    ],
)
def test_threads_are_no_more_than_the_container_may_use(machine, quota, cores):
    (machine / "cpu.max").write_text(quota + "\n")
    assert device.threads() == cores


@pytest.mark.parametrize(("quota", "cores"), [("300000", 3), ("-1", 8)])
def test_threads_read_the_older_cgroup_files_too(machine, quota, cores):
    (machine / "cpu").mkdir()
    (machine / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (machine / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert device.threads() == cores


def test_threads_follow_the_affinity_without_a_quota(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert device.threads() == 2


def test_memory_is_the_containers_where_that_is_less(tmp_path):
    (tmp_path / "memory.max").write_text(f"{512 * 2**20}\n")
    assert device.memory_limit_mb(tmp_path) == 512


def test_peak_memory_covers_what_was_just_allocated():
    held = np.ones(64 * 2**20, dtype=np.uint8)  # 64 MiB
    peak = device.peak_memory_mb()
    assert 64 < peak < 64 * 1024  # a wrong unit would be off by a thousand
    assert held[0] == 1
