"""What the tasks share: how a model is trained, scored, logged and kept in a checkpoint."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from torchmetrics import Metric, MetricCollection

from brainseg.config import ConfigError
from brainseg.nets.layout import usual_layout, with_layout
from brainseg.tasks.preview import ScoredCase
from brainseg.trained.base import FORMAT, Batch, Model, flush_subnormals


class TaskModule(pl.LightningModule, Model):
    """A model with its loss, scores and optimizer, built from plain values only.

    Plain values (no objects, no DictConfig) keep the checkpoint readable with torch.load(weights_only=True)
    and make it complete: the class is rebuilt from it alone.

    A task is this and its model. It says its scores (`make_scores`) and how a validation or test batch is
    scored (`score`). Where `on_case` is set, it tells it of each case.

    Args:
        config: The task's section of the config, e.g. everything under `segmenter`.
        loss: A `_target_` dict. None to predict only.
        optimizer: A `_target_` dict without `params`.
        scheduler: A `_target_` dict without `optimizer`, stepped once an epoch, or once a batch where it has
            `total_steps`; None keeps the rate.
    """

    preview_classes: ClassVar[tuple[str, ...]] = ()  # of the masks in pictures, background first

    def __init__(
        self,
        config: dict[str, Any],
        loss: dict[str, Any] | None = None,
        optimizer: dict[str, Any] | None = None,
        scheduler: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.loss = instantiate(loss)
        self.build(config)
        self.scores = torch.nn.ModuleDict({part: self.make_scores() for part in ("val", "test")})
        self.on_case: Callable[[Callable[[], ScoredCase]], None] | None = None  # who wants to see the cases
        self._case = 0  # how many of a part were scored
        self._loss_sum: torch.Tensor | float = 0.0  # of the epoch so far, over its samples
        self._samples = 0
        self.layout: str | None = None  # of the weights in training; None: the device's usual one
        self._compiled_net: Callable[[torch.Tensor], torch.Tensor] | None = None  # for training
        self._scheduled_steps: int | None = None  # of a schedule that goes on, for the whole training

    def make_scores(self) -> Metric | MetricCollection:
        """What a part is scored by; it computes a value for each name, "dice/brain" for instance."""
        raise NotImplementedError

    def score(self, batch: Batch, part: str) -> None:
        """Log the loss of a batch, and count it in `scores[part]`; part is val or test."""
        raise NotImplementedError

    def initialise(self) -> None:
        """Give a fresh run its starting weights. Building or loading a module never downloads."""

    @property
    def network(self) -> Callable[[torch.Tensor], torch.Tensor]:
        return self._compiled_net if self.training and self._compiled_net else self.net

    def compile_net(self, backend: Any = "inductor") -> None:
        """From now on train the network as torch compiles it; its parameters stay the same ones.

        A function is compiled, not the module: that would give its weights other names.
        """
        net = self.net
        self._compiled_net = torch.compile(lambda x: net(x), backend=backend)

    def on_fit_start(self) -> None:
        with_layout(self.net, self.layout or usual_layout(self.net, self.device))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # So dropout draws the same numbers in a resumed run as in one that was never stopped.
        seed = self.provenance.get("seed", 0)
        torch.manual_seed(hash((seed, self.current_epoch, batch_idx, self.global_rank)))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        loss = self.training_loss(*batch)
        self.count_training_loss(loss, len(batch[0]))
        return loss

    def training_loss(self, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The mean loss of a batch."""
        loss: torch.Tensor = self.loss(self(x), target)
        return loss

    def count_training_loss(self, loss: torch.Tensor, n: int) -> None:
        """Count a batch of n samples towards the epoch's mean; a run resumed within an epoch keeps it."""
        self._loss_sum = self._loss_sum + loss.detach().float() * n
        self._samples += n

    def on_train_start(self) -> None:
        if type(self).fit_to_validation is not Model.fit_to_validation:
            self.fitted = {}  # those of the weights that a run goes on from do not fit the new ones

    def on_train_epoch_start(self) -> None:
        self._loss_sum, self._samples = 0.0, 0

    def on_train_epoch_end(self) -> None:
        self.log("train/loss", self._loss_sum / max(self._samples, 1), prog_bar=True, sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        self.start_scoring("val")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.score(batch, "val")

    def on_validation_epoch_end(self) -> None:
        self.log_scores("val")

    def on_test_epoch_start(self) -> None:
        self.start_scoring("test")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.score(batch, "test")

    def on_test_epoch_end(self) -> None:
        self.log_scores("test")

    def start_scoring(self, part: str) -> None:
        """Forget what was counted of a part before."""
        self._scores_of(part).reset()
        self._case = 0

    def show_case(self, make: Callable[[int], ScoredCase]) -> None:
        """Tell `on_case`, if there is one, of a case that was scored; `make` gets its place in the part."""
        index, self._case = self._case, self._case + 1
        if self.on_case is not None:
            self.on_case(lambda: make(index))

    def case_scores(self) -> list[dict[str, float | str]]:
        """What each case of the part validated or tested last scored, in the order of the part.

        The mean of a number over the cases is the part's score of that name.
        """
        return []

    def log_loss(self, part: str, logits: torch.Tensor, target: torch.Tensor) -> None:
        """Log the mean loss of some samples; the epoch's mean counts each sample once."""
        if self.loss is not None:
            loss = self.loss(logits, target)
            self.log(f"{part}/loss", loss, batch_size=len(logits), sync_dist=True)

    def log_scores(self, part: str) -> None:
        """Log all scores of the epoch."""
        for name, score in self._scores_of(part).compute().items():
            self.log(f"{part}/{name}", score, sync_dist=True)  # the same in every process already

    def _scores_of(self, part: str) -> Any:  # nn.ModuleDict's type knows only modules
        return self.scores[part]

    def configure_optimizers(self) -> Any:
        optimizer = instantiate(self.hparams["optimizer"], params=self.parameters(), _convert_="all")
        if self.hparams["scheduler"] is None:
            return optimizer
        entry = dict(self.hparams["scheduler"])
        interval = entry.pop("interval")
        if "total_steps" in entry:
            entry["total_steps"] = self._total_steps()
        scheduler = instantiate(entry, optimizer=optimizer)
        return [optimizer], [{"scheduler": scheduler, "interval": interval}]

    def _total_steps(self) -> int:
        """Optimizer steps of the whole training, also where the trainer is to stop after fewer epochs.

        Raises:
            ConfigError: The run that goes on had another number.
        """
        epochs = self.trainer.max_epochs or 1
        per_epoch = self.trainer.estimated_stepping_batches / epochs
        steps = round(per_epoch * max(self.config.epochs, epochs))
        if self._scheduled_steps not in (None, steps):
            raise ConfigError(
                f"{self.task}.scheduler={self.config.scheduler} was laid out for {self._scheduled_steps} "
                f"steps, but this training has {steps}; set trainer.devices, num_nodes, max_epochs, "
                "limit_train_batches and accumulate_grad_batches as they were before"
            )
        return steps

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        about = {"format": FORMAT, "task": self.task, "run": self.provenance, "fitted": dict(self.fitted)}
        checkpoint["brainseg"] = about | {"train_loss": [float(self._loss_sum), self._samples]}
        for state in ("state_dict", "current_model_state"):  # the second one beside averaged weights
            flush_subnormals(checkpoint.get(state, {}).values())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.fitted = checkpoint["brainseg"].get("fitted", {})
        self._loss_sum, self._samples = checkpoint["brainseg"].get("train_loss", (0.0, 0))
        for schedule in checkpoint.get("lr_schedulers", []):
            self._scheduled_steps = schedule.get("total_steps")
