"""The page of an audit: what a data set of slices contains, and its copies side by side."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from brainseg.config.counted import counted, with_verb
from brainseg.data.audit import SliceAudit
from brainseg.data.duplicates import Copy
from brainseg.files.atomic import writing
from brainseg.images.jpeg import read_slice
from brainseg.reporting.page import inline_slice, write_page

MOST_PAIRS = 24  # of each kind that are shown
MOST_CLUSTERS, MOST_MEMBERS = 6, 18
MOST_FAULTS = 100
SIDE = 112  # of a thumbnail, pixels
HAVE, REPEAT = ("has", "have"), ("repeats", "repeat")  # of one, of several


@dataclass(frozen=True)
class Thumbnail:
    source: Markup  # of an <img>
    name: str
    label: str
    part: str


@dataclass(frozen=True)
class Pair:
    first: Thumbnail
    second: Thumbnail
    about: str


@dataclass(frozen=True)
class Kind:
    """Copies of one kind. The page shows `pairs`; there are `total`."""

    title: str
    about: str
    pairs: list[Pair]
    total: int


def write_audit(found: SliceAudit, folder: Path) -> Path:
    """Write audit.json and audit.html; gives the path of the page."""
    with writing(folder / "audit.json") as temporary:
        temporary.write_text(json.dumps(found.as_dict(), indent=1) + "\n", encoding="utf-8")
    page = folder / "audit.html"
    kept = found.as_dict()
    write_page(
        page,
        "audit",
        root=found.root,
        lines=summary(found),
        warnings=_warnings(found),
        counts=kept["counts"],
        has_testing=any(file.part == "Testing" for file in found.files),
        sizes=kept["sizes"],
        modes=kept["modes"],
        faults=list(kept["faults"].items())[:MOST_FAULTS],
        n_faults=len(kept["faults"]),
        kinds=_kinds(found),
        clusters=[
            (len(cluster), [_thumbnail(found, place) for place in cluster[:MOST_MEMBERS]])
            for cluster in found.clusters[:MOST_CLUSTERS]
        ],
    )
    return page


def summary(found: SliceAudit) -> list[str]:
    """What was found, in one line each."""
    n = found.numbers()
    parts = {file.part for file in found.files}
    near = "is a near copy" if n["near_duplicates"] == 1 else "are near copies"
    files, repeated = counted(n["files"], "file"), with_verb(n["exact_duplicates"], "file", REPEAT)
    largest = max(map(len, found.clusters), default=0)
    lines = [
        f"{files} in {' and '.join(sorted(parts, reverse=True))}, {n['unreadable']} unreadable",
        f"{counted(n['pictures'], 'different picture')}: {repeated} the pixels of another, "
        f"{n['near_duplicates']} more {near} (mirrored, turned, resized, brightened or saved again)",
        f"{with_verb(n['slices_with_copies'], 'slice', HAVE)} copies, "
        f"in {counted(n['clusters'], 'cluster')}, the largest of {largest}",
        f"{with_verb(n['conflicting_clusters'], 'cluster', HAVE)} slices of more than one class",
    ]
    if len(parts) > 1:
        lines.append(
            f"{with_verb(n['crossing_clusters'], 'cluster', HAVE)} slices in both Training and Testing, "
            f"{counted(n['training_slices_in_testing'], 'slice')} of Training among them"
        )
    return lines


def _warnings(found: SliceAudit) -> list[str]:
    """What the user should do before training."""
    n = found.numbers()
    said = []
    if n["clusters"]:
        said.append(
            "A random split of the slices puts copies of one picture into training and validation, so its "
            "scores are too high. Use data.split=grouped: it keeps copies together, and leaves out slices of "
            "Training that are copies of slices in Testing."
        )
    if n["conflicting_clusters"]:
        said.append(
            "Some copies are in different classes, so one of their labels is wrong. Correct or remove them."
        )
    if n["unreadable"]:
        said.append(
            "Training refuses files that cannot be read. Repair them, or skip them with data.skip_bad=true."
        )
    return said


def _kinds(found: SliceAudit) -> list[Kind]:
    def plain(kind: str) -> Callable[[Copy], bool]:
        return lambda copy: copy.kind == kind

    kinds = [
        ("Copies in different classes", "One picture has two labels.", found.is_conflict),
        (
            "Copies across Training and Testing",
            "These pictures are used for training and for testing.",
            found.is_crossing,
        ),
        (
            "Near copies",
            "The least similar first; one pair of each cluster before any second one.",
            plain("near"),
        ),
        ("The same pixels in another file", "", plain("pixels")),
        ("The same file twice", "", plain("file")),
    ]
    made = []
    for title, about, belongs in kinds:
        copies = [copy for copy in found.copies if belongs(copy)]
        pairs = [_pair(found, copy) for copy in _spread(found, copies)[:MOST_PAIRS]]
        made.append(Kind(title, about, pairs, len(copies)))
    return [kind for kind in made if kind.total]


def _spread(found: SliceAudit, copies: Iterable[Copy]) -> list[Copy]:
    """The least similar first, but one of every cluster before the second of any."""
    cluster = {place: number for number, places in enumerate(found.clusters) for place in places}
    seen: dict[int, int] = {}
    turns = []
    for copy in sorted(copies, key=lambda copy: (copy.correlation, copy.first, copy.second)):
        number = cluster[copy.first]
        seen[number] = seen.get(number, 0) + 1
        turns.append((seen[number], copy.correlation, copy.first, copy.second, copy))
    return [copy for *_, copy in sorted(turns, key=lambda turn: turn[:-1])]


def _pair(found: SliceAudit, copy: Copy) -> Pair:
    about = "the same file" if copy.kind == "file" else "the same pixels"
    if copy.kind == "near":
        about = f"{copy.transform}; correlation {copy.correlation:.2f}"
    return Pair(_thumbnail(found, copy.first), _thumbnail(found, copy.second), about)


def _thumbnail(found: SliceAudit, place: int) -> Thumbnail:
    file = found.files[place]
    source = inline_slice(read_slice(found.root / file.name), side=SIDE)
    return Thumbnail(source, file.name, file.label, file.part)
