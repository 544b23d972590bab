import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from brainseg.prediction.run import run


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Settings that leave out what takes time."""
    return ("classifier=null", "montage=false")


@pytest.fixture
def cohort(patients, tmp_path) -> Path:
    """One patient of our own, whose files may be spoilt."""
    return shutil.copytree(patients, tmp_path / "cohort", ignore=shutil.ignore_patterns("sub-002"))


@pytest.fixture
def made(options, cohort, tmp_path, quick) -> Path:
    assert run(options(cohort, *quick)) == 0
    return tmp_path / "out" / "sub-001"


@pytest.fixture(scope="session")
def flip_a_byte() -> Callable[[Path], None]:
    """Change one byte in the middle of a file."""

    def _flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return _flip
