"""Is this machine ready for brainseg? Each finding is one line, with its mend where something is wrong.

Nothing here asks the network.
"""

import importlib
import netrc
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from packaging.requirements import Requirement

from brainseg.config import conf_dir
from brainseg.system.versions import CHECKED

FREE_DISK_GB = 2.0  # a training run keeps two checkpoints and its cache
MEMORY_GB = 4.0  # a 96-voxel patch of the small networks


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `mend` says what to do where it is not ok."""

    name: str
    value: str
    ok: bool = True
    mend: str | None = None


def examine(data: Path | None = None, outputs: Path = Path("outputs")) -> list[Finding]:
    """All findings, from the interpreter to the disk.

    Args:
        data: Folder of the data sets; None takes $BRAINSEG_DATA, else ./data, as training does.
        outputs: Folder of the runs.
    """
    findings = [python_version(), *package_versions(), torchvision_works()]
    findings += hardware() if _torch_loads() else []
    return [*findings, weights_and_biases(), config_folder(), data_folder(data), outputs_folder(outputs)]


def brainseg_version() -> str:
    """The version of the installed package, or of the checkout that runs without being installed."""
    try:
        return metadata.version("brainseg")
    except metadata.PackageNotFoundError:
        return f"{_project()['version']} (not installed, runs from its folder)"


def python_version() -> Finding:
    wanted = Requirement(f"python{_requires_python()}")
    version = platform.python_version()
    return _against(wanted, "python", version, f"use a Python {wanted.specifier}")


def package_versions() -> Iterator[Finding]:
    """Versions of brainseg and of the packages that matter to it, against what it asks for."""
    yield Finding("brainseg", brainseg_version())
    wanted = {requirement.name: requirement for requirement in map(Requirement, _requirements())}
    for name in CHECKED:
        mend = f'pip install "{wanted[name]}"'
        try:
            yield _against(wanted[name], name, metadata.version(name), mend)
        except metadata.PackageNotFoundError:
            yield Finding(name, "not installed", ok=False, mend=mend)


def _against(wanted: Requirement, name: str, version: str, mend: str) -> Finding:
    if wanted.specifier.contains(version, prereleases=True):
        return Finding(name, version)
    return Finding(name, f"{version}, brainseg needs {wanted.specifier}", ok=False, mend=mend)


def _requirements() -> list[str]:
    try:
        return [line for line in metadata.requires("brainseg") or [] if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        return list(_project()["dependencies"])


def _requires_python() -> str:
    try:
        return metadata.metadata("brainseg")["Requires-Python"]
    except metadata.PackageNotFoundError:
        return str(_project()["requires-python"])


def _project() -> dict[str, Any]:
    """The [project] table of the checkout's pyproject.toml."""
    import tomllib

    file = Path(__file__).parent.parent / "pyproject.toml"
    table: dict[str, Any] = tomllib.loads(file.read_text())["project"]
    return table


def torchvision_works() -> Finding:
    """Torchvision loads its compiled operators: they fit one torch only, and timm needs them.

    A CPU build of one beside a CUDA build of the other, or versions that are not a pair, import with
    "operator torchvision::nms does not exist" or with a missing symbol.
    """
    mend = "reinstall both from one index: pip install --force-reinstall torch torchvision"
    try:
        importlib.import_module("torchvision.ops")
        importlib.import_module("timm")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        return Finding("torch with torchvision", _first_line(error), ok=False, mend=mend)
    return Finding("torch with torchvision", f"fit together ({_builds()})")


def _torch_loads() -> bool:
    """Without it there is no hardware to look at; its fault stands under torch with torchvision."""
    try:
        importlib.import_module("torch")
    except (ImportError, OSError):
        return False
    return True


