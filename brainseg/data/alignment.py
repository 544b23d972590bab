"""Two grey slices laid on each other: each in the frame of its head, then moved until their detail fits."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.filters import threshold_otsu
from torch import Tensor
from torch.nn import functional

SIDE = 96  # of a picture in its own frame, pixels
REACH = 1.15  # of the head's frame, in radii of the head
COMPARED = 0.91  # radius of the disc that is compared, of the frame's half side
THUMBNAIL = 64  # pixels along the longer side; enough to see where the head is
MOST_STRETCH = 6.0  # of the variance along the head's long axis to that along its short one
FLAT = 0.25  # of the picture's mean contrast: what is weaker counts as flat
STEP = 0.1  # at most, of the frame's half side
WINDOW = 17  # pixels; the head is 83 wide
TEXTURE = 0.1  # variance of the detail in a window that can be judged
WORST = 0.15  # share of the windows that may agree less

Matrix = NDArray[np.float32]


def head_frame(grey: NDArray[np.uint8]) -> Matrix:
    """From the frame of the head, (x, y, 1) within [-1, 1], to places in the slice, (3, 3).

    Places are (x, y, 1) from the middle of the slice, in square roots of its area. The frame moves, turns,
    shrinks and is squeezed with the head, whatever black lies around it: it comes from the centre and the
    second moments of what is bright, by a soft threshold about Otsu's. The head fills a disc in it.
    """
    weight = _brightness(_thumbnail(grey))
    y, x = (length * _centres(n) for length, n in zip(_sides(grey), weight.shape, strict=True))
    total = weight.sum()
    cx, cy = weight.sum(0) @ x / total, weight.sum(1) @ y / total
    xx = weight.sum(0) @ (x - cx) ** 2 / total
    yy = weight.sum(1) @ (y - cy) ** 2 / total
    xy = (y - cy) @ weight @ (x - cx) / total
    variance, axes = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    variance = np.maximum(variance, variance.max() / MOST_STRETCH)
    frame = np.eye(3)
    frame[:2, :2] = REACH * 2 * (axes * np.sqrt(variance)) @ axes.T  # a disc of radius r: variance r^2 / 4
    frame[:2, 2] = cx, cy
    return frame.astype(np.float32)


def whole_frame(grey: NDArray[np.uint8]) -> Matrix:
    """The same for the whole slice: it stays where it is, however the grey values change."""
    height, width = _sides(grey)
    return np.diag([width / 2, height / 2, 1]).astype(np.float32)


def in_frame(grey: NDArray[np.uint8], frame: Matrix) -> NDArray[np.uint8]:
    """The slice as seen in a frame, (SIDE, SIDE)."""
    height, width = grey.shape
    root = math.sqrt(height * width)
    step = root * math.sqrt(abs(float(np.linalg.det(frame[:2, :2])))) * 2 / SIDE
    image = Image.fromarray(grey)
    if step > 1.2:  # pixels of the slice to one of the picture: shrink first, so that none is skipped
        size = (max(1, round(width / step)), max(1, round(height / step)))
        image = image.resize(size, Image.Resampling.BOX)
    to_pixels = np.diag([root * image.width / width, root * image.height / height, 1.0])
    to_pixels[:2, 2] = image.width / 2, image.height / 2
    from_output = np.array([[2 / SIDE, 0, -1], [0, 2 / SIDE, -1], [0, 0, 1]])
    affine = (to_pixels @ frame @ from_output)[:2].ravel()
    return np.asarray(
        image.transform((SIDE, SIDE), Image.Transform.AFFINE, tuple(affine), Image.Resampling.BILINEAR)
    )


def detail(pictures: NDArray[np.uint8], fine: float, coarse: float, side: int = SIDE) -> Tensor:
    """What is finer than `coarse` and no finer than `fine`, by its local contrast, float (N, side, side).

    So neither the brightness of a picture counts, nor that of its skull.

    Args:
        pictures: (N, SIDE, SIDE), in their frames.
        fine: Standard deviation of the narrower of two Gaussians whose difference is taken, pixels of SIDE.
        coarse: Standard deviation of the wider one.
        side: A divisor of SIDE.
    """
    narrow, wide, inside = _blur(fine), _blur(coarse), disc(SIDE).numpy()
    parts = []
    for start in range(0, len(pictures), 256):
        grey = pictures[start : start + 256].astype(np.float32)
        band = narrow @ grey @ narrow.T - wide @ grey @ wide.T
        near = np.sqrt(np.maximum(wide @ band**2 @ wide.T, 0))
        mean = np.sqrt((band**2 * inside).sum((1, 2), keepdims=True) / inside.sum())
        parts.append(_shrunk(band / (near + FLAT * mean + 0.3), side))
    return torch.from_numpy(np.concatenate(parts))


def disc(side: int) -> Tensor:
    """1 where pictures are compared, 0 in their corners, float (side, side)."""
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    return (line[:, None] ** 2 + line**2 < COMPARED**2).float()


def turn(degrees: float) -> Matrix:
    """A clockwise turn of places (x, y, 1), y down."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], dtype=np.float32)


def moved(images: Tensor, maps: Tensor) -> Tensor:
    """Images (N, S, S) such that each has at p what stood at map(p)."""
    n, side, _ = images.shape
    places = functional.affine_grid(maps[:, :2], [n, 1, side, side], align_corners=False)
    return functional.grid_sample(images[:, None], places, align_corners=False)[:, 0]


