"""`brainseg-bids BIDS_DIR OUTPUT_DIR participant|group`: predict.py with the command line of BIDS Apps.

Source of the arguments: Gorgolewski et al., PLoS Computational Biology 2017, "BIDS apps". They take several
values after one option, for which argparse is made.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from brainseg.bids.dataset import write_derivatives
from brainseg.commands.main import predict_main
from brainseg.commands.one_line import MENDABLE, exit_if_mendable
from brainseg.config.arguments import quoted
from brainseg.config.errors import ConfigError, DataError
from brainseg.images.bids import DESCRIPTION
from brainseg.system.doctor import brainseg_version
from brainseg.system.terminal import say

WORK = ".brainseg"  # below the output; hidden, so that it is no part of the data set


def bids_app(arguments: Sequence[str] | None = None) -> None:
    """Predict the participants of a BIDS data set, or make the tables of all; exit codes as of predict.py."""
    given, settings = _parser().parse_known_args(arguments)
    for labels in (given.participant_label, given.session_label):
        settings += [one for one in labels if "=" in one]  # which the option before them has taken
    work = given.work_dir or given.output_dir / WORK
    try:
        _refuse(given, settings)
        if given.analysis_level == "group":
            say(*write_derivatives(work, given.output_dir).lines())
            return
    except MENDABLE as error:
        exit_if_mendable(error)
        raise
    sys.argv = ["predict.py", *_overrides(given, work), *settings]
    predict_main()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brainseg-bids",
        description="Strip, classify and outline the scans of a BIDS data set.",
        epilog="All settings of predict.py may follow as key=value: skullstripper=A.ckpt segmenter=C.ckpt",
        allow_abbrev=False,
    )
    parser.add_argument("bids_dir", type=Path, help="the data set")
    parser.add_argument("output_dir", type=Path, help="gets the BIDS derivatives")
    parser.add_argument("analysis_level", choices=("participant", "group"), help="group: tables of all")
    for name, example in (("participant", "01 or sub-01"), ("session", "pre or ses-pre")):
        options = (f"--{name}-label", f"--{name}_label")
        parser.add_argument(*options, nargs="+", default=[], metavar="LABEL", help=f"{example}; all if none")
    parser.add_argument("-w", "--work-dir", type=Path, help="gets results and pages [OUTPUT_DIR/.brainseg]")
    parser.add_argument("--n-procs", "--n_procs", type=int, default=1, help="subjects at a time [1]")
    parser.add_argument(
        "--skip-bids-validation",
        "--skip_bids_validator",
        action="store_true",
        help="accepted, as nothing is validated: files.csv names what is no scan in BIDS",
    )
    parser.add_argument("-v", "--version", action="version", version=f"brainseg {brainseg_version()}")
    return parser


def _refuse(given: argparse.Namespace, settings: Sequence[str]) -> None:
    if not (given.bids_dir / DESCRIPTION).is_file():
        raise DataError(f"{given.bids_dir}: has no {DESCRIPTION}, so it is no BIDS data set")
    for one in settings:
        if one.startswith("-") or "=" not in one:
            raise ConfigError(f"{one}: is no option of brainseg-bids, and no key=value of predict.py")


def _overrides(given: argparse.Namespace, work: Path) -> Iterator[str]:
    yield f"input={quoted(str(given.bids_dir))}"
    yield f"output={quoted(str(work))}"
    yield f"derivatives={quoted(str(given.output_dir))}"
    yield f"shards={given.n_procs}"
    patterns = _patterns(*(_labels(some) for some in (given.participant_label, given.session_label)))
    if only := ",".join(map(quoted, patterns)):
        yield f"only=[{only}]"


def _labels(given: Sequence[str]) -> list[str]:
    return [one for one in given if "=" not in one]


def _patterns(participants: Sequence[str], sessions: Sequence[str]) -> list[str]:
    """What the ids of these subjects and sessions look like: sub-01, sub-01_ses-pre."""
    subjects = [f"sub-{label.removeprefix('sub-')}" for label in participants]
    names = [f"ses-{label.removeprefix('ses-')}" for label in sessions]
    if not names:
        return subjects
    return [f"{subject}_{name}" for subject in subjects or ["sub-*"] for name in names]
