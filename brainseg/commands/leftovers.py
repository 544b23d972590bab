"""Removes the folder that Hydra made for a run, if the run ended before anything was written there."""

from contextlib import suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

CONFIGS = ("config.yaml", "hydra.yaml", "overrides.yaml")  # what Hydra writes


def remove_record() -> None:
    """Remove what Hydra noted of the present run, in which the path of the input stands as it was given."""
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir) / (hydra_cfg.output_subdir or "")
    for path in (folder / name for name in CONFIGS):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # it holds something else
        folder.rmdir()


def remove_if_unused() -> None:
    """Remove the folder of the present run, if it holds nothing but what Hydra put there.

    Only files of Hydra's names are removed, one by one, and the log only if it is empty. The current folder
    and those above it are never removed.
    """
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    log = folder / f"{hydra_cfg.job.name}.log"
    own = {log} | {folder / (hydra_cfg.output_subdir or "") / name for name in CONFIGS}
    own &= {path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    within = {folder, *(path.parent for path in own)}
    kept = set(folder.rglob("*")) - own - within
    if kept or folder in (Path.cwd(), *Path.cwd().parents) or (log in own and log.stat().st_size):
        return
    with suppress(OSError):  # a folder that cannot be tidied up is no fault of the run
        for path in own:
            path.unlink()
        for path in sorted(within, reverse=True):  # the inner ones first
            path.rmdir()
