"""The pictures of a subject: what was found in its slices, and how they voted on the tumour type."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from brainseg.images.volume import Volume, ras_grid, to_ras
from brainseg.prediction.classify import VOTE_ORDER, TumorType
from brainseg.prediction.classify_volume import VolumeType
from brainseg.prediction.segment import Segmentation
from brainseg.prediction.state import State
from brainseg.reporting.montage import Scene, compose, draw_scene
from brainseg.reporting.volume_type import draw_volume_type
from brainseg.reporting.vote import draw_vote


def scene_of(state: State) -> Scene:
    """Every sequence on the reference grid with what was found, along RAS: what pictures and pages show."""
    scans, tumor = state.scans, state.outcome(Segmentation)

    def ras(array_XYZ: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array_XYZ is None else to_ras(Volume(array_XYZ[None], scans.grid)).data[0]

    images = {sequence: to_ras(scans.on_reference(sequence)).data[0] for sequence in scans.images}
    classes = None if tumor is None else tumor.classes
    cavity = tumor is not None and tumor.cavity
    volume = state.outcome(VolumeType)
    heat = None if volume is None else ras(volume.heat)
    return compose(images, ras_grid(scans.grid), ras(state.brain), ras(classes), cavity=cavity, heat=heat)


def draw_pictures(folder: Path, name: str, state: State, scene: Scene) -> dict[str, Path]:
    """Draw the montage of a subject, and its tumour type where it was named.

    Returns:
        The files under the names of their contents: montage, vote, type_3d.
    """
    vote, volume = state.outcome(TumorType), state.outcome(VolumeType)
    montage, said = folder / f"{name}_montage.png", vote or volume
    title, note = (name, "") if said is None else (f"{name}: {said.in_words}", said.reason)
    if state.error is not None:
        title, note = f"{name}: failed", state.error
    draw_scene(scene, title, note, montage)
    drawn = {"montage": montage}
    if vote is not None:
        drawn["vote"] = _draw_vote(folder, name, vote)
    if volume is not None:
        drawn["type_3d"] = _draw_volume_type(folder, name, volume, scene)
    return drawn


def _draw_vote(folder: Path, name: str, vote: TumorType) -> Path:
    loudest, png = vote.loudest, folder / f"{name}_vote.png"
    title = f"{name}: {vote.in_words} on {vote.sequence}"
    draw_vote(
        vote.slices, loudest.number, loudest.image, loudest.heat, loudest.tumor, title, vote.reason, png
    )
    return png


def _draw_volume_type(folder: Path, name: str, found: VolumeType, scene: Scene) -> Path:
    png = folder / f"{name}_type_3d.png"
    answers = {"whole brain": found.probabilities}
    if found.vote is not None:
        answers[f"{len(found.vote.slices)} slices"] = found.vote.probabilities
    title = f"{name}: {found.in_words} in 3-D"
    sequence = next(one for one in VOTE_ORDER if one in found.sequences)
    draw_volume_type(scene, sequence, answers, title, found.reason, png)
    return png