def align(firsts: Tensor, seconds: Tensor, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The best correlation (N,) found on the way, and the affine map (N, 3, 3) that gave it.

    Inverse compositional Gauss-Newton (Baker and Matthews 2004) on the squared difference.

    Args:
        firsts: Detail (N, S, S).
        seconds: The same of others.
        start: Maps from places in the first to places in the second, (N, 3, 3).
        steps: How many.
    """
    weight = disc(firsts.shape[-1])
    slopes, inverse = _steepest(firsts, weight)
    best, best_maps, maps = torch.full((len(firsts),), -1.0), start, start
    for step in range(steps + 1):
        laid = moved(seconds, maps)
        found = correlation(firsts, laid, weight)
        better = found > best
        best = torch.where(better, found, best)
        best_maps = torch.where(better[:, None, None], maps, best_maps)
        if step < steps:
            difference = ((laid - firsts) * weight).flatten(1)[:, :, None]
            move = (inverse @ (slopes @ difference)).clamp(-STEP, STEP)
            change = torch.eye(3).repeat(len(maps), 1, 1)
            change[:, :2] += move.view(-1, 2, 3)
            maps = maps @ torch.linalg.inv(change)
    return best, best_maps


def correlation(firsts: Tensor, seconds: Tensor, weight: Tensor) -> Tensor:
    """Pearson's, of images (N, S, S) where the weight (S, S) is 1, (N,)."""
    a, b = (unit(images, weight) for images in (firsts, seconds))
    return (a * b).sum(1)


def agreement(firsts: Tensor, seconds: Tensor) -> Tensor:
    """The correlation within a small window that all but the worst windows reach, (N,); 0 without texture.

    A neighbouring slice agrees in most places, a copy everywhere, even if it was sharpened: so the places
    count that agree badly. Some may: a letter, an edge cut off.

    Args:
        firsts: Detail, (N, S, S).
        seconds: The same, aligned.
    """
    inside = disc(firsts.shape[-1]).expand(len(firsts), -1, -1)
    share = _window_mean(inside).clamp_min(1e-3)
    a, b = firsts * inside, seconds * inside
    mean_a, mean_b = _window_mean(a) / share, _window_mean(b) / share
    covariance = _window_mean(a * b) / share - mean_a * mean_b
    variances = (_window_mean(a * a) / share - mean_a**2) * (_window_mean(b * b) / share - mean_b**2)
    variance = variances.clamp_min(1e-8).sqrt()
    judged = (share > 0.6) & (variance > TEXTURE)
    found = torch.where(judged, covariance / variance, torch.nan).flatten(1)
    return torch.nanquantile(found, WORST, dim=1).nan_to_num(0.0)


def _window_mean(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images[:, None], WINDOW, stride=4)[:, 0]


def unit(images: Tensor, weight: Tensor) -> Tensor:
    """Images (N, S, S) as vectors (N, S * S) of mean 0 and length 1 where the weight is 1, else 0."""
    flat, inside = images.flatten(1), weight.flatten()
    flat = (flat - (flat @ inside)[:, None] / inside.sum()) * inside
    return flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-6)


def _steepest(images: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """How each pixel changes with each of the six numbers of an affine map, (N, 6, S * S), and H^-1."""
    side = images.shape[-1]
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    wide = functional.pad(images[:, None], (1, 1, 1, 1), "replicate")[:, 0]
    along_x = (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]) * (side / 4) * weight  # pixels are 2 / side apart
    along_y = (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]) * (side / 4) * weight
    slopes = torch.stack([along_x * x, along_x * y, along_x, along_y * x, along_y * y, along_y], 1).flatten(2)
    hessian = slopes @ slopes.transpose(1, 2)
    size = hessian.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    return slopes, torch.linalg.inv(hessian + (1e-3 * size + 1e-6) * torch.eye(6))


def _sides(grey: NDArray[np.uint8]) -> tuple[float, float]:
    """Height and width in square roots of the area."""
    height, width = grey.shape
    return math.sqrt(height / width), math.sqrt(width / height)


def _centres(n: int) -> NDArray[np.float64]:
    """Middles of n pixels that share a length of 1 about 0."""
    return (np.arange(n) + 0.5) / n - 0.5


def _thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = grey.shape
    ratio = THUMBNAIL / max(height, width)
    size = (max(2, round(width * ratio)), max(2, round(height * ratio)))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))


def _brightness(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """0 up to half of Otsu's threshold, 1 from one and a half of it, both above the background."""
    if grey.min() == grey.max():
        return np.ones(grey.shape)
    background = float(np.percentile(grey, 2))
    threshold = max(float(threshold_otsu(hist=np.bincount(grey.ravel(), minlength=256))) - background, 1.0)
    weight = np.clip((grey - background) / threshold - 0.5, 0, 1)
    return weight if weight.any() else np.ones(grey.shape)


def _blur(deviation: float) -> Matrix:
    """Multiplied from the left it blurs down, its transpose from the right across."""
    place = np.arange(SIDE)
    weight = np.exp(-(((place[:, None] - place) / deviation) ** 2) / 2)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def _shrunk(images: NDArray[Any], side: int) -> NDArray[np.float32]:
    ratio = SIDE // side
    return images.reshape(len(images), side, ratio, side, ratio).mean((2, 4), dtype=np.float32)
