"""What W&B would show of a run, read back from the file that it keeps offline."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK = 32768  # the file is a LevelDB log behind seven bytes of its own
WHOLE, LAST = 1, 4  # kinds of chunks that end a record


@dataclass
class ShownRun:
    """What is told of a run: its columns in the table of runs, its charts, its files."""

    id: str = ""
    group: str = ""
    name: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    exit_code: int | None = None

    def curve(self, name: str) -> list[Any]:
        return [row[name] for row in self.history if name in row]


def shown_run(wandb_file: Path) -> ShownRun:
    run = ShownRun()
    for record in _records(wandb_file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.id, run.group, run.name = record.run.run_id, record.run.run_group, record.run.display_name
            _update(run.config, record.run.config.update)
        elif kind == "config":
            _update(run.config, record.config.update)
        elif kind == "summary":
            _update(run.summary, record.summary.update)
        elif kind == "history":
            row: dict[str, Any] = {}
            _update(row, record.history.item)
            run.history.append(row)
        elif kind == "artifact":
            one = record.artifact
            run.artifacts[one.name] = {
                "type": one.type,
                "aliases": list(one.aliases),
                "about": json.loads(one.metadata or "{}"),
                "files": [entry.path for entry in one.manifest.contents],
            }
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    return run


def _update(values: dict[str, Any], items: Any) -> None:
    for item in items:
        *outer, last = list(item.nested_key) or [item.key]
        place = values
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)


def _records(path: Path):
    from wandb.proto import wandb_internal_pb2

    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if (left := BLOCK - place % BLOCK) < 7:
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (WHOLE, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record
