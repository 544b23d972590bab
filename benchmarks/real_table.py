"""The models that come with brainseg on a folder of real scans: one table, and the scores for their cards.

python benchmarks/real_table.py SHARED --output DIR [--again] [segmenter=C.ckpt ...]

SHARED holds some of: lgg (the Kaggle LGG set), brats13 (cases in BraTS' names), open_ms and ixi (heads with
brain masks). Every subject of each set is predicted once, then each sequence of the heads, and some subsets
of the sequences of the tumours, alone. What contains a "=" is an override, as predict.py takes them. The vote
of the classifier, which is for pictures only, is asked for all the same. DIR gets the predictions and, in
scores/, a scores.csv for each row of the table; with --again those that are there are scored and nothing is
predicted.
"""

import argparse
import csv
import json
import shutil
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.builtin import builtin_file
from brainseg.evaluation.brains import evaluate_brains, write_brain_evaluation
from brainseg.evaluation.figures import figures_of
from brainseg.evaluation.tumors import evaluate_tumors, write_tumor_evaluation
from brainseg.evaluation.types import evaluate_types, write_type_evaluation
from brainseg.images import nifti
from brainseg.images.layouts import survey
from brainseg.images.lgg import read_tumor
from brainseg.images.lgg_patients import survey_lgg
from brainseg.images.source import read
from brainseg.images.subject import Subject
from brainseg.prediction.run import run
from brainseg.results.parts import Judgement
from brainseg.results.read import read_result, subject_folders

QUIET = ("overwrite=true", "montage=false", "page=false", "forecast=false")
TYPES = {"lgg": "glioma", "brats13": "glioma", "open_ms": "notumor", "ixi": "notumor"}
SUBSETS = (("flair",), ("t1",), ("t1ce",), ("t1ce", "flair"))
# By what a row shows: what the models had at first, and what was wanted of them.
WANTED = {
    ("open_ms alone", "brain Dice"): (".951, least .944", ".960, least .950"),
    ("ixi alone", "brain Dice"): (".952, least .888 (other heads)", ".965, least .930"),
    ("lgg", "whole tumour Dice"): (".261 (other patients)", ".65"),
    ("brats13", "whole tumour Dice"): (".61, .33 (two cases)", ".75"),
    ("brats13", "tumour core Dice"): ("", ".55"),
    ("brats13", "enhancing tumour Dice"): ("", ".60"),
    ("lgg", "alarms"): ("78 %", "10 %"),
    ("ixi", "alarms"): ("12.6 %", "2 %"),
}


@dataclass(frozen=True)
class Place:
    """Where the predictions and the scores of a row are."""

    output: Path
    name: str

    @property
    def results(self) -> Path:
        return self.output / "predictions" / self.name.replace(" ", "_")

    def scores(self, of: str) -> Path:
        return self.output / "scores" / f"{self.name} {of}".replace(" ", "_")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("shared", type=Path)
    options.add_argument("overrides", nargs="*", metavar="key=value")
    options.add_argument("--output", type=Path, required=True)
    options.add_argument("--again", action="store_true", help="score what is there")
    given = options.parse_intermixed_args()
    sources = {name: given.shared / name for name in TYPES if (given.shared / name).is_dir()}
    if not given.again:
        predict_all(sources, given.output, given.overrides)
    rows = [row for name, source in sources.items() for row in rows_of(name, source, given.output)]
    print("| scans | measure | number | mean (95 %) | least | at first | wanted |\n|" + " --- |" * 7)
    for name, measure, *cells in rows:
        print("| " + " | ".join([name, measure, *cells, *WANTED.get((name, measure), ("", ""))]) + " |")


def predict_all(sources: dict[str, Path], output: Path, overrides: Sequence[str]) -> None:
    """Every set as it is, then its sequences and subsets alone."""
    here = output_folder(output / "voter")  # not where brainseg looks for its own
    voter = Path(shutil.copy(builtin_file("classifier"), here))
    shutil.copy(builtin_file("classifier").with_suffix(".json"), here)
    for name, source in sources.items():
        predict_and_judge(source, Place(output, name), overrides)
        votes = [f"classifier={voter}", "segmenter=null", "gates=none"]
        predict(source, Place(output, f"{name} vote"), [*votes, *overrides])
        if TYPES[name] == "notumor":
            alone = output / "inputs" / f"{name}_alone"
            link_alone(subjects_of(source), alone)
            predict(alone, Place(output, f"{name} alone"), ["segmenter=null", "gates=none", *overrides])
            continue
        for subset in SUBSETS:
            inputs = output / "inputs" / f"{name}_{'+'.join(subset)}"
            if write_subset(subjects_of(source), subset, inputs):
                predict(inputs, Place(output, f"{name} {'+'.join(subset)}"), ["gates=none", *overrides])


def predict_and_judge(source: Path, place: Place, overrides: Sequence[str]) -> None:
    """A set with its alarms; those that a gate stopped are then predicted to the end, to be scored."""
    predict(source, place, overrides)
    write_alarms(place)
    stopped = [one.name for one in subject_folders(place.results) if read_result(one).error is not None]
    if stopped:
        predict(source, place, [*overrides, "gates=none", f"only=[{','.join(stopped)}]"])


