"""MLflow: parameters, metrics and files of a run, in a database beside the runs or on a server."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import MLFlowLogger
from pytorch_lightning.utilities import rank_zero_only

from brainseg.callbacks.loggers.dashboard import (
    CaseTable,
    Dashboard,
    Identity,
    KeptModel,
    Number,
    Scored,
    pictures_of,
)
from brainseg.callbacks.loggers.identity import keep_identity
from brainseg.tasks.preview import Preview

GROUP = "group"  # the tag


class Mlflow(Dashboard, MLFlowLogger):
    """Lightning's MLFlowLogger with what `Dashboard` adds.

    Args:
        experiment: In which the run stands.
        run_name: The run's name.
        folder: Where mlflow.db and the artifacts lie if there is no server.
        tracking_uri: A server; None: that of MLFLOW_TRACKING_URI, else mlflow.db in the folder.
        group: A tag of the run.
        log_model: A key of `KEPT_MODELS`.
    """

    def __init__(
        self,
        experiment: str,
        run_name: str,
        folder: str | Path,
        tracking_uri: str | None = None,
        group: str | None = None,
        log_model: Any = False,
    ) -> None:
        server = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        place = Path(folder).absolute()
        if not server:
            place.mkdir(parents=True, exist_ok=True)
        super().__init__(
            experiment_name=experiment,
            run_name=run_name,
            tracking_uri=server or f"sqlite:///{place / 'mlflow.db'}",
            artifact_location=None if server else (place / "mlflow").as_uri(),
            tags={GROUP: group} if group else {},
            log_model=False,
        )
        self.log_model = log_model

    def begin(self, identity: Identity, group: str | None) -> None:
        if group:
            self.tags = {GROUP: group, **(self.tags or {})}
        self._run_id = identity.run
        client = self.experiment
        if identity.run is not None:
            client.update_run(identity.run, status="RUNNING")
        keep_identity(identity, "mlflow", self._run)

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Add the settings that the run does not have yet: MLflow refuses to change one."""
        from lightning_fabric.utilities.logger import _convert_params, _flatten_dict

        known = self.experiment.get_run(self._run).data.params
        flat = _flatten_dict(_convert_params(params), delimiter=".")
        super().log_hyperparams({name: value for name, value in flat.items() if name not in known})

    def summarise(self, values: Mapping[str, Number]) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        metrics = [Metric(name, float(value), now, 0) for name, value in values.items()]
        self.experiment.log_batch(self._run, metrics=metrics)

    def show_previews(self, previews: Sequence[Preview], classes: Sequence[str], step: int) -> None:
        for n, picture in enumerate(pictures_of(previews)):
            self.experiment.log_image(self._run, Image.fromarray(picture), f"panels/step_{step:06d}_{n}.png")
        captions = "\n".join(f"{n}: {preview.caption}" for n, preview in enumerate(previews))
        self.experiment.log_text(self._run, captions + "\n", f"panels/step_{step:06d}.txt")

    def show_cases(self, table: CaseTable, epoch: int, step: int) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([table.columns, *table.rows])
        self.experiment.log_text(self._run, text.getvalue(), f"cases/epoch_{epoch:03d}.csv")

    def show_scores(self, scored: Scored) -> None:
        self.summarise(scored.flat())
        self.experiment.log_artifact(self._run, str(scored.confusion))

    def keep(self, model: KeptModel) -> None:
        self.experiment.log_artifact(self._run, str(model.path), "models")
        self.experiment.log_dict(self._run, dict(model.about), f"models/{model.name}.json")

    def close(self, *, failed: bool) -> None:
        self.experiment.set_terminated(self._run, "FAILED" if failed else "FINISHED")

    @property
    def _run(self) -> str:
        run = self.run_id
        assert run is not None  # Lightning makes the run when it is first asked for
        return run
