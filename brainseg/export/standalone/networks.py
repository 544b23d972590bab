"""The exported networks, and their answers to whole prepared scans."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from brainseg.export.standalone.voxels import Array, Fault

Predict = Callable[[Array], Array]


class Model:
    """model.json of a folder and its networks."""

    def __init__(self, folder: Path, threads: int) -> None:
        try:
            self.json = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Fault(
                f"{folder}: holds no model.json that can be read ({error}); "
                "give a folder that brainseg export wrote"
            ) from error
        if self.json["format"] != 1:
            raise Fault(
                f"{folder}/model.json has format {self.json['format']}, this program reads 1; "
                "use the run.py beside it"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.networks = [
            onnxruntime.InferenceSession(folder / one["file"], options, providers=["CPUExecutionProvider"])
            for one in self.json["networks"]
        ]

    def task(self) -> str:
        return str(self.json["task"])

    def logits(self, network: Any, x: Array, present: Array | None = None) -> Array:
        """(N, K, ...) of (N, C, ...), by one of the networks."""
        feeds = {"image": np.ascontiguousarray(x)}
        if present is not None:
            feeds["present"] = np.repeat(present[None], len(x), axis=0)
        return np.asarray(network.run(None, feeds)[0])


def whole(image: Array, origin: Sequence[int], how: Mapping[str, Any], predict: Predict) -> Array:
    """What a network says of a prepared scan (C, X, Y, Z): (K, X, Y, Z), float32."""
    one = how["one"]
    if one is not None:
        widths = [
            (o % one["multiple"], -(o % one["multiple"] + n) % one["multiple"])
            for o, n in zip(origin, image.shape[1:], strict=True)
        ]
        if (
            np.prod([a + n + b for n, (a, b) in zip(image.shape[1:], widths, strict=True)])
            <= one["most_voxels"]
        ):
            inner = tuple(slice(a, a + n) for n, (a, _) in zip(image.shape[1:], widths, strict=True))
            return predict(np.pad(image, [(0, 0), *widths])[None])[0][(slice(None), *inner)]
    return by_windows(image, how, predict)


def by_windows(image: Array, how: Mapping[str, Any], predict: Predict) -> Array:
    """The mean of overlapping windows, those of a Gaussian weight in their middle."""
    sides = how["sides"]
    lacking = [max(side - n, 0) for side, n in zip(sides, image.shape[1:], strict=True)]
    wide = np.pad(image, [(0, 0), *((lack // 2, lack - lack // 2) for lack in lacking)])
    starts, profiles = [], []
    for n, side in zip(wide.shape[1:], sides, strict=True):
        starts.append([*range(0, n - side, max(1, int(side * (1 - how["overlap"])))), n - side])
        offset = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
        gaussian = np.exp(np.float32(-0.5) * np.square(offset / np.float32(side / 8)))
        profiles.append(gaussian if how["blend"] == "gaussian" else np.ones(side, dtype=np.float32))
    x, y, z = profiles
    weight = x[:, None, None] * y[:, None] * z
    boxes = [
        (slice(None), *(slice(a, a + s) for a, s in zip(at, sides, strict=True))) for at in product(*starts)
    ]
    total: Array | None = None
    for first in range(0, len(boxes), how["batch_size"]):
        some = boxes[first : first + how["batch_size"]]
        for box, answer in zip(some, predict(np.stack([wide[box] for box in some])), strict=True):
            if total is None:
                total = np.zeros((len(answer), *wide.shape[1:]), dtype=np.float32)
            total[box] += answer * weight
    assert total is not None
    for axis, (firsts, profile) in enumerate(zip(starts, profiles, strict=True), start=1):
        covered = np.zeros(total.shape[axis], dtype=np.float32)
        for a in firsts:
            covered[a : a + len(profile)] += profile
        total /= covered.reshape([-1 if a == axis else 1 for a in range(4)])
    return total[
        (
            slice(None),
            *(slice(lack // 2, lack // 2 + n) for lack, n in zip(lacking, image.shape[1:], strict=True)),
        )
    ]


def sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float32)


def softmax(x: Array, axis: int = 0) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))
