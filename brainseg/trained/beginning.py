"""First weights out of a trained segmenter that sees other sequences, or tells other classes."""

from dataclasses import replace

import torch

from brainseg.config import SegmenterConfig
from brainseg.nets.planned import on_paper
from brainseg.trained.base import Model
from brainseg.trained.segmenter import SegmenterModel

Weights = dict[str, torch.Tensor]
Shapes = dict[str, torch.Size]


def fitting_weights(start: Model, module: Model) -> tuple[Weights, list[str]] | None:
    """The weights of `start` for the network of `module`, and what is left out, in words.

    A sequence that both see keeps its weights, wherever it stands; what only `module` sees begins with what
    that has. Where `start` also sees which sequences are there and `module` does not, what this adds inside
    of an image goes into the bias. A last layer that tells other classes is that of `module`.

    Returns:
        None where the networks differ in more than that.
    """
    theirs, ours = start.net.state_dict(), module.net.state_dict()
    if not (isinstance(start, SegmenterModel) and isinstance(module, SegmenterModel)):
        return (theirs, []) if _shapes(theirs) == _shapes(ours) else None
    before, now = start.config, module.config
    tells_otherwise = (before.output, before.cavity) != (now.output, now.cavity)
    if _shapes(theirs) == _shapes(ours) and _stand_alike(before, now) and not tells_otherwise:
        return theirs, []
    shared = [name for name in now.preprocess.modalities if name in before.preprocess.modalities]
    if not shared or _planned(_as(before, now)) != _shapes(ours):
        return None
    last = _last(now) if tells_otherwise else set()
    found = {name: ours[name] if name in last else theirs[name] for name in ours}
    for name in _first(before):
        found |= _by_sequence(name, theirs, ours, before, now)
    left_out = [f"its weights for {name}" for name in before.preprocess.modalities if name not in shared]
    left_out += [f"weights for {name}" for name in now.preprocess.modalities if name not in shared]
    left_out += [f"its last layer, which tells {_told(before)}"] if tells_otherwise else []
    return found, left_out


def _shapes(weights: Weights) -> Shapes:
    return {name: tensor.shape for name, tensor in weights.items()}


def _stand_alike(before: SegmenterConfig, now: SegmenterConfig) -> bool:
    """Whether the sequences that both see have the same places, and both or neither see which are there."""
    places = [{name: k for k, name in enumerate(one.preprocess.modalities)} for one in (before, now)]
    alike = all(places[1].get(name, place) == place for name, place in places[0].items())
    return alike and bool(before.trained_subsets()) == bool(now.trained_subsets())


def _as(config: SegmenterConfig, other: SegmenterConfig) -> SegmenterConfig:
    """A config with the sequences and the classes of another one."""
    return replace(
        config,
        preprocess=replace(config.preprocess, modalities=other.preprocess.modalities),
        subsets=other.subsets,
        subset_share=other.subset_share,
        output=other.output,
        cavity=other.cavity,
        loss=other.loss,
    )


def _planned(config: SegmenterConfig) -> Shapes:
    """The shapes of a network's weights, which takes no memory."""
    model = SegmenterModel()
    model.config = config
    with on_paper():
        return _shapes(model.make_net().state_dict())


def _differing(one: SegmenterConfig, other: SegmenterConfig) -> set[str]:
    shapes = _planned(other)
    return {name for name, shape in _planned(one).items() if shapes.get(name) != shape}


def _last(config: SegmenterConfig) -> set[str]:
    """What the number of classes decides the shapes of."""
    return _differing(config, replace(config, cavity=not config.cavity))


def _first(config: SegmenterConfig) -> set[str]:
    """What the sequences decide the shapes of."""
    names = ["t1", "t1ce"] if len(config.preprocess.modalities) == 1 else ["t1"]
    other = replace(config.preprocess, modalities=names)
    return _differing(config, replace(config, preprocess=other, subsets=[], subset_share=0.0))


def _by_sequence(
    name: str, theirs: Weights, ours: Weights, before: SegmenterConfig, now: SegmenterConfig
) -> Weights:
    """A first layer's weights (O, I, x, y, z) and bias (O,), each sequence with its own."""
    old, new = list(before.preprocess.modalities), list(now.preprocess.modalities)
    has, had = bool(now.trained_subsets()), bool(before.trained_subsets())
    weight, weights = ours[name].clone(), theirs[name]
    bias_name = name.removesuffix("weight") + "bias"
    found = {name: weight}
    for k, sequence in enumerate(new):
        if sequence not in old:
            continue
        place = old.index(sequence)
        weight[:, k] = weights[:, place]
        if has and had:
            weight[:, len(new) + k] = weights[:, len(old) + place]
        elif had and bias_name in theirs:
            bias = found.get(bias_name, theirs[bias_name])
            found[bias_name] = bias + weights[:, len(old) + place].sum(dim=(1, 2, 3))
    return found


def _told(config: SegmenterConfig) -> str:
    return f"{config.output}{' with the resection cavity' if config.cavity else ''}"
