import re
from importlib import metadata
from pathlib import Path

import pytest

from brainseg.system.versions import CHECKED, PREDICTION, TRAINING, git_commit, versions_of


@pytest.mark.parametrize("packages", [TRAINING, PREDICTION, CHECKED])
def test_every_package_of_a_list_is_installed_and_named_once(packages):
    found = versions_of(packages)
    assert list(found) == list(packages)
    assert found["torch"] == metadata.version("torch")


def test_the_commit_is_that_of_the_checkout_and_none_of_an_installed_package():
    is_checkout = (Path(__file__).resolve().parents[2] / ".git").exists()
    assert is_checkout is bool(re.fullmatch(r"[0-9a-f]{40}", git_commit() or ""))


def test_a_machine_without_git_has_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() is None
