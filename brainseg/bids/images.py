"""The names of a result's images in BIDS, and the JSON beside each image."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainseg.bids.tables import ABBREVIATIONS, Label, filled, write_json, write_table
from brainseg.config import SEQUENCES
from brainseg.images import bids
from brainseg.images.labels import regions_with
from brainseg.reporting.canvas import CLASS_COLORS, spoken
from brainseg.results.result import Result

FROM_SOURCE = ("task", "acq", "ce", "rec", "run", "echo", "part")  # entities that a scan's name hands on


@dataclass(frozen=True)
class Naming:
    """The names of the files of one result, and of the scans that they were made from.

    Args:
        label: The subject's.
        result: The subject's result.
        links: By the root of a BIDS data set that scans came from, its name in BIDS URIs.
    """

    label: Label
    result: Result
    links: Mapping[Path, str]

    @property
    def reference(self) -> str:
        assert self.result.grid is not None  # as in every result that is done
        return self.result.grid.reference

    def subject(self, ending: str, **pairs: str) -> str:
        """The name of a file that was made from all sequences."""
        return bids.file_name({**self.label.pairs, **pairs}, ending)

    def scan(self, sequence: str, ending: str, **pairs: str) -> str:
        """The name of a file that was made from one sequence. It has the entities of the scan's own name."""
        path = self._path(sequence)
        source = bids.entities(path) if bids.is_anatomical(path) else {}
        kept = {key: source[key] for key in FROM_SOURCE if key in source}
        if sequence == "t1ce":
            kept.setdefault("ce", "gadolinium")
        return bids.file_name({**kept, **self.label.pairs, **pairs}, ending)

    def sources(self, sequences: Iterable[str]) -> list[str]:
        """BIDS URIs of the scans that lie in a BIDS data set."""
        return [uri for sequence in sequences if (uri := self._uri(sequence))]

    def own(self, name: str) -> str:
        """The BIDS URI of an image that was written."""
        return f"bids::{(self.label.folder / 'anat' / name).as_posix()}"

    def space(self, sequence: str) -> str:
        return self._uri(sequence) or "orig"

    def _path(self, sequence: str) -> Path:
        return Path(self.result.inputs[sequence].file)

    def _uri(self, sequence: str) -> str | None:
        path = self._path(sequence)
        root = bids.root_of(path) if bids.is_anatomical(path) else None
        if root is None or root not in self.links:
            return None
        return f"bids:{self.links[root]}:{path.relative_to(root).as_posix()}"


@dataclass(frozen=True)
class _Images:
    """Images of a result, copied under their names in BIDS.

    Args:
        folder: Where they go.
        results: Where they are.
        naming: How they are called.
    """

    folder: Path
    results: Path
    naming: Naming

    def put(self, source: str, name: str, sequence: str, about: str, **sidecar: Any) -> bool:
        """An image on the grid of a sequence with its JSON beside it; False where the result has none."""
        path = self.results / f"{self.naming.result.subject}_{source}.nii.gz"
        if not path.is_file():
            return False
        shutil.copyfile(path, self.folder / name)
        place = {"SpatialReference": self.naming.space(sequence)}
        described = {"Description": about, **filled(sidecar), **place}
        write_json(self.folder / name.replace(".nii.gz", ".json"), described)
        return True


def fill_anat(folder: Path, results: Path, naming: Naming) -> None:
    images, result, first = _Images(folder, results, naming), naming.result, naming.reference
    sequences = [name for name in SEQUENCES if name in result.inputs]
    masks = {}
    for sequence in [first, *(name for name in sequences if name != first)]:
        own = {} if sequence == first else {"space": bids.SUFFIXES[sequence]}
        source = "brain_mask" if sequence == first else f"{sequence}_brain_mask"
        name = naming.scan(sequence, "mask.nii.gz", **own, desc="brain")
        sources = naming.sources([sequence])
        if images.put(source, name, sequence, "1 in the brain", Type="Brain", Sources=sources):
            masks[sequence] = name
    for sequence in sequences:
        name = naming.scan(sequence, f"{bids.SUFFIXES[sequence]}.nii.gz", desc="brain")
        mask = masks.get(sequence) or masks.get(first)
        sources = [*naming.sources([sequence]), *([naming.own(mask)] if mask else [])]
        about = f"{sequence} with its own intensities within the brain mask, 0 elsewhere"
        images.put(f"{sequence}_stripped", name, sequence, about, SkullStripped=True, Sources=sources)
    name = naming.scan(first, "probseg.nii.gz", label="brain")
    images.put("brain_probability", name, first, "Probability of brain", Sources=naming.sources([first]))
    _put_tumor(images)


def _put_tumor(images: _Images) -> None:
    naming, result = images.naming, images.naming.result
    convention = result.label_convention
    if convention is None:  # no tumour was looked for
        return
    used = result.segmentation.sequences if result.segmentation else []
    made: dict[str, Any] = {"Manual": False, "Sources": naming.sources(used)}
    name = naming.subject("dseg.nii.gz", desc="tumor")
    about = f"Parts of the tumour, with the labels of {convention.name}"
    if images.put("tumor_labels", name, naming.reference, about, **made):
        rows = [label_row(int(value), part) for value, part in convention.values.items()]
        write_table(images.folder / name.replace(".nii.gz", ".tsv"), rows)
    regions = list(regions_with(cavity=result.tells_cavity))
    outside = ", but for the last, which lies outside" if result.tells_cavity else ""
    about = (
        f"Probabilities of {', '.join(map(spoken, regions))}: one within the other{outside}, a volume each"
    )
    labels = [ABBREVIATIONS[region] for region in regions]
    name = naming.subject("probseg.nii.gz", desc="tumor")
    images.put("tumor_probabilities", name, naming.reference, about, LabelMap=labels, **made)


def label_row(value: int, part: str) -> dict[str, Any]:
    """A row of the label table."""
    color = CLASS_COLORS.get(part, "#000000")
    return {"index": value, "name": part, "abbreviation": ABBREVIATIONS[part], "color": color}


def fill_figures(folder: Path, results: Path, naming: Naming) -> None:
    for kind in ("montage", "vote", "type_3d"):
        path = results / f"{naming.result.subject}_{kind}.png"
        if path.is_file():
            shutil.copyfile(path, folder / f"{naming.label.name}_{kind}.png")