def _builds() -> str:
    import torch

    return f"CUDA {torch.version.cuda} build" if torch.version.cuda else "CPU build"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def hardware() -> Iterator[Finding]:
    """The device that training and prediction take, its number format, cores and memory."""
    import torch

    from brainseg.system import device

    chosen = device.best_device()
    yield _device(chosen)
    fast = device.bf16_is_fast(chosen)
    yield Finding("precision", device.precision_for(chosen) + ("" if fast else ", bf16 is slow here"))
    set_to, usable = torch.get_num_threads(), device.threads()
    yield Finding(
        "threads",
        f"{usable} usable, torch takes {set_to}",
        ok=set_to <= usable,
        mend=f"set OMP_NUM_THREADS={usable}: more threads than cores slow each other down",
    )
    memory_gb = device.memory_limit_mb() / 1024
    yield Finding(
        "memory",
        f"{memory_gb:.1f} GiB",
        ok=memory_gb >= MEMORY_GB,
        mend=f"at least {MEMORY_GB:.0f} GiB; or lower patch and batch_size, and window.batch_size",
    )


def _device(chosen: Any) -> Finding:
    import torch

    from brainseg.system import device

    if chosen.type == "cuda":
        card = torch.cuda.get_device_properties(chosen)
        return Finding("device", f"{card.name}, {card.total_memory / 2**30:.0f} GiB")
    value = f"CPU, {device.cpu_name()}"
    if shutil.which("nvidia-smi") is None:
        return Finding("device", value)
    mend = "install a CUDA build of torch that the driver supports (nvidia-smi shows which), or free the card"
    value += "; there is an NVIDIA driver, but torch sees no card"
    return Finding("device", value, ok=False, mend=mend)


def weights_and_biases() -> Finding:
    """What logger=wandb would do. The key itself is never read out, only whether there is one."""
    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        later = ", `wandb sync` uploads the runs" if mode == "offline" else ""
        return Finding("W&B", f"WANDB_MODE={mode}{later}")
    if os.environ.get("WANDB_API_KEY") or _logged_in():
        return Finding("W&B", "logged in: logger=wandb uploads")
    return Finding("W&B", "not logged in: logger=wandb needs WANDB_MODE=offline, or `wandb login` first")


def _logged_in() -> bool:
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def config_folder() -> Finding:
    """Where train and predict read their configuration."""
    folder = conf_dir()
    found = (folder / "train.yaml").is_file() and (folder / "predict.yaml").is_file()
    return Finding(
        "configuration",
        str(folder) if found else f"{folder} has no train.yaml and predict.yaml",
        ok=found,
        mend="install brainseg again, or run it from a complete checkout",
    )


def data_folder(folder: Path | None) -> Finding:
    """The folder that holds the data sets; only one that was named has to be there."""
    named = str(folder) if folder is not None else os.environ.get("BRAINSEG_DATA")
    if named is None:
        there = "" if Path("data").is_dir() else ", not there yet: data=phantom makes its own"
        return Finding("data folder", f"data{there} (BRAINSEG_DATA is not set)")
    if not Path(named).is_dir():
        mend = "correct BRAINSEG_DATA, or make the folder"
        return Finding("data folder", f"{named} is no folder", ok=False, mend=mend)
    return Finding("data folder", f"{named}, {_free_gb(Path(named)):.1f} GiB free")


def outputs_folder(folder: Path) -> Finding:
    """Whether runs can be written where `folder` is, or will be made."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        mend = "set paths.outputs to a folder that you may write to"
        return Finding("outputs", f"{folder} cannot be written", ok=False, mend=mend)
    free_gb = _free_gb(existing)
    mend = f"free at least {FREE_DISK_GB:.0f} GiB, or set paths.outputs to a folder on another disk"
    return Finding("outputs", f"{folder}, {free_gb:.1f} GiB free", ok=free_gb >= FREE_DISK_GB, mend=mend)


def _free_gb(folder: Path) -> float:
    return shutil.disk_usage(folder).free / 2**30


def is_healthy(findings: list[Finding]) -> bool:
    return all(finding.ok for finding in findings)
