"""What this machine offers: device, number format, cores, memory; for training and prediction alike."""

import os
import platform
import resource
import sys
from pathlib import Path
from typing import Literal

import joblib
import torch
import torch.distributed as dist

from brainseg.config.errors import ConfigError

CPUINFO = Path("/proc/cpuinfo")
CGROUP = Path("/sys/fs/cgroup")

Precision = Literal["bf16-mixed", "32-true"]


def best_device(name: str = "auto") -> torch.device:
    """The device that `name` asks for: auto, cpu, cuda, cuda:1 or mps.

    auto is CUDA where there is a device, else the CPU. Apple's mps has to be asked for: it lacks some 3D
    operations.

    Raises:
        ConfigError: The name is unknown, or the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"device: {name!r} is not known; choose auto, cpu, cuda, cuda:1 or mps")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count[device.type]:
        raise ConfigError(
            f"device: {name!r} is not there, torch {torch.__version__} sees {count[device.type]} of type "
            f"{device.type}; choose auto or cpu, or see `brainseg doctor`"
        )
    return device


def bf16_is_fast(device: torch.device) -> bool:
    """Whether bfloat16 speeds this device up.

    A CPU without AMX or AVX512-BF16 emulates it: a 3D convolution then takes 30 times as long as in float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return _torch_knows_bf16() or bool(cpu_flags() & {"amx_bf16", "avx512_bf16"})
    return False


def _torch_knows_bf16() -> bool:
    """Torch's own answer. Its queries are private, and come and go with versions: a missing one says no."""
    queries = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, query, bool)() for query in queries)


def cpu_flags(cpuinfo: Path = CPUINFO) -> set[str]:
    """Instruction sets of the CPU by Linux's names; empty on other systems."""
    return set(_cpuinfo_field(cpuinfo, "flags").split())


def cpu_vendor(cpuinfo: Path = CPUINFO) -> str:
    """GenuineIntel, AuthenticAMD, ...; empty where Linux does not say."""
    return _cpuinfo_field(cpuinfo, "vendor_id")


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    return _cpuinfo_field(cpuinfo, "model name") or platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """The card's or the processor's name."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else cpu_name()


def _cpuinfo_field(cpuinfo: Path, field: str) -> str:
    if not cpuinfo.is_file():
        return ""
    for line in cpuinfo.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == field:
            return value.strip()
    return ""


def predicts_in_bf16(device: torch.device) -> bool:
    """Whether a prediction for which nothing was timed is better made in bfloat16.

    AVX512-BF16 alone speeds training up everywhere, prediction on AMD's processors only:
    docs/decisions/0004-precision.md.
    """
    if not bf16_is_fast(device):
        return False
    return device.type != "cpu" or "amx_bf16" in cpu_flags() or cpu_vendor() == "AuthenticAMD"


def precision_for(device: torch.device) -> Precision:
    """The Lightning precision of a training for which nothing was timed: bf16-mixed where that is fast."""
    return "bf16-mixed" if bf16_is_fast(device) else "32-true"


def threads() -> int:
    """Cores that this process may use: those of its affinity, and no more than a container's quota."""
    cores: int = joblib.cpu_count()
    return cores


def processes_here() -> int:
    """How many processes of one training share this machine; as if all of them did where nothing says it."""
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    said = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE", "")
    return min(int(said), dist.get_world_size()) if said.isdigit() and int(said) else dist.get_world_size()


def own_cores(processes: int | None = None) -> int:
    """Cores that this process need not share with the other processes of its training.

    Slurm gives each of its tasks cores of its own where it was asked for so many per task.

    Args:
        processes: How many of them share this machine; None: those that have met already.
    """
    cores, given = threads(), os.environ.get("SLURM_CPUS_PER_TASK", "")
    if given.isdigit() and int(given) > 0:
        return min(cores, int(given))
    return max(1, cores // (processes or processes_here()))


def memory_limit_mb(cgroup: Path = CGROUP) -> float:
    """Memory that this process may use, MiB: the machine's, or the container's if that is less."""
    import psutil

    total = float(psutil.virtual_memory().total)
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        if file.is_file() and (text := file.read_text().strip()) != "max":
            total = min(total, float(text))
    return total / 2**20


def peak_memory_mb() -> float:
    """The most memory that this process has held so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # ru_maxrss is in kilobytes on Linux and in bytes on macOS.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
