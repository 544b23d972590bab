"""A cohort that is read ahead and written behind gives what it gives one by one, in the same order."""

import gc
import json
import logging
import threading
import time
import weakref
from dataclasses import dataclass, replace

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.choices import Stage
from brainseg.config.errors import ConfigError, ImageError
from brainseg.images.layouts import find_subjects
from brainseg.phantom import write_cohort
from brainseg.prediction import ahead, run
from brainseg.prediction.job import Job
from brainseg.prediction.stage import PipelineStage
from brainseg.prediction.subject import read
from brainseg.results.provenance import settings_of
from brainseg.system.signals import Stopped

log = logging.getLogger("brainseg")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort") / "bids"
    write_cohort(folder, layout="bids", subjects=5, seed=3, spacing_mm=6.0)
    return folder


@pytest.fixture
def job(cohort, tmp_path):
    def _job(*overrides: str, stage: PipelineStage | None = None) -> Job:
        register_schemas()
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            fixed = [f"input={cohort}", f"output={tmp_path}", "gates=none", "montage=false", "page=false"]
            options = check_predict(compose("predict", [*fixed, *overrides]))
        return Job(options, (stage or Mean(),), settings_of(options))

    return _job


@dataclass(frozen=True)
class Brightness:
    mean: float

    def write(self, folder, name, scans, *, probabilities):
        log.warning("%s is written", name)
        (folder / f"{name}_brightness.txt").write_text(f"{self.mean:.3f}\n")

    def added_to(self, result, scans):
        return replace(result, volumes_ml={"bright": self.mean})


class Mean(PipelineStage):
    """A stage that needs no training."""

    is_given = True
    model = None
    name = Stage.classify
    model_name = "classifier"
    makes = "brightness"

    @classmethod
    def load(cls, options, device):
        return cls()

    def run(self, state):
        log.warning("a subject is computed")
        return state.with_outcome(Brightness(float(state.scans.images[state.scans.reference].data.mean())))


def predicted(subjects, job, output):
    return list(run._one_by_one(subjects, job, output))


def files_of(folder):
    """The content of every file, but for the times and the settings in result.json."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name == "result.json":
            values = json.loads(path.read_text())
            found[path.relative_to(folder)] = [values[key] for key in ("subject", "status", "volumes_ml")]
        elif path.is_file() and path.name != "SHA256SUMS":
            found[path.relative_to(folder)] = path.read_bytes()
    return found


@pytest.mark.parametrize("prefetch", [1, 3])
def test_results_files_and_lines_are_those_of_one_by_one(prefetch, cohort, job, tmp_path, caplog):
    subjects = find_subjects(cohort)
    said = {}
    for n in (0, prefetch):
        caplog.clear()
        results = predicted(subjects, job(f"pipeline.prefetch={n}"), tmp_path / str(n))
        assert [one.subject for one in results] == [subject.id for subject in subjects]
        said[n] = [record.getMessage() for record in caplog.records]
    assert files_of(tmp_path / "0") == files_of(tmp_path / str(prefetch))
    assert len(said[0]) == 2 * len(subjects)
    assert said[0] == said[prefetch]


def test_reading_and_writing_go_on_while_a_subject_is_computed(cohort, job, tmp_path, monkeypatch):
    threads: dict[str, set[str]] = {}
    for name in ("read", "compute", "write"):
        whole = getattr(ahead, name)

        def noted(*given, name=name, whole=whole):
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return whole(*given)

        monkeypatch.setattr(ahead, name, noted)
    predicted(find_subjects(cohort), job(), tmp_path)
    assert threads == {"read": {"reading_0"}, "compute": {"MainThread"}, "write": {"writing_0"}}


def test_a_fault_in_any_part_is_that_subject_s_alone(cohort, job, tmp_path, monkeypatch, caplog):
    subjects = find_subjects(cohort)
    bad = dict(zip(("read", "compute", "write"), subjects[1:4], strict=True))
    for name, whose in bad.items():
        whole = getattr(ahead, name)

        def broken(one, *given, name=name, whose=whose, whole=whole):
            if whose in (one, getattr(one, "subject", None)):
                raise ImageError(f"{name} went wrong")
            return whole(one, *given)

        monkeypatch.setattr(ahead, name, broken)
    results = predicted(subjects, job(), tmp_path)
    assert [one.subject for one in results] == [subject.id for subject in subjects]
    assert [one.error for one in results] == [None, *(f"{name} went wrong" for name in bad), None]
    for name, whose in bad.items():
        assert sorted(path.name for path in (tmp_path / whose.id).iterdir()) == ["SHA256SUMS", "result.json"]
        assert f"{whose.id} failed: {name} went wrong" in caplog.text
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_error_in_the_program_has_its_traceback_and_stops_nobody(cohort, job, tmp_path):
    class Broken(Mean):
        def run(self, state):
            raise ZeroDivisionError("nothing")

    results = predicted(find_subjects(cohort), job(stage=Broken()), tmp_path)
    assert len(results) == 5
    assert all("in run" in one.traceback and "ZeroDivisionError" in one.traceback for one in results)


@pytest.mark.parametrize("prefetch", [1, 2])
def test_so_many_subjects_are_in_memory_and_no_more(prefetch, cohort, job, tmp_path, monkeypatch):
    alive: weakref.WeakSet = weakref.WeakSet()
    most = []

    def counted(subject, job):
        found = read(subject, job)
        alive.add(found.state.scans.images["t1"])
        gc.collect()
        most.append(len(alive))
        return found

    class Slow(Mean):
        def run(self, state):
            time.sleep(0.1)  # long enough to read all that may be read
            return super().run(state)

    monkeypatch.setattr(ahead, "read", counted)
    predicted(find_subjects(cohort), job(f"pipeline.prefetch={prefetch}", stage=Slow()), tmp_path)
    assert len(most) == 5
    assert max(most) <= prefetch + 2


def test_a_stop_signal_ends_it_with_whole_folders_and_no_thread_left(cohort, job, tmp_path):
    calls = []

    class Stopping(Mean):
        def run(self, state):
            calls.append(1)
            if len(calls) == 3:
                raise Stopped(130)
            return super().run(state)

    with pytest.raises(Stopped):
        predicted(find_subjects(cohort), job(stage=Stopping()), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sub-001", "sub-002"]
    assert all((path / "SHA256SUMS").is_file() for path in tmp_path.iterdir())
    assert not [one for one in threading.enumerate() if one.name.startswith(("reading", "writing"))]


def test_reading_ahead_is_no_other_setting_of_a_result(job):
    assert job("pipeline.prefetch=0").settings.sha256 == job("pipeline.prefetch=2").settings.sha256
    assert job("pipeline.align=refuse").settings.sha256 != job().settings.sha256
    with pytest.raises(ConfigError, match=r"pipeline\.prefetch"):
        job("pipeline.prefetch=-1")
