"""How cores and GPUs are shared out among jobs that run at once; processes are those of test_sweeps.py."""

import pytest

from brainseg.config.errors import ConfigError
from brainseg.sweeps import parallel
from brainseg.sweeps.parallel import Command, places, run_all


@pytest.fixture
def six_cores(monkeypatch):
    monkeypatch.setattr(parallel, "_cores", lambda: [0, 1, 2, 3, 8, 9])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("six_cores")
def test_cores_are_shared_out_and_each_job_has_one_at_least():
    assert [place.cores for place in places(2, None)] == [(0, 1, 2), (3, 8, 9)]
    assert [place.cores for place in places(None, None)] == [(0, 1, 2, 3, 8, 9)]  # one for each four
    assert [len(place.cores) for place in places(9, None)] == [1] * 9
    with pytest.raises(ConfigError, match="n_jobs must be at least 1, got 0"):
        places(0, None)


@pytest.mark.usefixtures("six_cores")
def test_gpus_are_shared_out_one_by_one_or_in_groups():
    assert [place.devices for place in places(None, [0, 1])] == [("0",), ("1",)]
    assert [place.devices for place in places(3, [0, 1])] == [("0",), ("1",), ("0",)]
    assert [place.devices for place in places(None, [[0, 1], [2, 3]])] == [("0", "1"), ("2", "3")]
    assert [place.devices for place in places(2, None)] == [None, None]


@pytest.mark.usefixtures("six_cores")
def test_only_gpus_that_this_process_may_see_are_shared_out(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5,GPU-7")
    assert [place.devices for place in places(None, [1, 0])] == [("GPU-7",), ("GPU-5",)]
    with pytest.raises(ConfigError, match=r"CUDA_VISIBLE_DEVICES=\S+ shows 2 GPUs"):
        places(None, [0, 2])


def test_commands_run_at_their_place_and_the_exit_codes_are_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "said.py").write_text(
        "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES']); sys.exit(int(sys.argv[1]))"
    )
    commands = [Command("said", (str(code),), tmp_path / f"{n}.log") for n, code in enumerate((0, 3, 0))]
    ended = {}
    codes = run_all(commands, places(2, [4, 5]), lambda number: None, ended.__setitem__)
    assert codes == [0, 3, 0]
    assert ended == dict(enumerate(codes))
    assert {(tmp_path / f"{n}.log").read_text() for n in (0, 1)} == {"4\n", "5\n"}
