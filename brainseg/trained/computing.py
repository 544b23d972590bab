"""How a network computes on a device: in which numbers, and with its weights in which layout.

Results depend on it by rounding only. What is faster depends on the network and on the processor, in ways
that no flag of the processor tells: docs/decisions/0004-precision.md.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from brainseg.nets.layout import CHANNELS_LAST, CONTIGUOUS, usual_layout, with_layout
from brainseg.system.device import bf16_is_fast, device_name, predicts_in_bf16

FLOAT32, BF16 = "float32", "bf16"


@dataclass(frozen=True)
class Computing:
    """One way to compute.

    Attributes:
        precision: float32, or bf16: products in bfloat16 where autocast has them.
        layout: Of the weights: contiguous or channels_last.
    """

    precision: str
    layout: str

    @property
    def in_words(self) -> str:
        return f"{self.precision}, {self.layout.replace('_', ' ')}"


def computing_from(values: Any) -> Computing | None:
    """The way that plain values stand for; None where they stand for none."""
    if not isinstance(values, dict):
        return None
    found = values.get("precision"), values.get("layout")
    known = found[0] in (FLOAT32, BF16) and found[1] in (CONTIGUOUS, CHANNELS_LAST)
    return Computing(*map(str, found)) if known else None


def ways(net: nn.Module, device: torch.device) -> list[Computing]:
    """All ways that a device can compute a network in; the usual layout in float32 first.

    A device that only emulates bfloat16 is not asked: it takes 30 times as long.
    """
    usual = usual_layout(net, device)
    layouts = [usual, *({CONTIGUOUS, CHANNELS_LAST} - {usual})]
    precisions = [FLOAT32, BF16] if bf16_is_fast(device) else [FLOAT32]
    return [Computing(precision, layout) for precision in precisions for layout in layouts]


@contextmanager
def as_it_predicts(model: Any) -> Iterator[None]:
    """Compute as is settled for a model within; as its device usually predicts where nothing is."""
    usual = BF16 if predicts_in_bf16(model.device) else FLOAT32
    with computed(model.device, model.computing.precision if model.computing else usual):
        yield


def compute_as(model: Any, way: Computing) -> None:
    """From now on predict with a model in this way."""
    model.computing = way
    with_layout(model.net, way.layout)


@contextmanager
def computed(device: torch.device, precision: str) -> Iterator[None]:
    """Compute in these numbers within."""
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == BF16):
        yield


def about(kind: str, net: nn.Module, shape: Sequence[int], device: torch.device) -> dict[str, Any]:
    """What a choice holds for, as plain values.

    Args:
        kind: training or prediction.
        net: The network; its layers count, not its weights.
        shape: One batch of its input, whole.
        device: Where it computes.
    """
    return {
        "kind": kind,
        "network": str(net),
        "input": list(shape),
        "device": f"{device.type}: {device_name(device)}",
        "torch": torch.__version__,
    }


def timed_in_words(chosen: Computing, seconds: dict[Computing, float]) -> str:
    """What was found, as "bf16, channels last: 31 ms a step, where float32, channels last takes 47"."""
    others = [f"{way.in_words} takes {1e3 * s:.0f}" for way, s in seconds.items() if way != chosen]
    said = f"{chosen.in_words}: {1e3 * seconds[chosen]:.0f} ms a step"
    return f"{said}, where {', '.join(others)}" if others else said


def plain_seconds(seconds: dict[Computing, float]) -> list[dict[str, Any]]:
    """Every way with its seconds, to be kept."""
    return [{**asdict(way), "seconds": round(s, 6)} for way, s in seconds.items()]
