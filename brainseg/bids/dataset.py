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

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainseg.bids.images import Naming, fill_anat, fill_figures
from brainseg.bids.tables import Label, filled, label_of, write_json, write_tables, write_text
from brainseg.config.counted import counted
from brainseg.config.errors import DataError, UnreadableError
from brainseg.files.atomic import sha256
from brainseg.files.plain import read_json
from brainseg.images import bids
from brainseg.images.walk import natural
from brainseg.results.parts import Status
from brainseg.results.provenance import code
from brainseg.results.read import read_result, result_folders, subject_folders
from brainseg.results.replacing import Known, recover, remove_ours, replacement
from brainseg.results.result import Result
from brainseg.results.sums import SUMS, Sum, read_all_sums, write_known_sums
from brainseg.results.verify import changed_files

NAME, BIDS_VERSION = "brainseg", "1.10.0"
IGNORED = ("figures", "results", SUMS)
ABOUT = f"""Brain masks, skull-stripped scans and tumour outlines, made by {NAME}.

A research tool and no medical device. participants.tsv, or a subject's sessions.tsv, has the verdict of the
gates ("review": a person should look) and the volumes; results/ has all that is known of each result, and
a subject's figures/ its pictures. Subjects that failed are left out.
"""


@dataclass
class Written:
    """What `write_derivatives` has done.

    Attributes:
        root: The data set's folder.
        subjects: The ids of the subjects that were written.
        left_out: Why each other subject was left out, by its id.
    """

    root: Path
    subjects: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        said = [f"{name}: left out of the BIDS derivatives: {why}" for name, why in self.left_out.items()]
        return [*said, f"BIDS derivatives of {counted(len(self.subjects), 'subject')} in {self.root}"]


def refuse_unfit(root: Path, ids: Iterable[str], results: Path) -> None:
    """Say before any work what would stop `write_derivatives`.

    Args:
        root: The data set's folder.
        ids: The subjects that will be predicted.
        results: The folder of the results, which may hold other subjects already.

    Raises:
        DataError: The folder holds something else, or ids that would not be distinct labels in BIDS.
    """
    _refuse_other_data(root)
    there = [folder.name for folder in subject_folders(results)]
    _refuse_foreign(root, _labels(root, dict.fromkeys([*ids, *there])).values())


def write_derivatives(results: Path, root: Path) -> Written:
    """All results below a folder as a BIDS data set; subjects that it had before are replaced, others stay.

    Args:
        results: What predict.py wrote, of one subject or of all.
        root: The data set's folder: new, empty, or of an earlier call.

    Raises:
        DataError: As `refuse_unfit`; or a result has changed since it was made.
        ImageError: The disk is full, or the folder may not be written to.
    """
    found = ((folder, read_result(folder)) for folder in result_folders(results))
    folders = {result.subject: (folder, result) for folder, result in found}
    labels = _labels(root, folders)
    _refuse_other_data(root)
    _refuse_foreign(root, labels.values())
    written = Written(root)
    for name, (_, result) in folders.items():
        if result.status is Status.failed:
            written.left_out[name] = " ".join(result.reasons) or "it failed"
        elif result.slices is not None:
            written.left_out[name] = "it is of pictures, which have no place in BIDS"
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
        write_tables(root)
    return written


def _labels(root: Path, ids: Iterable[str]) -> dict[str, Label]:
    """The label of each id. Two ids never share a label, not even where upper and lower case are the same."""
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
    try:
        return str(read_json(path)["subject"])
    except UnreadableError as error:
        raise DataError(f"{error}; put it back, or give another folder") from error
    except KeyError as error:
        raise DataError(f"{path}: names no subject; put it back, or give another folder") from error


def _refuse_other_data(root: Path) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise DataError(f"{root}: is a file; give a folder for the BIDS derivatives")
    names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
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
        found: dict[str, Any] = read_json(path) if path.exists() else {}
    except UnreadableError as error:
        raise DataError(f"{error}; mend it, or give another folder") from error
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


def _sums(root: Path) -> set[Sum]:
    """The sums of all files that were written for subjects, by their path from the root on."""
    return set(read_all_sums(root)) if (root / SUMS).exists() else set()


