"""Where the YAML files of the configuration are."""

from pathlib import Path


def conf_dir() -> Path:
    """The folder of the configuration: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"
