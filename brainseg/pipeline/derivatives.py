"""Results as a BIDS data set of derivatives, beside or within the data set that they were made from.

| file, below `sub-X/[ses-Y/]`              | what                                                        |
| ----------------------------------------- | ----------------------------------------------------------- |
| `anat/..._desc-brain_mask.nii.gz`         | 1 in the brain; on another sequence's grid with `space-T2w` |
| `anat/..._desc-brain_T1w.nii.gz`          | a sequence without skull; t1ce has `ce-`                    |
| `anat/..._desc-tumor_dseg.nii.gz`, `.tsv` | the outline, and what its labels mean                       |
| `anat/..._desc-tumor_probseg.nii.gz`      | whole tumour, tumour core, enhancing tumour, where saved    |
| `anat/..._label-brain_probseg.nii.gz`     | of the brain, where saved                                   |
| `figures/*.png`                           | the pictures; no part of BIDS, so `.bidsignore` names them  |

Each image has a JSON beside it. At the root: `dataset_description.json`, `README`, `participants.tsv` (of
several sessions `sub-X/sub-X_sessions.tsv`) with verdict and volumes; and, named in `.bidsignore`, `results/`
with what result.json says, its paths cut to file names, and `SHA256SUMS` of the files of all subjects. By
these sums a later run tells its own files from those that someone has put or changed there, which are never
touched. Source: BIDS 1.10, "Derivatives".
"""

import csv
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainseg.config import SEQUENCES
from brainseg.config.errors import DataError
from brainseg.images import bids
from brainseg.images.atomic import writing
from brainseg.images.labels import REGIONS
from brainseg.images.layouts import natural
from brainseg.pipeline.outputs import folder_for
from brainseg.pipeline.provenance import (
    RESULT,
    SUMS,
    changed_files,
    code,
    read_result,
    result_folders,
    sha256,
)
from brainseg.pipeline.table import findings_of, reasons_of
from brainseg.reporting.canvas import CLASS_COLORS, spoken

NAME, BIDS_VERSION = "brainseg", "1.10.0"
ABBREVIATIONS = {
    "background": "BG",
    "necrotic_core": "NCR",
    "edema": "ED",
    "enhancing_tumor": "ET",
    "whole_tumor": "WT",
    "tumor_core": "TC",
}
IGNORED = ("figures/", "results/", SUMS)
# Of participants.tsv and sessions.tsv, with what they are; a volume is in ml.
COLUMNS = {
    "verdict": "What the gates say of the result: pass, review, or not judged",
    "type": "Tumour type of the most slices, by the classifier",
    "probability": "Its mean probability over the slices, from 0 to 1",
    **{
        f"{name}_ml": f"Volume of the {spoken(name)}"
        for name in ("brain", *ABBREVIATIONS)
        if name != "background"
    },
}
FROM_SOURCE = ("task", "acq", "ce", "rec", "run", "echo", "part")  # entities that a scan's name hands on
ABOUT = f"""Brain masks, skull-stripped scans and tumour outlines, made by {NAME}.

A research tool and no medical device. participants.tsv, or a subject's sessions.tsv, has the verdict of the
gates ("review": a person should look) and the volumes; results/ has all that is known of each result, and
a subject's figures/ its pictures. Subjects that failed are left out.
"""


@dataclass(frozen=True)
class Label:
    """What a subject is called in BIDS, or a session of it."""

    subject: str
    session: str | None = None

    @property
    def pairs(self) -> dict[str, str]:
        return {"sub": self.subject} | ({"ses": self.session} if self.session else {})

    @property
    def name(self) -> str:
        return "_".join(f"{key}-{value}" for key, value in self.pairs.items())

    @property
    def folder(self) -> Path:
        return Path(*(f"{key}-{value}" for key, value in self.pairs.items()))


@dataclass
class Written:
    """What came of it.

    Attributes:
        root: The data set's folder.
        subjects: The ids of those in it, of these results.
        left_out: The ids of the others, and why.
    """

    root: Path
    subjects: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        said = [f"{name}: left out of the BIDS derivatives: {why}" for name, why in self.left_out.items()]
        return [*said, f"BIDS derivatives of {len(self.subjects)} subjects in {self.root}"]


def refuse_unfit(root: Path, ids: Iterable[str]) -> None:
    """Say before any work what would stop `write_derivatives`.

    Raises:
        DataError: The folder holds something else, or ids that would not be distinct labels in BIDS.
    """
    _refuse_other_data(root)
    _refuse_foreign(root, _labels(root, ids).values())