def _remove(root: Path, label: Label) -> None:
    """Remove the files of a subject, all of which are known to be ours."""
    if not (root / "results" / f"{label.name}.json").exists():
        return
    for folder in _folders(root, label):
        if folder.is_dir():
            remove_ours(folder, _known(root, label, folder.name))
    (root / "results" / f"{label.name}.json").unlink()
    write_known_sums(root, {one for one in _sums(root) if not _is_of(root, label, one[0])})
    for folder in (root / label.folder, root / f"sub-{label.subject}"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _known(root: Path, label: Label, part: str) -> Known:
    """The files that we wrote into a part of a subject's folder."""
    known: dict[str, set[str]] = {}
    for name, digest in _sums(root):
        if (root / name).parent == root / label.folder / part:
            known.setdefault(Path(name).name, set()).add(digest)
    return known


def _is_of(root: Path, label: Label, name: str) -> bool:
    return any((root / name).is_relative_to(folder) for folder in _folders(root, label))


def _write_subject(
    root: Path, label: Label, results: Path, result: Result, links: Mapping[Path, str]
) -> None:
    """Write the images and pictures of a subject, each folder whole, and its result."""
    naming = Naming(label, result, links)

    def known_in(old: Path, part: str) -> Known:
        return _known(root, label, part)

    recover(root / label.folder, known_in)
    before = _sums(root)
    others = {one for one in before if not _is_of(root, label, one[0])}
    now: set[Sum] = set()
    for part, fill in (("anat", fill_anat), ("figures", fill_figures)):
        with replacement(root / label.folder / part, known_in) as folder:
            fill(folder, results, naming)
            place = label.folder / part
            now |= {(str(place / path.name), sha256(path)) for path in folder.iterdir()}
            # Before they are there: a run that is stopped now leaves nothing that the next takes for foreign.
            write_known_sums(root, before | now)
        if not any((root / place).iterdir()):
            (root / place).rmdir()
    write_json(root / "results" / f"{label.name}.json", without_places(result.to_json()))
    write_known_sums(root, others | now)


def without_places(value: Any) -> Any:
    """Plain values whose paths are cut to their file names: folders may name people and machines."""
    if isinstance(value, Mapping):
        return {key: without_places(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_places(one) for one in value]
    return os.path.basename(value) if isinstance(value, str) and os.path.isabs(value) else value


def _write_description(root: Path, results: Sequence[Result]) -> dict[Path, str]:
    """Write what the data set is. What someone has added to it stays.

    Returns:
        The BIDS data sets that scans came from, as absolute paths, and their names in BIDS URIs.
    """
    before = _description(root)
    links: dict[str, str] = dict(before.get("DatasetLinks", {}))
    for source in _roots(results):
        if (relative := _relative(source, root)) and relative not in links.values():
            links[f"raw{len(links) + 1}" if links else "raw"] = relative
    others = [maker for maker in before.get("GeneratedBy", []) if maker.get("Name") != NAME]
    made = {"GeneratedBy": [{"Name": NAME, "Version": code().version}, *others]}
    fixed = {"BIDSVersion": BIDS_VERSION, "DatasetType": "derivative"}
    defaults = {"Name": "Brain masks and tumour outlines made by brainseg"}
    listed = before.get("SourceDatasets", [])
    listed = [*listed, *(url for path in links.values() if (url := {"URL": path}) not in listed)]
    sources = {"DatasetLinks": links, "SourceDatasets": listed}
    write_json(root / bids.DESCRIPTION, {**defaults, **before, **fixed, **made, **filled(sources)})
    if not (root / "README").exists():
        write_text(root / "README", ABOUT)
    ignored = root / ".bidsignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
    write_text(ignored, "\n".join(dict.fromkeys([*lines, *IGNORED])) + "\n")
    return {Path(os.path.abspath(root / path)): name for name, path in links.items()}


def _roots(results: Sequence[Result]) -> list[Path]:
    """The BIDS data sets that the scans lie in, each once."""
    paths = [Path(scan.file) for result in results for scan in result.inputs.values()]
    found = (bids.root_of(path) for path in paths if bids.is_anatomical(path))
    return list(dict.fromkeys(root for root in found if root is not None))


def _relative(source: Path, root: Path) -> str | None:
    """The path from the root to a data set; None where it would lead through the file system's root.

    Such a path would name every folder on the way.
    """
    root = Path(os.path.abspath(root))
    if len(Path(os.path.commonpath([source, root])).parts) < 2:
        return None
    return Path(os.path.relpath(source, root)).as_posix()
