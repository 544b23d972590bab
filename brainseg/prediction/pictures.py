"""The pictures of a subject: what was found in its slices, and how they voted on the tumour type."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from brainseg.images.volume import Volume, ras_grid, to_ras
from brainseg.prediction.classify import TumorType
from brainseg.prediction.segment import Segmentation
from brainseg.prediction.state import State
from brainseg.reporting.montage import Scene, compose, draw_scene
from brainseg.reporting.vote import draw_vote


def scene_of(state: State) -> Scene:
    """Every sequence on the reference grid with what was found, along RAS: what pictures and pages show."""
    scans, tumor = state.scans, state.outcome(Segmentation)

    def ras(array_XYZ: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array_XYZ is None else to_ras(Volume(array_XYZ[None], scans.grid)).data[0]

    images = {sequence: to_ras(scans.on_reference(sequence)).data[0] for sequence in scans.images}
    classes = None if tumor is None else tumor.classes
    cavity = tumor is not None and tumor.cavity
    return compose(images, ras_grid(scans.grid), ras(state.brain), ras(classes), cavity=cavity)


def draw_pictures(folder: Path, name: str, state: State, scene: Scene) -> dict[str, Path]:
    """The montage of a subject, and its vote where there was one; the files by what they show."""
    vote, montage = state.outcome(TumorType), folder / f"{name}_montage.png"
    title, note = (name, "") if vote is None else (f"{name}: {vote.in_words}", vote.reason)
    if state.error is not None:
        title, note = f"{name}: failed", state.error
    draw_scene(scene, title, note, montage)
    if vote is None:
        return {"montage": montage}
    return {"montage": montage, "vote": _draw_vote(folder, name, vote)}


def _draw_vote(folder: Path, name: str, vote: TumorType) -> Path:
    loudest, png = vote.loudest, folder / f"{name}_vote.png"
    title = f"{name}: {vote.in_words} on {vote.sequence}"
    draw_vote(
        vote.slices, loudest.number, loudest.image, loudest.heat, loudest.tumor, title, vote.reason, png
    )
    return png
