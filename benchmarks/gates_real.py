"""What the gates of a prediction say of real heads: alarms by gate, and how each value is distributed.

python benchmarks/gates_real.py DIR [DIR ...] [skullstripper=A.ckpt segmenter=B.ckpt] [--output DIR]

Every subject at each DIR is predicted; what contains a "=" is an override, as predict.py takes them. The
scans are taken for good ones, so each that did not pass is an alarm to be looked at. `synthetic_only`, which
says something about the models and not about the scans, is switched off. With --again the results in the
output are read and nothing is predicted. Limits that differ between sequences have a row for each.
"""

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.prediction.run import run
from brainseg.results.parts import GateResult, Judgement
from brainseg.results.read import read_result, subject_folders
from brainseg.results.result import Result

QUIET = ("overwrite=true", "montage=false", "page=false", "forecast=false", "gates.synthetic_only=null")


@dataclass(frozen=True)
class Row:
    """One gate over many scans.

    Attributes:
        gate: Its name, with the sequence where the limits are its own.
        values: Those that could be measured.
        unmeasured: How many could not.
        reviewed, failed: How many lie beyond each limit.
        limits: As "review [low, high], fail [low, high]".
    """

    gate: str
    values: Sequence[float]
    unmeasured: int
    reviewed: int
    failed: int
    limits: str

    def __str__(self) -> str:
        named = f"{self.gate:24} {len(self.values):4} {self.unmeasured:10}"
        if not self.values:
            return named
        low, middle, high = np.percentile(self.values, [5, 50, 95])
        beyond = (self.reviewed + self.failed) / (len(self.values) + self.unmeasured)
        spread = f"{low:9.4g} {middle:9.4g} {high:9.4g} {min(self.values):9.4g} {max(self.values):9.4g}"
        return f"{named} {spread} {self.reviewed:6} {self.failed:4} {beyond:7.1%}  {self.limits}"


HEAD = (
    f"{'gate':24} {'n':>4} {'unmeasured':>10} {'5 %':>9} {'median':>9} {'95 %':>9} {'least':>9} {'most':>9} "
    f"{'review':>6} {'fail':>4} {'beyond':>7}  limits"
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("given", nargs="+", metavar="DIR or key=value")
    options.add_argument("--output", type=Path, default=None)
    options.add_argument("--again", action="store_true", help="read the results in --output")
    given = options.parse_args()
    overrides = [one for one in given.given if "=" in one]
    with tempfile.TemporaryDirectory() as place:
        for source in (Path(one) for one in given.given if "=" not in one):
            output = (given.output or Path(place)) / source.resolve().name
            if not given.again:
                predict(source, output, overrides)
            print(f"\n{source}\n{report([read_result(one) for one in subject_folders(output)])}", flush=True)


def predict(source: Path, output: Path, overrides: Sequence[str]) -> None:
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        run(check_predict(compose("predict", [f"input={source}", f"output={output}", *QUIET, *overrides])))


def report(results: Sequence[Result]) -> str:
    """The table, who did not pass and why, and in how many subjects each gate said so."""
    reasons = {
        result.subject: _reasons(result) for result in results if result.verdict is not Judgement.passed
    }
    counts = Counter(gate for gates in reasons.values() for gate in {one.split(" ")[0] for one in gates})
    seconds = [result.seconds["judge"] for result in results if "judge" in result.seconds]
    lines = [HEAD, *map(str, rows(results))]
    lines += [f"{subject}: {', '.join(gates)}" for subject, gates in reasons.items()]
    by_gate = ", ".join(f"{gate} {n}" for gate, n in counts.most_common())
    share = len(reasons) / max(len(results), 1)
    lines.append(f"{len(reasons)} of {len(results)} subjects did not pass ({share:.1%}): {by_gate or 'none'}")
    if seconds:
        lines.append(
            f"seconds of judging a subject: median {np.median(seconds):.2f}, most {max(seconds):.2f}"
        )
    return "\n".join(lines)


def _reasons(result: Result) -> list[str]:
    wrong = [one for one in result.gates if not one.has_passed]
    said = [one.gate + (f" ({one.of}) {one.value:.4g}" if one.of else f" {one.value:.4g}") for one in wrong]
    return said or [f"error: {result.error}"]


def rows(results: Iterable[Result]) -> list[Row]:
    """A row for each gate, in the order in which they were judged."""
    judged = [gate for result in results for gate in result.gates]
    limits: dict[str, set[str]] = defaultdict(set)
    for one in judged:
        limits[one.gate].add(str(one.limits))
    grouped: dict[str, list[GateResult]] = defaultdict(list)
    for one in judged:
        grouped[f"{one.gate} {one.of}" if len(limits[one.gate]) > 1 else one.gate].append(one)
    return [_row(name, found) for name, found in grouped.items()]


def _row(name: str, found: Sequence[GateResult]) -> Row:
    values = [one.value for one in found if one.value is not None]
    levels = Counter(one.level for one in found)
    held = found[0].limits
    said = "none" if held is None else f"review {held.review}, fail {held.fail}"
    unmeasured = len(found) - len(values)
    return Row(name, values, unmeasured, levels[Judgement.review], levels[Judgement.fail], said)


if __name__ == "__main__":
    main()
