"""The tumour type of slices, and the vote of a scan's slices."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from brainseg.export.standalone.naming import verdict_of
from brainseg.export.standalone.networks import Model, softmax
from brainseg.export.standalone.preparing import network_input, noise_share, prepare_slice, smoothed
from brainseg.export.standalone.voxels import Array, Fault, Volume, places, sampled, to_ras, with_margin


def probabilities(model: Model, slices: Sequence[Array]) -> Array:
    """Calibrated class probabilities (N, K) of prepared slices, some at a time."""
    found = []
    for first in range(0, len(slices), 32):
        x = network_input(np.stack(slices[first : first + 32]), model.json["preparation"]["normalise"])
        logits = model.logits(model.networks[0], x).astype(np.float64)
        found.append(softmax(logits / model.json["temperature"], axis=1))
    return np.concatenate(found)


def vote(model: Model, native: Volume, scan: Volume, brain: Array | None) -> dict[str, Any]:
    """What slices in three planes say together of a scan (1, X, Y, Z); `native`: the same on its own grid."""
    about, how = model.json, model.json["vote"]
    noise = noise_share(native.data[0])
    filtered = how["denoise_from"] is not None and noise >= how["denoise_from"]
    if filtered:
        scan = Volume(
            smoothed(scan.data[0], [how["denoise_mm"] / s for s in scan.spacing])[None], scan.affine
        )
    if about["preparation"]["stripped"]:
        if brain is None:
            raise Fault("the classifier learnt from scans without skull; give --stripper DIR or --brain MASK")
        scan = Volume(scan.data * with_margin(brain, about["margin_mm"], scan.spacing), scan.affine)
    slices = [prepare_slice(one, about["preparation"]) for one in cuts(scan, brain, how["offsets_mm"])]
    p = probabilities(model, slices)
    mean = dict(zip(about["classes"], p.mean(axis=0).tolist(), strict=True))
    return {
        "verdict": verdict_of(mean, how["healthy_at"]),
        "probabilities": mean,
        "slices": p.tolist(),
        "noise": noise,
        "filtered": filtered,
    }


def cuts(scan: Volume, brain: Array | None, offsets_mm: Sequence[float]) -> Iterator[Array]:
    """Slices of square pixels through the middle of the brain, and at each offset to both sides of it."""
    ras = to_ras(scan)
    side = min(ras.spacing)
    ratio = side / ras.spacing
    shape = [max(1, round(n / r)) for n, r in zip(ras.shape, ratio, strict=True)]
    step = np.diag([*ratio, 1.0])
    step[:3, 3] = (ratio - 1) / 2
    same = list(ras.shape) == shape and np.allclose(ratio, 1, rtol=0, atol=1e-6)
    centre = np.array([n // 2 for n in shape])
    if brain is not None and brain.any():
        inside = np.argwhere(brain)
        middle = scan.affine @ [*(inside.min(axis=0) + inside.max(axis=0)) / 2, 1]
        centre = np.rint((np.linalg.inv(ras.affine @ step) @ middle)[:3]).astype(int)
    outwards = sorted({sign * o for o in offsets_mm for sign in (1.0, -1.0)}, key=lambda mm: (abs(mm), -mm))
    for axis in range(3):  # sagittal, coronal, axial
        indices = [int(np.floor(centre[axis] + o / side + 0.5)) for o in outwards]
        for index in dict.fromkeys(i for i in indices if 0 <= i < shape[axis]):
            ranges = [np.array([index]) if a == axis else np.arange(n) for a, n in enumerate(shape)]
            plane = ras.data[0].take([index], axis) if same else sampled(ras.data[0], places(step, ranges))
            yield plane.squeeze(axis).T[::-1, ::-1]


def picture(path: str) -> Array:
    """A slice (H, W) or (H, W, 3) from a file of numpy or a picture."""
    try:
        if path.endswith(".npy"):
            return np.asarray(np.load(path, allow_pickle=False))
        from PIL import Image, ImageOps

        image = ImageOps.exif_transpose(Image.open(path))
        if image.mode in ("L", "RGB", "I", "F", "I;16", "I;16B", "I;16L"):
            return np.asarray(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            own = image.convert("RGBA")
            return np.asarray(Image.alpha_composite(Image.new("RGBA", own.size, "black"), own).convert("L"))
        return np.asarray(image.convert("L" if image.mode == "1" else "RGB"))
    except ImportError as error:
        raise Fault(f"{path}: pictures need Pillow; pip install pillow, or give the slice as .npy") from error
    except Exception as error:  # Pillow meets broken bytes with many types
        raise Fault(
            f"{path}: cannot be read ({' '.join(str(error).split())}); give a picture or .npy"
        ) from error
