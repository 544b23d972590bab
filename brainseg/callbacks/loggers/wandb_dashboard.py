"""Weights & Biases: the best in its tables, charts of scores, panels, artifacts, one run for one training."""

import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pytorch_lightning.loggers import WandbLogger

from brainseg.callbacks.loggers.dashboard import (
    CaseTable,
    Dashboard,
    Identity,
    KeptModel,
    Number,
    Scored,
    centred,
    common_shape,
    pictures_of,
)
from brainseg.callbacks.loggers.identity import keep_identity
from brainseg.tasks.preview import Preview

STEP = "trainer/global_step"  # Lightning's axis of all charts


class Wandb(Dashboard, WandbLogger):
    """Lightning's WandbLogger with what `Dashboard` adds.

    Args:
        log_model: A key of `KEPT_MODELS`. Lightning would upload checkpoints before they have learnt from
            the validation part what prediction needs.
        init: As of WandbLogger and wandb.init.
    """

    def __init__(self, log_model: Any = False, **init: Any) -> None:
        super().__init__(log_model=False, **init)
        self._wandb_init.pop("anonymous", None)  # W&B warns of it, though nobody set it
        self.log_model = log_model

    def begin(self, identity: Identity, group: str | None) -> None:
        if self._wandb_init.get("group") is None:
            self._wandb_init["group"] = group
        run = identity.run or os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)
        if self._wandb_init.get("id") is None:
            self._wandb_init["id"] = self._id = run
        keep_identity(identity, "wandb", str(self._wandb_init["id"]))

    def watch_best(self, monitor: str, mode: str) -> None:
        self.experiment.define_metric(monitor, step_metric=STEP, step_sync=True, summary=mode)

    def summarise(self, values: Mapping[str, Number]) -> None:
        self.experiment.summary.update(dict(values))

    def show_previews(self, previews: Sequence[Preview], classes: Sequence[str], step: int) -> None:
        captions = [preview.caption for preview in previews]
        pictures: list[Any] = pictures_of(previews)
        if classes:
            masks = _masks(previews, dict(enumerate(classes)))
            self.log_image("panels", pictures, step=step, caption=captions, masks=masks)
        else:
            self.log_image("panels", pictures, step=step, caption=captions)

    def show_cases(self, table: CaseTable, epoch: int, step: int) -> None:
        self.log_table("cases", [*table.columns], [list(row) for row in table.rows], step=step)

    def show_scores(self, scored: Scored) -> None:
        import wandb

        self.summarise(scored.flat())
        part, truth = scored.part, scored.truth.tolist()
        self.log_image(f"{part}/confusion", [str(scored.confusion)])
        classes = list(scored.classes)
        guess = scored.probabilities.argmax(1).tolist()
        charts = {
            f"{part}/confusion_matrix": wandb.plot.confusion_matrix(
                y_true=truth, preds=guess, class_names=classes, title="Confusion matrix"
            ),
            f"{part}/precision_recall": wandb.plot.pr_curve(
                truth, scored.probabilities.tolist(), labels=classes, title="Precision and recall"
            ),
        }
        self.experiment.log({name: chart for name, chart in charts.items() if chart is not None})

    def keep(self, model: KeptModel) -> None:
        import wandb

        run = self.experiment
        artifact = wandb.Artifact(f"{run.id}-{model.name}", type="model", metadata=dict(model.about))
        artifact.add_file(str(model.path), name=model.path.name)
        run.log_artifact(artifact, aliases=[model.name])

    def close(self, *, failed: bool) -> None:
        # The runs of a sweep share one process, and W&B adds each to the last one that was left open.
        self.experiment.finish(exit_code=int(failed))


def _masks(previews: Sequence[Preview], labels: dict[int, str]) -> list[dict[str, dict[str, Any]]]:
    shape = common_shape(previews)
    return [
        {
            name: {"mask_data": centred(np.asarray(mask, dtype=np.uint8), shape), "class_labels": labels}
            for name, mask in (("truth", preview.truth), ("guess", preview.guess))
            if mask is not None
        }
        for preview in previews
    ]
