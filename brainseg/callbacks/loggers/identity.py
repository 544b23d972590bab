"""By which ids the services know a run: trackers.json in its folder."""

import json
from collections.abc import Mapping
from pathlib import Path

from brainseg.callbacks.loggers.dashboard import Identity
from brainseg.config.errors import DataError
from brainseg.files.atomic import writing
from brainseg.files.plain import read_json

NAME = "trackers.json"  # in a run's folder: {"wandb": "1a2b3c4d"}


def identity_in(folder: Path | None, service: str, *, resumed: bool) -> Identity:
    """The id under which a resumed run goes on; a new run in an old folder has none yet."""
    if folder is None:
        return Identity(None, None)
    return Identity(_ids(folder / NAME).get(service) if resumed else None, folder / NAME)


def keep_identity(identity: Identity, service: str, run: str) -> None:
    """Keep the id that a service gave the run."""
    if identity.file is None or identity.run == run:
        return
    with writing(identity.file) as temporary:
        temporary.write_text(json.dumps({**_ids(identity.file), service: run}, indent=1) + "\n")


def _ids(file: Path) -> Mapping[str, str]:
    """The ids that are there; none where the file was damaged, as then a new run is begun."""
    try:
        stored = read_json(file)
    except (OSError, DataError):
        return {}
    return {name: one for name, one in stored.items() if isinstance(one, str)}
