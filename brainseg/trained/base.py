"""What the trained models share: the network that plain values describe, and what its training left with it.

They know neither Lightning nor torchmetrics, whose seconds a prediction need not wait.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self

import torch

from brainseg.config import as_section
from brainseg.nets.layout import suit_layout
from brainseg.trained.computing import Computing

FORMAT = 1  # of checkpoint["brainseg"]; raise it when what predict.py reads from there changes
Batch = tuple[torch.Tensor, torch.Tensor]  # inputs and their truth


class Model(torch.nn.Module):
    """A network with what turns its output into an answer. It is empty until it is built.

    A model says its task's name, its section's class and its network (`make_net`).
    """

    task: ClassVar[str]
    schema: ClassVar[type]
    config: Any
    net: torch.nn.Module
    provenance: dict[str, Any]  # what its run was
    computing: Computing | None  # how it predicts; None: as its device usually does
    fitted: dict[str, Any]  # plain values found on the validation part after its last epoch

    @classmethod
    def of(cls, config: dict[str, Any]) -> Self:
        """The untrained model of a task's section of the config, e.g. everything under `segmenter`."""
        model = cls()
        model.build(config)
        return model

    def build(self, config: dict[str, Any]) -> None:
        self.config = as_section(self.schema, config)
        self.net = suit_layout(self.make_net(), torch.device("cpu"))
        self.provenance, self.fitted = {}, {}
        self.computing = None

    @property
    def facts(self) -> dict[str, Any]:
        """What the training found out about its data: label convention, number of subjects and the like."""
        facts: dict[str, Any] = self.provenance.get("facts", {})
        return facts

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.net.parameters()).device

    def make_net(self) -> torch.nn.Module:
        """The untrained network that `config` describes."""
        raise NotImplementedError

    @property
    def network(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """What computes the answer: the network, or what it was compiled to."""
        return self.net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)

    def fit_to_validation(self, batches: Iterable[Any]) -> dict[str, Any]:
        """Plain values for `fitted` that the finished model finds on its validation part; none by default.

        Args:
            batches: The batches of the validation part.
        """
        return {}


def flush_subnormals(tensors: Iterable[torch.Tensor]) -> None:
    """Set weights too small for a normal float to 0, in place.

    They change no answer, but a CPU takes many times longer over each (HD-BET's first weights, 45 % of them:
    58 seconds instead of 4).
    """
    for tensor in tensors:
        if tensor.is_floating_point():
            tensor.masked_fill_(tensor.abs() < torch.finfo(tensor.dtype).tiny, 0)
