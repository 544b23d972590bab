"""The gates of each stage: what is measured, and against which limits."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from brainseg.config.gates import GatesConfig
from brainseg.gates import air, atlas, brain, scan, slices
from brainseg.gates.assessment import Assessment, Unmeasured, assess, without_review
from brainseg.gates.tumor import TumorShape
from brainseg.images.tissue import tissue_of
from brainseg.images.volume import Grid, Spacing, Volume, to_ras
from brainseg.inference import HEALTHY, undecidedness
from brainseg.metrics import dice
from brainseg.preprocess.noise import noise_share

Image = NDArray[np.float32]
Bool = NDArray[np.bool_]


def judge_scans(
    images: Mapping[str, Volume], limits: GatesConfig, pools: scan.Pools | None = None
) -> list[Assessment]:
    """Every sequence by itself, then every two of them.

    Args:
        images: Each sequence on its own grid, where it lies in the world of the first.
        limits: The limits of all gates.
        pools: Where `judge_contrast` finds what was pooled here.
    """
    pools = pools or scan.Pools()
    with ThreadPoolExecutor(min(4, len(images))) as threads:  # scipy lets go of the interpreter
        measures = dict(zip(images, threads.map(partial(_of_scan, pools), images.values()), strict=True))
    found = [one for name, measured in measures.items() for one in assess(measured, limits, name)]
    grid = next(iter(images.values())).grid
    cubes = {name: scan.on_cubes(volume, grid, pools) for name, volume in images.items()}
    edges = {name: scan.edges_of(one) for name, one in cubes.items()} if len(cubes) > 1 else {}
    for one, other in combinations(images, 2):
        measured = {
            "same_image": scan.likeness(cubes[one], cubes[other]),
            "apart_mm": scan.apart_mm(edges[one], edges[other]),
        }
        found += assess(measured, limits, f"{one} and {other}")
    return found


def _of_scan(pools: scan.Pools, volume: Volume) -> dict[str, float | Unmeasured]:
    ras = to_ras(volume)
    # Flipped and turned views take half as long again for all that follows.
    image, spacing_mm = np.ascontiguousarray(ras.data[0]), ras.grid.spacing_mm
    tissue, middle = tissue_of(image, sparsely=True), scan.middle_of(image)
    small, size_mm = pools.of(volume)
    head, noise = tissue_of(small, sparsely=True), noise_share(image[middle], tissue[middle])
    of_head = slices.head_slices(image)
    return {
        "header": float(sum(remark.doubts_header for remark in volume.remarks)),
        "lowest_intensity": float(image.min()),
        "negative_share": np.count_nonzero(image < 0) / image.size,
        "grey_levels": scan.grey_levels(image, tissue),
        "saturated_share": scan.saturated_share(image, tissue),
        "noise": noise,
        "lost_slices": slices.lost_slices(of_head),
        "slice_order": slices.slice_order(of_head),
        "slice_jump": slices.slice_jump(of_head),
        "air_level": air.air_level(small, head),
        **_of_air(image, small, head, spacing_mm, size_mm),
        "sharpness": scan.sharpness(small, head, size_mm),
        "field_of_view_mm": float(min(np.multiply(image.shape, spacing_mm))),
    }


def _of_air(
    image: Image, small: Image, head: Bool, spacing_mm: Spacing, size_mm: Spacing
) -> dict[str, float | Unmeasured]:
    """The measures of the air around a head, from the image and its voxels of about 2 mm."""
    around = air.air_around(small, head, size_mm)
    if isinstance(around, Unmeasured):
        return {"ghost_level": around, "air_structure": around}
    squares, _ = scan.coarse(np.square(image, dtype=np.float32), spacing_mm)
    return {
        "ghost_level": air.ghost_level(small, squares, around),
        "air_structure": air.air_structure(small, around, size_mm),
    }


def judge_brain(
    mask: Bool,
    raw: Bool,
    mirrored: Bool | None,
    grid: Grid,
    limits: GatesConfig,
    *,
    size_is_assumed: bool = False,
) -> list[Assessment]:
    """The brain mask.

    Args:
        mask: (X, Y, Z) on the reference grid.
        raw: The same before its largest piece was taken and holes were filled.
        mirrored: The mask of the mirrored scan, mirrored back; None if it was not made.
        grid: The reference grid.
        limits: The limits of all gates.
        size_is_assumed: The file holds no voxel size: sizes of the brain say nothing of its mask, unless they
            are out of all reason.
    """
    upright = to_ras(Volume(mask[None], grid))
    whole, spacing_mm = upright.data[0], upright.grid.spacing_mm
    small, size_mm = _coarse(mask, grid)
    pieces, holes = brain.pieces_and_holes(raw)
    right, front, up = brain.sides_mm(whole, spacing_mm)
    measured = {
        "brain_ml": np.count_nonzero(whole) * grid.voxel_ml,
        "brain_pieces": pieces,
        "brain_holes": holes,
        "brain_right_mm": right,
        "brain_front_mm": front,
        "brain_up_mm": up,
        "brain_cut_off": brain.outside_share(whole, spacing_mm),
        "brain_asymmetry": brain.asymmetry(small > 0.5, size_mm),
        "uprightness": atlas.uprightness(small > 0.5, size_mm),
    }
    if mirrored is not None:
        measured["flip_agreement"] = float(dice(mask, mirrored))
    return assess(measured, without_review(limits, brain.SIZES) if size_is_assumed else limits)


def unusual_sizes(found: Iterable[Assessment], limits: GatesConfig) -> list[str]:
    """A sentence for each size that passed and would not have passed if the voxel size were known."""
    passed = {
        one.gate: one.value
        for one in found
        if one.gate in brain.SIZES and one.value is not None and not one.level
    }
    return [one.sentence for one in assess(passed, limits) if one.level]


def judge_contrast(
    images: Mapping[str, Volume],
    mask: Bool,
    tumor: Bool | None,
    grid: Grid,
    limits: GatesConfig,
    pools: scan.Pools | None = None,
) -> list[Assessment]:
    """What the sequences look like in the brain outside of the tumour: is each what its name says?

    Args:
        images: Each sequence on the reference grid.
        mask: (X, Y, Z) on the reference grid.
        tumor: The outlined tumour, whose oedema looks like other tissue; None where there is none.
        grid: The reference grid.
        limits: The limits of all gates.
        pools: What `judge_scans` has pooled.
    """
    pools = pools or scan.Pools()
    small, size_mm = _coarse(mask, grid)
    without = None if tumor is None else _coarse(tumor, grid)[0] > 0
    found, white_over_gray = [], {}
    for name, volume in images.items():
        medians = atlas.tissue_medians(pools.of(volume)[0], small > 0.5, size_mm, without)
        measured = {
            "csf_over_white": medians[atlas.CSF] - medians[atlas.WHITE],
            "white_over_gray": medians[atlas.WHITE] - medians[atlas.GRAY],
        }
        found += assess(measured, limits, name)
        white_over_gray[name] = measured["white_over_gray"]
    for name in ("t1", "t1ce"):
        if name in images and "flair" in images:
            apart = white_over_gray[name] - white_over_gray["flair"]
            found += assess({"t1_over_flair": apart}, limits, f"{name} and flair")
    return found


def _coarse(mask: Bool, grid: Grid) -> tuple[NDArray[np.float32], Spacing]:
    """A mask (X, Y, Z) on a grid, in RAS and in voxels of about 2 mm, and their size."""
    upright = to_ras(Volume(mask[None], grid))
    return scan.coarse(upright.data[0], upright.grid.spacing_mm)


def judge_type(
    verdict: str,
    probabilities: Mapping[str, float],
    agreement: float | None,
    limits: GatesConfig,
    of: str | None = None,
) -> list[Assessment]:
    """How certain a tumour type is.

    Args:
        verdict: The type.
        probabilities: Each type's.
        agreement: Share of the planes that, each alone, give the same type; None for a whole brain.
        limits: The limits of all gates.
        of: Which classifier gave it; None: the vote of slices.
    """
    entropy = undecidedness(np.array(list(probabilities.values())))
    measured = {} if agreement is None else {"plane_agreement": agreement}
    measured["type_entropy"] = entropy
    if verdict != HEALTHY and probabilities.get(HEALTHY, 0.0) > probabilities[verdict]:
        tumours = sum(probabilities.values()) - probabilities[HEALTHY]
        measured["type_share"] = probabilities[verdict] / tumours if tumours > 0 else 0.0
    return assess(measured, limits, of)


def judge_tumor(shape: TumorShape, limits: GatesConfig) -> list[Assessment]:
    """The outlined tumour by its shape; nothing to say where there is none."""
    if not shape.ml:
        return []
    measured = {
        "tumor_ml": shape.ml,
        "tumor_pieces": shape.pieces,
        "tumor_outside": shape.outside,
        "tumor_at_edge": shape.at_edge,
        "tumor_unsure": shape.unsure,
    }
    return assess(measured, limits)
