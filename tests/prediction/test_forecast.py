"""What a forecast counts. Whether it comes true is shown by benchmarks/forecast.py: it is about time."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from brainseg.images.layouts import find_subjects
from brainseg.images.nifti import read
from brainseg.inference import Windows
from brainseg.phantom import write_cohort
from brainseg.prediction.forecast import forecast
from brainseg.prediction.job import Job, job_of
from brainseg.prediction.network_time import Sizes, Work, sizes_of, work_on_volume
from brainseg.prediction.run import run
from brainseg.trained import Ensemble

HEAD = Sizes(head_mm=(180.0, 220.0, 190.0), brain_mm=(150.0, 185.0, 145.0), came_stripped=False, apart=0)


@pytest.fixture
def job(options, patients):
    def _job(*overrides: str) -> Job:
        return job_of(options(patients, *overrides))

    return _job


@pytest.fixture
def subject(patients):
    return find_subjects(patients)[0]


def volumes_of(subject):
    return {name: read(source.path) for name, source in subject.images.items()}


def work_of(job: Job, sizes: Sizes = HEAD) -> list[Work]:
    return [one for stage in job.stages for one in stage.work(sizes, job.options.gates)]


def test_a_forecast_says_something_and_leaves_nothing_behind(subject, job, tmp_path, monkeypatch):
    one = job()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = forecast(subject, one)
    assert 0.1 < told.seconds < 600
    assert 200 < told.memory_mb < 20_000
    assert 0.05 < told.disk_mb < 100
    assert not list(tmp_path.iterdir())


def test_every_member_and_mirror_image_is_counted(job):
    one = job("window.flips=all", "skullstripper=null", "classifier=null")
    (stage,) = (stage for stage in one.stages if stage.model is not None)
    (member,) = stage.model.members
    two = dataclasses.replace(stage, model=Ensemble({"a": member, "b": member}))
    (once,) = dataclasses.replace(stage, flips=stage.flips.none).work(HEAD, None)
    assert [work.passes for work in two.work(HEAD, None)] == [8 * once.passes] * 2


def test_the_windows_counted_are_those_that_the_network_is_shown(job):
    one = job("skullstripper=null", "classifier=null")
    (module,) = next(stage.model for stage in one.stages if stage.model is not None).members
    windows = Windows.of(one.options.window)
    shown = []
    hook = module.net.register_forward_hook(lambda _, given, __: shown.append(len(given[0])))
    with torch.no_grad():
        module.logits(torch.zeros(4, 50, 40, 33), windows=windows)
    hook.remove()
    work = work_on_volume(module, (50 * 6, 40 * 6, 33 * 6), windows)  # voxels of 6 mm
    assert work.shape == (4, 32, 32, 32)
    assert work.passes == sum(shown) == 3 * 2 * 2  # from 0, 16, 18; from 0, 8; from 0, 1


def test_a_network_that_is_shown_the_scan_at_once_is_counted_by_voxels(job, monkeypatch):
    one = job("skullstripper=null", "classifier=null")
    (module,) = next(stage.model for stage in one.stages if stage.model is not None).members
    monkeypatch.setattr("brainseg.prediction.network_time.sees_its_window", lambda net: False)
    work = work_on_volume(module, (64 * 6, 32 * 6, 16 * 6), Windows.of(one.options.window))
    assert work.passes == pytest.approx(64 * 32 * 16 / 32**3)


def test_a_stripped_scan_needs_no_stripping_and_has_its_own_box(job, tmp_path):
    write_cohort(tmp_path / "brats", layout="brats", subjects=1, seed=0, spacing_mm=4.0)
    (stripped,) = find_subjects(tmp_path / "brats")
    volumes = volumes_of(stripped)
    sizes = sizes_of(volumes, registered=False)
    brain = volumes["t1"].data[0] != 0
    extent = [int(np.ptp(np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {a}))))) + 1 for a in range(3)]
    assert sizes.came_stripped
    assert sizes.brain_mm == sizes.head_mm
    np.testing.assert_allclose(sizes.brain_mm, np.multiply(extent, 4), atol=8.1)  # a voxel on each side
    assert [work.shape[0] for work in work_of(job("classifier=null"), sizes)] == [4]


def test_the_brain_of_a_head_is_no_larger_than_an_adult_s(subject):
    sizes = sizes_of(volumes_of(subject), registered=False)
    assert not sizes.came_stripped
    assert sizes.brain_mm == (150.0, 185.0, 145.0)
    assert all(head > brain for head, brain in zip(sizes.head_mm, sizes.brain_mm, strict=True))


def test_the_mirrored_head_is_counted_where_a_gate_looks_at_it(job):
    strips = [
        work_of(job("classifier=null", "segmenter=null", f"gates={gates}")) for gates in ("default", "none")
    ]
    assert [len(works) for works in strips] == [2, 1]


def test_the_votes_of_the_slices_are_counted(job):
    (work,) = work_of(job("skullstripper=null", "segmenter=null"))
    assert work.shape == (3, 32, 32)
    assert work.passes >= 27


def test_sequences_on_grids_of_their_own_are_counted_where_the_stripper_takes_any(job, monkeypatch):
    one = job("classifier=null", "segmenter=null")
    (stage,) = (stage for stage in one.stages if stage.model is not None)
    apart = dataclasses.replace(HEAD, apart=3)
    assert len(stage.work(apart, None)) == 1  # it knows t1 alone
    monkeypatch.setattr(stage.model.module.config.preprocess, "modalities", ["any"])
    assert len(stage.work(apart, None)) == 4


def test_disk_is_counted_for_what_is_written(subject, job):
    def disk_mb(*overrides: str) -> float:
        return forecast(subject, job("classifier=null", "segmenter=null", *overrides)).disk_mb

    bare = disk_mb("montage=false", "page=false")
    assert 0 < bare < disk_mb("montage=true", "page=false") < disk_mb("montage=true", "page=true")
    assert bare < disk_mb("montage=false", "page=false", "save_probabilities=true")


def test_the_forecast_is_said_before_anything_is_predicted_with_its_accuracy(options, subject, capsys):
    chosen = options(subject.folder, "skullstripper=null", "classifier=null", "forecast=true")
    assert run(chosen) == 0
    said = capsys.readouterr().out
    assert said.index("forecast: sub-001 takes about") < said.index("results in")
    assert "factor of two" in said


def test_a_subject_that_cannot_be_forecast_does_not_take_the_others_down(options, patients, tmp_path, caplog):
    cohort = shutil.copytree(patients, tmp_path / "cohort")
    scan = next((cohort / "sub-001" / "anat").glob("*FLAIR*"))
    scan.write_bytes(b"no scan")
    chosen = options(cohort, "skullstripper=null", "classifier=null", "forecast=true", "montage=false")
    assert run(chosen) == 4
    assert "no forecast: " in caplog.text
    assert (tmp_path / "out" / "sub-002" / "sub-002_tumor_labels.nii.gz").is_file()
