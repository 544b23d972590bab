"""metrics.csv: what Lightning's CSVLogger writes, kept when a run goes on."""

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only

from brainseg.files.atomic import writing


class MetricsCSV(CSVLogger):
    """Rows of metrics in `folder`/metrics.csv, behind those that are there already."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder, name="", version="")

    @property
    def experiment(self) -> "_Rows":
        if not isinstance(self._experiment, _Rows):
            self._experiment = _Rows(self.log_dir)
        return self._experiment

    @rank_zero_only
    def log_hyperparams(self, params: Any = None) -> None:
        """Nothing: .hydra/config.yaml has them."""

    def write_out(self) -> int:
        """How many rows the file has, with those that have waited to be written."""
        self.save()
        return self.experiment.written

    @rank_zero_only
    def keep(self, rows: int) -> None:
        """Drop all rows but the first ones: a killed run may have written more after its checkpoint."""
        self.experiment.keep(rows)


class _Rows(ExperimentWriter):
    """The file is appended to, or replaced by a whole one; it is never removed."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.metrics_keys, before = self._read()
        self.written = len(before)

    def save(self) -> None:
        added = len(self.metrics)
        super().save()
        self.written += added

    def keep(self, rows: int) -> None:
        keys, before = self._read()
        if len(before) > rows:
            self._write(keys, before[:rows])
            self.written = rows

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        path = Path(self.metrics_file_path)
        if not path.is_file():
            return [], []
        with path.open(newline="") as file:
            table = csv.DictReader(file)
            return list(table.fieldnames or []), list(table)

    def _write(self, keys: list[str], rows: list[dict[str, str]]) -> None:
        with writing(self.metrics_file_path) as temporary, temporary.open("w", newline="") as file:
            table = csv.DictWriter(file, fieldnames=keys)
            table.writeheader()
            table.writerows(rows)

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        self._write(fieldnames, self._read()[1])

    def _check_log_dir_exists(self) -> None:
        pass  # Lightning's removes an earlier metrics.csv here
