"""How the networks for volumes compute in a prediction: as asked, as remembered, as timed, or as usual."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import torch

from brainseg.config.choices import Precision
from brainseg.nets.layout import usual_layout, with_layout
from brainseg.prediction.stage import PipelineStage
from brainseg.results.parts import Computed
from brainseg.system.device import predicts_in_bf16
from brainseg.system.terminal import say
from brainseg.trained import Model
from brainseg.trained.computing import (
    BF16,
    FLOAT32,
    Computing,
    about,
    compute_as,
    computed,
    computing_from,
    plain_seconds,
    timed_in_words,
    ways,
)
from brainseg.trained.remembered import cache_of_user, recall, recall_or_make
from brainseg.trained.timing import clock_of, fastest, growing, long_enough, seconds_of

MANY = 20  # subjects, from which on seconds of timing pay


def settle(
    stages: Sequence[PipelineStage], asked: Precision, subjects: int = 1, *, alone: bool = True
) -> None:
    """Let the networks of each stage compute as is asked for, or as was found to be fastest.

    Nothing is timed for few subjects: then a network computes as is remembered of it, or as usual.

    Args:
        stages: With their models.
        asked: The option `precision`.
        subjects: How many are to be predicted.
        alone: Whether no other process takes part, which would have to find the same.
    """
    for stage in stages:
        if not stage.networks:
            continue
        net = stage.networks[0]
        way = _way(net, asked, stage.model_name, time_it=subjects >= MANY, alone=alone)
        for one in stage.networks:
            compute_as(one, way)


def compute_again(stages: Sequence[PipelineStage], found: Mapping[str, Computed]) -> None:
    """Let the networks compute as an earlier result says that they did."""
    for stage in stages:
        way = computing_from(asdict(found[stage.model_name])) if stage.model_name in found else None
        for one in stage.networks:
            compute_as(one, way or _usual(one))


def computed_by(stages: Sequence[PipelineStage]) -> dict[str, Computed]:
    """How the networks of each stage that has some compute, by its model's name."""
    first = {stage.model_name: stage.networks[0].computing for stage in stages if stage.networks}
    return {name: Computed(way.precision, way.layout) for name, way in first.items() if way is not None}


def _way(net: Model, asked: Precision, name: str, *, time_it: bool, alone: bool) -> Computing:
    usual = _usual(net)
    if asked is not Precision.auto:
        return Computing(str(asked), usual.layout)
    shape = _shape(net)
    key, folder = about("prediction", net.net, shape, net.device), cache_of_user()
    known = computing_from(recall(folder, key))
    if known is not None or not time_it:
        return known or usual
    said: list[str] = []

    def make() -> dict[str, Any]:
        way, seconds = time_ways(net, shape)
        said.append(f"{name}: {timed_in_words(way, seconds)}; precision=float32 or bf16 is not timed")
        return {**asdict(way), "timed": plain_seconds(seconds)}

    made, shared = recall_or_make(folder, key, make)
    if not (shared or alone):
        return usual
    say(*said)
    return computing_from(made) or usual


def _usual(net: Model) -> Computing:
    return Computing(BF16 if predicts_in_bf16(net.device) else FLOAT32, usual_layout(net.net, net.device))


def _shape(net: Any) -> tuple[int, ...]:
    return (1, len(net.config.preprocess.modalities), *net.config.patch)


def _copy(net: Model, layout: str) -> Model:
    copy = deepcopy(net)
    with_layout(copy.net, layout)
    return copy


def time_ways(net: Model, shape: Sequence[int]) -> tuple[Computing, dict[Computing, float]]:
    """The fastest way to compute a window, or as much of it as takes long enough."""
    every, clock = ways(net.net, net.device), clock_of(net.device.type)
    laid_out = {way.layout: _copy(net, way.layout) for way in every}

    def step(way: Computing, size: Sequence[int]) -> Callable[[], None]:
        x = torch.randn(tuple(size), generator=torch.Generator().manual_seed(0)).to(net.device)

        def run() -> None:
            with torch.inference_mode(), computed(net.device, way.precision):
                laid_out[way.layout](x).sum().item()  # waits for a GPU

        return run

    def seconds(size: Sequence[int]) -> float:
        run = step(every[0], size)
        run()
        return seconds_of(run, clock)

    size = long_enough(growing(shape, len(net.config.channels)), seconds)
    return fastest({way: step(way, size) for way in every}, clock)