def write_derivatives(results: Path, root: Path) -> Written:
    """All results below a folder as a BIDS data set; subjects that it had before are replaced, others stay.

    Args:
        results: What predict.py wrote, of one subject or of all.
        root: The data set's folder: new, empty, or of an earlier call.

    Raises:
        DataError: As `refuse_unfit`; or a result has changed since it was made.
        ImageError: The disk is full, or the folder may not be written to.
    """
    folders = {result["subject"]: (folder, result) for folder, result in _read(results)}
    labels = _labels(root, folders)
    _refuse_other_data(root)
    _refuse_foreign(root, labels.values())
    written = Written(root)
    for name, (_, result) in folders.items():
        if result.get("status") != "done":
            written.left_out[name] = " ".join(reasons_of(result)) or "it failed"
    done = {name: labels[name] for name in sorted(folders, key=natural) if name not in written.left_out}
    for name in done:
        _refuse_changed(folders[name][0])
    for name in written.left_out:  # no old result stands in for one that failed
        _remove(root, labels[name])
    if done:
        links = _write_description(root, [folders[name][1] for name in done])
        for name, label in done.items():
            _write_subject(root, label, *folders[name], links)
            written.subjects.append(name)
    if root.exists():
        _write_tables(root)
    return written


def _read(results: Path) -> Iterable[tuple[Path, dict[str, Any]]]:
    for folder in result_folders(results):
        result = read_result(folder)
        if not isinstance(result.get("subject"), str) or "status" not in result:
            raise DataError(f"{folder / RESULT}: names no subject and status; predict the subject again")
        yield folder, result


def label_of(identity: str) -> Label:
    """A subject's label; sub-X_ses-Y becomes a session, any other id its letters and digits.

    Raises:
        DataError: There are none.
    """
    if match := re.fullmatch(r"sub-([A-Za-z0-9]+)(?:_ses-([A-Za-z0-9]+))?", identity):
        return Label(match[1], match[2])
    if not (subject := bids.cleaned(identity)):
        raise DataError(
            f"{identity}: has no letter A to Z or digit, of which a BIDS label consists; rename the scan"
        )
    return Label(subject)


def _labels(root: Path, ids: Iterable[str]) -> dict[str, Label]:
    """Of each id; distinct ones stay distinct, from earlier ones too, and where case does not count."""
    labels: dict[str, Label] = {}
    taken = {path.stem.lower(): _subject_in(path) for path in (root / "results").glob("*.json")}
    for identity in ids:
        label = label_of(identity)
        other = taken.setdefault(label.name.lower(), identity)
        if other != identity:
            raise DataError(
                f"{other} and {identity} would both be {label.name} in BIDS, whose labels have letters and "
                "digits only; rename the scans of one, or give another folder"
            )
        labels[identity] = label
    return labels


def _subject_in(path: Path) -> str:
    return str(json.loads(path.read_text(encoding="utf-8"))["subject"])


def _refuse_other_data(root: Path) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise DataError(f"{root}: is a file; give a folder for the BIDS derivatives")
    names = sorted(path.name for path in root.iterdir())
    makers = _description(root).get("GeneratedBy", [])
    if names and NAME not in [maker.get("Name") for maker in makers if isinstance(maker, dict)]:
        more = " and others" if len(names) > 3 else ""
        raise DataError(
            f"{root}: holds {', '.join(names[:3])}{more} and is no data set of {NAME}'s derivatives; "
            "give a new or empty folder"
        )


def _description(root: Path) -> dict[str, Any]:
    path = root / bids.DESCRIPTION
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise DataError(f"{path}: cannot be read ({error}); mend it, or give another folder") from error
    return found


def _folders(root: Path, label: Label) -> list[Path]:
    return [root / label.folder / part for part in ("anat", "figures")]


def _refuse_foreign(root: Path, labels: Iterable[Label]) -> None:
    """Name a file where ours would go that we did not write, or that is no longer what we wrote."""
    known = _sums(root)
    for label in labels:
        for folder in _folders(root, label):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and (str(path.relative_to(root)), sha256(path)) not in known:
                    raise DataError(
                        f"{path}: is not what {NAME} wrote there; move it away, or give another folder"
                    )


def _refuse_changed(folder: Path) -> None:
    if problems := changed_files(folder):
        raise DataError(
            f"{problems[0]} since it was predicted; put the file back, or predict again with overwrite=true"
        )


def _sums(root: Path) -> set[tuple[str, str]]:
    """File, relative to the root, and its sum, of all that was written for subjects."""
    path = root / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(name, digest) for digest, name in (line.split("  ", 1) for line in lines)}


def _write_sums(root: Path, sums: set[tuple[str, str]]) -> None:
    _write_text(root / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums)))