def output_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def predict(source: Path, place: Place, overrides: Sequence[str]) -> None:
    register_schemas()
    fixed = [f"input={source}", f"output={place.results}", *QUIET]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        run(check_predict(compose("predict", [*fixed, *overrides])))


def subjects_of(source: Path) -> list[Subject]:
    return (survey_lgg(source) or survey(source)).subjects


def link_alone(subjects: Iterable[Subject], folder: Path) -> None:
    """Each sequence and its brain mask as a subject of its own."""
    for subject in subjects:
        for sequence, scan in subject.images.items():
            one = output_folder(folder / f"{subject.id}-{sequence}")
            mask = subject.mask_of(sequence)
            link(scan.path, one / f"{one.name}_{sequence}.nii.gz")
            if mask is not None:
                link(mask, one / f"{one.name}_{sequence}_brainmask.nii.gz")


def write_subset(subjects: Iterable[Subject], sequences: Sequence[str], folder: Path) -> bool:
    """Those subjects that have more than these sequences, with these alone; whether there is one."""
    chosen = [one for one in subjects if set(sequences) < set(one.images)]
    for subject in chosen:
        one = output_folder(folder / subject.id)
        for sequence in sequences:
            scan = subject.images[sequence]
            if scan.path.is_dir():  # a patient of the LGG set
                volume = read(scan)
                nifti.write(one / f"{subject.id}_{sequence}.nii.gz", volume.data[0], volume.grid)
            else:
                link(scan.path, one / scan.path.name)
        truth = one / f"{subject.id}_seg.nii.gz"
        if subject.truth is not None:
            link(subject.truth, truth)
        elif not truth.exists():
            tumor = read_tumor(subject.folder)
            nifti.write(truth, tumor.data[0], tumor.grid)
    return bool(chosen)


def link(source: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(source.resolve())


def rows_of(name: str, source: Path, output: Path) -> list[list[str]]:
    """The rows of a set, whose scores are written."""
    place = Place(output, name)
    rows = [*type_rows(Place(output, f"{name} vote"), TYPES[name])]
    if TYPES[name] == "notumor":
        alone = Place(output, f"{name} alone")
        found = evaluate_brains(output / "inputs" / f"{name}_alone", alone.results)
        write_brain_evaluation(found, alone.scores("brains"))
        rows = [*figure_rows(alone.name, alone.scores("brains")), *outlined_row(place), *rows]
    else:
        rows = [*tumor_rows(place, source), *rows]
        for subset in SUBSETS:
            part = Place(output, f"{name} {'+'.join(subset)}")
            if part.results.is_dir():
                rows += tumor_rows(part, output / "inputs" / f"{name}_{'+'.join(subset)}")
    return [*rows, *alarm_row(place)]


def tumor_rows(place: Place, truth: Path) -> list[list[str]]:
    regions = ["whole_tumor"] if place.name.startswith("lgg") else []
    found = evaluate_tumors(truth, place.results, "brats-legacy", regions=regions)
    write_tumor_evaluation(found, place.scores("tumors"))
    return figure_rows(place.name, place.scores("tumors"))


def type_rows(place: Place, kind: str) -> list[list[str]]:
    """The vote of slices, of a set of one type."""
    table = output_folder(place.output / "scores") / f"{place.name}_types.csv"
    names = [folder.name for folder in subject_folders(place.results)]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["participant_id", "tumor_type"], *([name, kind] for name in names)])
    write_type_evaluation(evaluate_types(table, place.results), place.scores("types"))
    return figure_rows(place.name, place.scores("types"))


def figure_rows(name: str, scores: Path) -> list[list[str]]:
    rows = []
    for one in figures_of(name, scores / "scores.csv"):
        mean, least = one.mean, "" if one.least is None else f"{one.least:.3f}"
        between = "" if mean.low is None else f" ({mean.low:.3f} to {mean.high:.3f})"
        rows.append([name, one.score, str(mean.cases), f"{mean.value:.3f}{between}", least])
    return rows


def outlined_row(place: Place) -> list[list[str]]:
    """What is outlined in heads without a tumour."""
    found = [read_result(folder).volumes_ml.get("whole_tumor") for folder in subject_folders(place.results)]
    known = [one for one in found if one is not None]
    if not known:
        return []
    said = f"median {statistics.median(known):.1f}, most {max(known):.1f}"
    return [[place.name, "outlined though no tumour, ml", str(len(known)), said, ""]]


def alarm_row(place: Place) -> list[list[str]]:
    """How many good scans did not pass, and for which reasons."""
    n, said = json.loads(place.scores("alarms.json").read_text())
    return [[place.name, "alarms", n, said, ""]]


def write_alarms(place: Place) -> None:
    results = [read_result(folder) for folder in subject_folders(place.results)]
    wrong = [one for one in results if one.verdict is not Judgement.passed]
    gates = [{gate.gate for gate in one.gates if not gate.has_passed} for one in wrong]
    names = sorted({name for some in gates for name in some})
    said = ", ".join(f"{name} {sum(name in some for some in gates)}" for name in names)
    share = f"{len(wrong) / len(results):.1%}" + (f": {said}" if said else "")
    output_folder(place.output / "scores")
    place.scores("alarms.json").write_text(json.dumps([str(len(results)), share]))


if __name__ == "__main__":
    main()
