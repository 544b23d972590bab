"""What a folder of slices holds: its files and their faults, copies, and what copies spoil."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from brainseg.config.errors import ImageError
from brainseg.data.cache import ArrayCache
from brainseg.data.duplicates import Copy, cached_copies, clusters
from brainseg.data.parallel import in_threads
from brainseg.data.slice_files import find_slices, slice_folders
from brainseg.images.jpeg import opened, read_slice

UNREADABLE = "unreadable"


@dataclass(frozen=True)
class SliceFile:
    """A file of a data set.

    Attributes:
        name: Relative to the data set's folder.
        part: Training or Testing.
        label: The class of its folder.
        size: Columns x rows, or "unreadable".
        mode: "L" for grey, "RGB", ...: PIL's name; or "unreadable".
        fault: Why it cannot be used; None: it can.
    """

    name: str
    part: str
    label: str
    size: str
    mode: str
    fault: str | None


@dataclass(frozen=True)
class SliceAudit:
    """The files of a data set, and which of them are copies.

    Attributes:
        root: Its folder.
        files: In the order of parts, classes and names.
        copies: Their places are those of `files`.
        clusters: Places of slices that are copies of each other, also through others; large ones first.
    """

    root: Path
    files: list[SliceFile]
    copies: list[Copy]
    clusters: list[list[int]]

    @cached_property
    def conflicts(self) -> list[list[int]]:
        """The clusters with slices of several classes: one picture, two truths."""
        return [cluster for cluster in self.clusters if len(self._values(cluster, "label")) > 1]

    @cached_property
    def crossing(self) -> list[list[int]]:
        """The clusters with slices of both Training and Testing."""
        return [cluster for cluster in self.clusters if len(self._values(cluster, "part")) > 1]

    def is_conflict(self, copy: Copy) -> bool:
        return len(self._values((copy.first, copy.second), "label")) > 1

    def is_crossing(self, copy: Copy) -> bool:
        return len(self._values((copy.first, copy.second), "part")) > 1

    def counts(self) -> list[dict[str, Any]]:
        """A row for each part and class: files, faults, slices with copies, and pictures that differ."""
        group = {place: number for number, cluster in enumerate(self.clusters) for place in cluster}
        rows: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, file in enumerate(self.files):
            rows[file.part, file.label].append(place)
        return [
            {
                "part": part,
                "class": label,
                "files": len(places),
                "unreadable": sum(self.files[place].fault is not None for place in places),
                "copies": sum(place in group for place in places),
                "pictures": len(
                    {group.get(place, -place - 1) for place in places if not self.files[place].fault}
                ),
            }
            for (part, label), places in rows.items()
        ]

    def numbers(self) -> dict[str, int]:
        """The sums that an audit is read for."""
        readable = sum(file.fault is None for file in self.files)
        exact = self._surplus(copy for copy in self.copies if copy.kind != "near")
        surplus = sum(len(cluster) - 1 for cluster in self.clusters)
        return {
            "files": len(self.files),
            "unreadable": len(self.files) - readable,
            "slices_with_copies": sum(len(cluster) for cluster in self.clusters),
            "clusters": len(self.clusters),
            "pictures": readable - surplus,
            "exact_duplicates": exact,
            "near_duplicates": surplus - exact,
            "pairs": len(self.copies),
            "conflicting_clusters": len(self.conflicts),
            "crossing_clusters": len(self.crossing),
            "training_slices_in_testing": sum(
                self.files[place].part == "Training" for cluster in self.crossing for place in cluster
            ),
        }

    def as_dict(self) -> dict[str, Any]:
        """Everything, with names instead of places, for audit.json."""
        names = [file.name for file in self.files]
        return {
            "root": str(self.root),
            "numbers": self.numbers(),
            "counts": self.counts(),
            "sizes": dict(Counter(file.size for file in self.files).most_common()),
            "modes": dict(Counter(file.mode for file in self.files).most_common()),
            "faults": {file.name: file.fault for file in self.files if file.fault is not None},
            "clusters": [[names[place] for place in cluster] for cluster in self.clusters],
            "pairs": [
                asdict(copy)
                | {"first": names[copy.first], "second": names[copy.second]}
                | {"conflict": self.is_conflict(copy), "crossing": self.is_crossing(copy)}
                for copy in self.copies
            ],
        }

    def _values(self, places: Iterable[int], field: str) -> set[str]:
        return {getattr(self.files[place], field) for place in places}

    def _surplus(self, copies: Iterable[Copy]) -> int:
        """Slices that could go without a picture being lost."""
        return len(self.files) - len(set(clusters(len(self.files), list(copies)).tolist()))


def audit_slices(root: Path, classes: Sequence[str], cache: ArrayCache) -> SliceAudit:
    """Look at every slice of a data set.

    Raises:
        DataError: The folder is not there, or has no slice of one of the classes.
    """
    found = [
        (path, part, classes[target])
        for part, folder in slice_folders(root).items()
        for path, target in find_slices(folder, list(classes))
    ]
    files = list(in_threads(lambda one: _examined(root, *one), found, "reading slices"))
    good = [place for place, file in enumerate(files) if file.fault is None]
    copies = [
        Copy(good[copy.first], good[copy.second], copy.kind, copy.transform, copy.correlation)
        for copy in cached_copies([found[place][0] for place in good], cache)
    ]
    return SliceAudit(root, files, copies, _members(len(files), copies))


def _examined(root: Path, path: Path, part: str, label: str) -> SliceFile:
    try:
        with opened(path) as image:
            size, mode = f"{image.width} x {image.height}", image.mode
    except ImageError:
        size = mode = UNREADABLE
    try:
        read_slice(path)
        fault = None
    except ImageError as error:
        fault = str(error).removeprefix(f"{path}: ")
    return SliceFile(path.relative_to(root).as_posix(), part, label, size, mode, fault)


def _members(n: int, copies: Sequence[Copy]) -> list[list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(clusters(n, copies).tolist()):
        groups[number].append(place)
    return sorted((group for group in groups.values() if len(group) > 1), key=lambda group: -len(group))
