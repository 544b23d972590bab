"""A network written as ONNX, and the proof that it answers as the original does."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from brainseg.config.errors import CheckpointError
from brainseg.files.atomic import writing

MOST_DIFFERENCE = 1e-3  # of the largest logit; float32 in another order of sums differs by about 1e-5
_BATCH = 2  # an example of one would become a constant


class WithPresence(nn.Module):
    """A network of subsets of its sequences, with its two inputs: the image and which sequences there are."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, present: Tensor) -> Tensor:
        """Logits (B, K, X, Y, Z) of an image (B, C, X, Y, Z) and of 1 or 0 for each sequence, (B, C)."""
        planes = present[:, :, None, None, None]
        logits: Tensor = self.net(torch.cat([image * planes, planes.expand(image.shape)], dim=1))
        return logits


def write_onnx(net: nn.Module, shape: tuple[int, ...], path: Path, *, present: bool, any_size: bool) -> None:
    """Write a network as ONNX: `image` (N, *shape) to `logits`, N of any size.

    Args:
        net: On the CPU, in evaluation mode; it is changed.
        shape: Of one image, channels first.
        path: The file; whole or not at all.
        present: Whether the network has the second input of `WithPresence`.
        any_size: Whether the image may have other sides than `shape`.

    Raises:
        CheckpointError: What was written does not answer as the network does.
    """
    net._forward_pre_hooks.clear()  # they look at the input's sides, which the program sets itself
    net = (WithPresence(net) if present else net).float().eval()
    example = (torch.randn(_BATCH, *shape), torch.ones(_BATCH, shape[0]))[: 1 + present]
    free = torch.export.Dim.DYNAMIC
    sizes: dict[int, Any] = {0: free} | (dict.fromkeys(range(2, len(shape) + 1), free) if any_size else {})
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's own ways
        program = torch.onnx.export(
            net,
            example,
            dynamo=True,
            verbose=False,
            input_names=["image", "present"][: 1 + present],
            output_names=["logits"],
            dynamic_shapes=(sizes, {0: free})[: 1 + present],
        )
    assert program is not None
    with writing(path) as temporary:
        program.save(temporary, external_data=False)
        _refuse_other_answers(net, example, temporary, path)


@torch.no_grad()
def _refuse_other_answers(net: nn.Module, example: tuple[Tensor, ...], file: Path, path: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    alone = [one[:1].contiguous() for one in example]
    feeds = {given.name: one.numpy() for given, one in zip(session.get_inputs(), alone, strict=True)}
    wanted, found = net(*alone).numpy(), session.run(None, feeds)[0]
    difference = float(np.abs(wanted - found).max() / max(np.abs(wanted).max(), 1e-6))
    if not difference <= MOST_DIFFERENCE:  # a NaN is refused too
        raise CheckpointError(
            f"{path}: not written, as the exported network answers otherwise than the model, by "
            f"{difference:.2g} of "
            "its largest logit; report it with the versions that `brainseg doctor` prints"
        )
