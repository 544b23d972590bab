"""The installed package, without the checkout around it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_a_wheel_holds_the_whole_configuration_and_finds_it(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("brainseg-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    files = {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    packed = tmp_path / "site" / "brainseg" / "conf"
    assert {path.relative_to(packed) for path in packed.rglob("*.yaml")} == files
    assert (tmp_path / "site" / "hydra_plugins" / "brainseg_sweeps" / "grid.py").is_file()
    assert not (tmp_path / "site" / "hydra_plugins" / "__init__.py").exists()  # others have plugins there too
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); sys.argv = ['train', '--cfg', 'job'];"
        "import brainseg.commands.main; from brainseg.config import conf_dir; print(conf_dir());"
        "brainseg.commands.main.train_main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[:2] == [str(packed), "task: classifier"]
