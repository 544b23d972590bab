"""A subject's sequences, read and brought to one grid."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from brainseg.config.choices import Align
from brainseg.config.errors import GeometryError
from brainseg.images.dicom_planes import TiltError
from brainseg.images.layouts import Subject
from brainseg.images.phantom_mark import is_synthetic
from brainseg.images.source import Source, read
from brainseg.images.volume import Grid, Volume, resample_to
from brainseg.inference.stripped import brain_if_stripped as brain_if_stripped
from brainseg.preprocess.registration import Registration, register_rigidly


class ResampledCache:
    """The sequences that were resampled already, so that each is interpolated once."""

    def __init__(self) -> None:
        self._volumes: dict[str, Volume] = {}

    def volume(self, sequence: str, moved: Volume, grid: Grid) -> Volume:
        """A sequence at the voxels of a grid, always the same grid."""
        if sequence not in self._volumes:
            self._volumes[sequence] = resample_to(moved, grid, nearest=False)
        return self._volumes[sequence]


@dataclass(frozen=True)
class Scans:
    """The sequences of one subject.

    Args:
        images: Each sequence on its own grid, (1, X, Y, Z).
        reference: The sequence whose grid the results get.
        warnings: Which files were chosen, and what else a person should know, a sentence each.
        registrations: How sequences were moved onto the reference, where that was asked for.
    """

    images: Mapping[str, Volume]
    reference: str
    warnings: tuple[str, ...] = ()
    registrations: Mapping[str, Registration] = field(default_factory=dict)
    _resampled: ResampledCache = field(default_factory=ResampledCache, init=False, repr=False, compare=False)

    @property
    def grid(self) -> Grid:
        return self.images[self.reference].grid

    @property
    def are_synthetic(self) -> bool:
        """Whether all are marked as phantoms."""
        return all(is_synthetic(volume.grid) for volume in self.images.values())

    def placed(self, sequence: str) -> Volume:
        """A sequence's own voxels, where they lie in the world of the reference."""
        volume, moved = self.images[sequence], self.registrations.get(sequence)
        return volume if moved is None else replace(volume, grid=moved.moved(volume.grid))

    def difference(self, sequence: str) -> str | None:
        """How its voxels lie beside the reference's, in a phrase; None if they are the same places."""
        return self.placed(sequence).grid.difference(self.grid)

    def is_registered(self, sequence: str) -> bool:
        """Whether its place was found from its voxels, instead of taken from its header."""
        return sequence in self.registrations and self.registrations[sequence].refused is None

    def on_reference(self, sequence: str) -> Volume:
        """A sequence at the voxels of the reference; one on another grid is resampled once and kept."""
        if self.difference(sequence) is None:
            return Volume(self.images[sequence].data, self.grid)
        return self._resampled.volume(sequence, self.placed(sequence), self.grid)


def read_scans(subject: Subject, first: str | None, align: Align) -> Scans:
    """All sequences of a subject.

    Args:
        subject: From `find_subjects`.
        first: The sequence whose grid the results get, if the subject has it, else the first that it has.
        align: Whether sequences on other grids may be resampled.

    Raises:
        ImageError: A file cannot be used.
        GeometryError: Grids differ and `align` is refuse, or they lie apart in the world.
    """
    images: dict[str, Volume] = {}
    warnings = list(subject.warnings)
    for name, source in subject.images.items():
        images[name], remark = _read_upright(name, source, align)
        warnings += remark
    reference = first if first in images else next(iter(images))
    for name, volume in images.items():
        warnings += [f"{name}: {one.sentence}" for one in volume.remarks]
    scans = Scans(images, reference, tuple(warnings))
    for name, volume in images.items():
        difference = scans.difference(name)
        if difference is None:
            continue
        where = f"{subject.images[name]}: does not lie on the grid of {reference}: {difference}"
        if align is Align.refuse:
            raise GeometryError(f"{where}; register it, or set pipeline.align=resample")
        _refuse_apart(volume.grid, scans.grid, where)
    return scans


def _read_upright(name: str, source: Source, align: Align) -> tuple[Volume, list[str]]:
    """A scan, resampled upright with a warning where it came from a tilted gantry and may be resampled."""
    try:
        return read(source), []
    except TiltError as error:
        if align is Align.refuse:
            raise
        remark = (
            f"{name} is from a gantry tilted by {error.degrees:.1f} degrees and was resampled upright; its "
            "masks lie on the upright grid"
        )
        return read(source, upright=True), [remark]


def registered(scans: Scans) -> Scans:
    """The same with every sequence moved onto the head of the reference; a warning names each refusal."""
    target = scans.images[scans.reference]
    found = {
        name: register_rigidly(volume, target)
        for name, volume in scans.images.items()
        if name != scans.reference
    }
    refused = [
        f"{name} could not be registered to {scans.reference} and was left where its header puts it: "
        f"{one.refused}; look at the two scans"
        for name, one in found.items()
        if one.refused
    ]
    return replace(scans, warnings=(*scans.warnings, *refused), registrations=found)


def placement_in_words(scans: Scans, sequence: str) -> str:
    """What was done to lay a sequence on the reference, for a person to read."""
    if scans.is_registered(sequence):
        one = scans.registrations[sequence]
        shift, turn = (
            " ".join(f"{n:+.1f}" for n in three) for three in (one.translation_mm, one.rotation_degrees)
        )
        return (
            f"registered: moved by {shift} mm along and turned by {turn} degrees about R A S, at most "
            f"{one.largest_mm:.1f} mm within the head; mutual information {one.information[0]:.3f} by the "
            f"headers, {one.information[1]:.3f} registered"
        )
    done = "as it is" if scans.difference(sequence) is None else "resampled by its header"
    refused = sequence in scans.registrations
    return f"{done}; registering it was refused: {scans.registrations[sequence].refused}" if refused else done


def warnings_of(scans: Scans) -> list[str]:
    """Which sequences were brought to the reference by their headers alone, then the other warnings."""
    by_header = {name: scans.difference(name) for name in scans.images if not scans.is_registered(name)}
    return [
        f"{name} was resampled to the grid of {scans.reference} by its header ({difference})"
        for name, difference in by_header.items()
        if difference
    ] + [*scans.warnings]


def _refuse_apart(one: Grid, other: Grid, where: str) -> None:
    """Refuse fields of view that hardly meet: they are of two heads, or one of the headers is wrong."""
    low = np.maximum(one.corners_mm().min(axis=0), other.corners_mm().min(axis=0))
    high = np.minimum(one.corners_mm().max(axis=0), other.corners_mm().max(axis=0))
    size = other.corners_mm().max(axis=0) - other.corners_mm().min(axis=0)
    shared = float(np.prod(np.clip(high - low, 0, None) / np.maximum(size, 1e-6)))
    if shared < 0.5:
        raise GeometryError(f"{where}; only {shared:.0%} of the fields of view overlap: check the headers")
