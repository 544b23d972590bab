"""Is this machine ready for brainseg? Each check is one line, and says how to fix what is wrong.

Nothing here uses the network.
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
class Check:
    """What was found about one thing; `fix` says what to do where it is not ok."""

    name: str
    value: str
    ok: bool = True
    fix: str | None = None


def examine(data: Path | None = None, outputs: Path = Path("outputs")) -> list[Check]:
    """All checks, from Python to the disk.

    Args:
        data: Folder of the data sets; None takes $BRAINSEG_DATA, else ./data, as training does.
        outputs: Folder of the runs.
    """
    checks = [python_version(), *package_versions(), torchvision_works()]
    checks += hardware() if _torch_loads() else []
    return [*checks, weights_and_biases(), config_folder(), data_folder(data), outputs_folder(outputs)]


def brainseg_version() -> str:
    """The version of the installed package, or of the checkout that runs without being installed."""
    try:
        return metadata.version("brainseg")
    except metadata.PackageNotFoundError:
        return f"{_project()['version']} (not installed, runs from its folder)"


def python_version() -> Check:
    wanted = Requirement(f"python{_requires_python()}")
    version = platform.python_version()
    return _against(wanted, "python", version, f"use a Python {wanted.specifier}")


def package_versions() -> Iterator[Check]:
    """Versions of brainseg and of the packages that matter to it, against what it asks for."""
    yield Check("brainseg", brainseg_version())
    wanted = {requirement.name: requirement for requirement in map(Requirement, _requirements())}
    for name in CHECKED:
        fix = f'pip install "{wanted[name]}"'
        try:
            yield _against(wanted[name], name, metadata.version(name), fix)
        except metadata.PackageNotFoundError:
            yield Check(name, "not installed", ok=False, fix=fix)


def _against(wanted: Requirement, name: str, version: str, fix: str) -> Check:
    if wanted.specifier.contains(version, prereleases=True):
        return Check(name, version)
    return Check(name, f"{version}, brainseg needs {wanted.specifier}", ok=False, fix=fix)


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


def torchvision_works() -> Check:
    """Torchvision loads its compiled operators: they fit one torch only, and timm needs them.

    A CPU build of one beside a CUDA build of the other, or versions that are not a pair, import with
    "operator torchvision::nms does not exist" or with a missing symbol.
    """
    fix = "reinstall both from one index: pip install --force-reinstall torch torchvision"
    try:
        importlib.import_module("torchvision.ops")
        importlib.import_module("timm")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        return Check("torch with torchvision", _first_line(error), ok=False, fix=fix)
    return Check("torch with torchvision", f"fit together ({_builds()})")


def _torch_loads() -> bool:
    """Whether the hardware can be looked at; why torch fails stands under torch with torchvision."""
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


def hardware() -> Iterator[Check]:
    """The device that training and prediction take, its number format, cores and memory."""
    import torch

    from brainseg.system import device

    chosen = device.best_device()
    yield _device(chosen)
    fast = device.bf16_is_fast(chosen)
    yield Check("precision", device.precision_for(chosen) + ("" if fast else ", bf16 is slow here"))
    set_to, usable = torch.get_num_threads(), device.threads()
    yield Check(
        "threads",
        f"{usable} usable, torch takes {set_to}",
        ok=set_to <= usable,
        fix=f"set OMP_NUM_THREADS={usable}: more threads than cores slow each other down",
    )
    memory_gb = device.memory_limit_mb() / 1024
    yield Check(
        "memory",
        f"{memory_gb:.1f} GiB",
        ok=memory_gb >= MEMORY_GB,
        fix=f"at least {MEMORY_GB:.0f} GiB; or lower patch and batch_size, and window.batch_size",
    )


def _device(chosen: Any) -> Check:
    import torch

    from brainseg.system import device

    if chosen.type == "cuda":
        card = torch.cuda.get_device_properties(chosen)
        return Check("device", f"{card.name}, {card.total_memory / 2**30:.0f} GiB")
    value = f"CPU, {device.cpu_name()}"
    if shutil.which("nvidia-smi") is None:
        return Check("device", value)
    fix = "install a CUDA build of torch that the driver supports (nvidia-smi shows which), or free the card"
    value += "; there is an NVIDIA driver, but torch sees no card"
    return Check("device", value, ok=False, fix=fix)


def weights_and_biases() -> Check:
    """What logger=wandb would do. The key itself is never read out, only whether there is one."""
    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        later = ", `wandb sync` uploads the runs" if mode == "offline" else ""
        return Check("W&B", f"WANDB_MODE={mode}{later}")
    if os.environ.get("WANDB_API_KEY") or _logged_in():
        return Check("W&B", "logged in: logger=wandb uploads")
    return Check("W&B", "not logged in: logger=wandb needs WANDB_MODE=offline, or `wandb login` first")


def _logged_in() -> bool:
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def config_folder() -> Check:
    """Where train and predict read their configuration."""
    folder = conf_dir()
    found = (folder / "train.yaml").is_file() and (folder / "predict.yaml").is_file()
    return Check(
        "configuration",
        str(folder) if found else f"{folder} has no train.yaml and predict.yaml",
        ok=found,
        fix="install brainseg again, or run it from a complete checkout",
    )


def data_folder(folder: Path | None) -> Check:
    """The folder that holds the data sets; only one that was named has to be there."""
    named = str(folder) if folder is not None else os.environ.get("BRAINSEG_DATA")
    if named is None:
        there = "" if Path("data").is_dir() else ", not there yet: data=phantom makes its own"
        return Check("data folder", f"data{there} (BRAINSEG_DATA is not set)")
    if not Path(named).is_dir():
        fix = "correct BRAINSEG_DATA, or make the folder"
        return Check("data folder", f"{named} is no folder", ok=False, fix=fix)
    return Check("data folder", f"{named}, {_free_gb(Path(named)):.1f} GiB free")


def outputs_folder(folder: Path) -> Check:
    """Whether runs can be written where `folder` is, or will be made."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        fix = "set paths.outputs to a folder that you may write to"
        return Check("outputs", f"{folder} cannot be written", ok=False, fix=fix)
    free_gb = _free_gb(existing)
    fix = f"free at least {FREE_DISK_GB:.0f} GiB, or set paths.outputs to a folder on another disk"
    return Check("outputs", f"{folder}, {free_gb:.1f} GiB free", ok=free_gb >= FREE_DISK_GB, fix=fix)


def _free_gb(folder: Path) -> float:
    return shutil.disk_usage(folder).free / 2**30


def is_healthy(checks: list[Check]) -> bool:
    return all(check.ok for check in checks)
