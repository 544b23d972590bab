"""Which code and which packages something was made with."""

import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

# Packages whose versions are kept with a training run, kept with a result, and checked by the doctor.
TRAINING = ("brainseg", "torch", "pytorch-lightning", "monai", "timm", "numpy", "nibabel")
PREDICTION = ("brainseg", "torch", "monai", "numpy", "scipy", "nibabel", "simpleitk", "pydicom", "timm")
CHECKED = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "monai", "timm", "nibabel", "wandb")


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each package, by its name.

    Raises:
        PackageNotFoundError: One is not installed.
    """
    return {name: version(name) for name in packages}


def git_commit() -> str | None:
    """The commit of the checkout that brainseg runs from; None for an installed package, or without git."""
    here, command = Path(__file__).parent, ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