def _remove(root: Path, label: Label) -> None:
    """The files of a subject, all of which are known to be ours."""
    if not (root / "results" / f"{label.name}.json").exists():
        return
    for folder in _folders(root, label):
        shutil.rmtree(folder, ignore_errors=True)
    (root / "results" / f"{label.name}.json").unlink()
    _write_sums(root, {one for one in _sums(root) if not _is_of(root, label, one[0])})
    for folder in (root / label.folder, root / f"sub-{label.subject}"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _is_of(root: Path, label: Label, name: str) -> bool:
    return any((root / name).is_relative_to(folder) for folder in _folders(root, label))


def _write_subject(
    root: Path, label: Label, results: Path, result: dict[str, Any], links: Mapping[Path, str]
) -> None:
    """The images and pictures of a subject, each folder whole, and its result."""
    naming = _Naming(label, result, links)
    before = _sums(root)
    others = {one for one in before if not _is_of(root, label, one[0])}
    now: set[tuple[str, str]] = set()
    for part, fill in (("anat", _fill_anat), ("figures", _fill_figures)):
        with folder_for(root / label.folder, part) as folder:
            fill(folder, results, naming)
            place = label.folder / part
            now |= {(str(place / path.name), sha256(path)) for path in folder.iterdir()}
            # Before they are there: a run that is stopped now leaves nothing that the next takes for foreign.
            _write_sums(root, before | now)
        if not any((root / place).iterdir()):
            (root / place).rmdir()
    _write_json(root / "results" / f"{label.name}.json", without_places(result))
    _write_sums(root, others | now)


@dataclass(frozen=True)
class _Naming:
    """How the files of one result are called, and what they were made from.

    Args:
        label: The subject's.
        result: Of result.json.
        links: By the root of a BIDS data set that scans came from, its name in BIDS URIs.
    """

    label: Label
    result: dict[str, Any]
    links: Mapping[Path, str]

    @property
    def reference(self) -> str:
        return str(self.result["grid"]["reference"])

    def subject(self, ending: str, **pairs: str) -> str:
        """The name of what was made of all sequences."""
        return bids.file_name({**self.label.pairs, **pairs}, ending)

    def scan(self, sequence: str, ending: str, **pairs: str) -> str:
        """The name of what was made of one sequence: with the entities of its own name, as BIDS demands."""
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
        return Path(self.result["inputs"][sequence]["file"])

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
    naming: _Naming

    def put(self, source: str, name: str, sequence: str, about: str, **sidecar: Any) -> bool:
        """An image on the grid of a sequence with its JSON beside it; False where the result has none."""
        path = self.results / f"{self.naming.result['subject']}_{source}.nii.gz"
        if not path.is_file():
            return False
        shutil.copyfile(path, self.folder / name)
        place = {"SpatialReference": self.naming.space(sequence)}
        described = {"Description": about, **_filled(sidecar), **place}
        _write_json(self.folder / name.replace(".nii.gz", ".json"), described)
        return True


def _fill_anat(folder: Path, results: Path, naming: _Naming) -> None:
    images, result, first = _Images(folder, results, naming), naming.result, naming.reference
    sequences = [name for name in SEQUENCES if name in result["inputs"]]
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
    used = (result.get("segmentation") or {}).get("sequences", [])
    convention = result.get("label_convention") or {}
    made: dict[str, Any] = {"Manual": False, "Sources": naming.sources(used)}
    name = naming.subject("dseg.nii.gz", desc="tumor")
    about = f"Parts of the tumour, with the labels of {convention.get('name')}"
    if images.put("tumor_labels", name, naming.reference, about, **made):
        rows = [label_row(int(value), part) for value, part in convention["values"].items()]
        _write_table(images.folder / name.replace(".nii.gz", ".tsv"), rows)
    about = f"Probabilities of {', '.join(map(spoken, REGIONS))}: one within the other, a volume each"
    labels = [ABBREVIATIONS[region] for region in REGIONS]
    name = naming.subject("probseg.nii.gz", desc="tumor")
    images.put("tumor_probabilities", name, naming.reference, about, LabelMap=labels, **made)


def label_row(value: int, part: str) -> dict[str, Any]:
    """A row of the label table."""
    color = CLASS_COLORS.get(part, "#000000")
    return {"index": value, "name": part, "abbreviation": ABBREVIATIONS[part], "color": color}


def _fill_figures(folder: Path, results: Path, naming: _Naming) -> None:
    for kind in ("montage", "vote"):
        path = results / f"{naming.result['subject']}_{kind}.png"
        if path.is_file():
            shutil.copyfile(path, folder / f"{naming.label.name}_{kind}.png")


def without_places(value: Any) -> Any:
    """Plain values whose paths are cut to their file names: folders may name people and machines."""
    if isinstance(value, Mapping):
        return {key: without_places(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_places(one) for one in value]
    return os.path.basename(value) if isinstance(value, str) and os.path.isabs(value) else value


def _write_description(root: Path, results: Sequence[Mapping[str, Any]]) -> dict[Path, str]:
    """What the data set is; what someone added to it stays.

    Returns:
        The BIDS data sets that scans came from, as absolute paths, and their names in BIDS URIs.
    """
    before = _description(root)
    links: dict[str, str] = dict(before.get("DatasetLinks", {}))
    for source in _roots(results):
        if (relative := _relative(source, root)) and relative not in links.values():
            links[f"raw{len(links) + 1}" if links else "raw"] = relative
    others = [maker for maker in before.get("GeneratedBy", []) if maker.get("Name") != NAME]
    made = {"GeneratedBy": [{"Name": NAME, "Version": code()["version"]}, *others]}
    fixed = {"BIDSVersion": BIDS_VERSION, "DatasetType": "derivative"}
    defaults = {"Name": "Brain masks and tumour outlines made by brainseg"}
    sources = {"DatasetLinks": links, "SourceDatasets": [{"URL": path} for path in links.values()]}
    _write_json(root / bids.DESCRIPTION, {**defaults, **before, **fixed, **made, **_filled(sources)})
    if not (root / "README").exists():
        _write_text(root / "README", ABOUT)
    ignored = root / ".bidsignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
    _write_text(ignored, "\n".join(dict.fromkeys([*lines, *IGNORED])) + "\n")
    return {Path(os.path.abspath(root / path)): name for name, path in links.items()}


def _roots(results: Sequence[Mapping[str, Any]]) -> list[Path]:
    """The BIDS data sets that the scans lie in, each once."""
    paths = [Path(entry["file"]) for result in results for entry in result["inputs"].values()]
    found = (bids.root_of(path) for path in paths if bids.is_anatomical(path))
    return list(dict.fromkeys(root for root in found if root is not None))


def _relative(source: Path, root: Path) -> str | None:
    """The way to a data set; None through the file system's root, which would tell where all lies."""
    root = Path(os.path.abspath(root))
    if len(Path(os.path.commonpath([source, root])).parts) < 2:
        return None
    return Path(os.path.relpath(source, root)).as_posix()


def _write_tables(root: Path) -> None:
    """participants.tsv, and sessions.tsv of subjects with sessions, of all results in the data set."""
    rows: dict[str, dict[str, Any]] = {}
    sessions: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((root / "results").glob("*.json"), key=lambda path: natural(path.stem)):
        label = label_of(path.stem)
        findings = findings_of(json.loads(path.read_text(encoding="utf-8")))
        participant = f"sub-{label.subject}"
        rows.setdefault(participant, {"participant_id": participant})
        if label.session is None:
            rows[participant] |= findings
        else:
            sessions.setdefault(participant, []).append({"session_id": f"ses-{label.session}", **findings})
    _merge_table(root / "participants.tsv", list(rows.values()), "participant_id")
    for participant, visits in sessions.items():
        _merge_table(root / participant / f"{participant}_sessions.tsv", visits, "session_id")


def _merge_table(path: Path, rows: list[dict[str, Any]], key: str) -> None:
    """Our columns of our rows, and the columns and rows that someone has added; their meaning beside."""
    before = {row[key]: row for row in _table(path) if key in row}
    added = {name: _without_ours(row, key) for name, row in before.items()}
    ours = [{**row, **added.pop(row[key], {})} for row in rows]
    theirs = [{key: name, **row} for name, row in added.items() if row]
    _write_table(path, [*ours, *theirs])
    described = path.with_suffix(".json")
    known = json.loads(described.read_text(encoding="utf-8")) if described.exists() else {}
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    meaning = {name: {"Description": COLUMNS[name]} for name in columns}
    for name in columns:
        if name.endswith("_ml"):
            meaning[name]["Units"] = "mL"
    _write_json(described, {**known, **meaning})


def _without_ours(row: Mapping[str, str], key: str) -> dict[str, str]:
    return {
        name: value for name, value in row.items() if name not in COLUMNS and name != key and value != "n/a"
    }


def _table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A TSV as BIDS has it: n/a for what is not there."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([_cell(row.get(name)) for name in columns] for row in rows)]
    _write_text(path, "".join("\t".join(line) + "\n" for line in lines))


def _cell(value: Any) -> str:
    return "n/a" if value in (None, "") else str(value)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write_text(path, json.dumps(content, indent=2) + "\n")


def _write_text(path: Path, text: str) -> None:
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty lists and objects, which say nothing."""
    return {name: value for name, value in values.items() if value not in ([], {})}
