"""What a forecast counts. Whether it comes true is shown by benchmarks/forecast.py: it is about time."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from brainseg.images.layouts import find_subjects
from brainseg.images.nifti import read
from brainseg.images.volume import to_ras
from brainseg.inference import Windows
from brainseg.phantom import write_cohort
from brainseg.prediction.forecast import Work, _idle, _slab_of, _work, forecast
from brainseg.prediction.run import job_of, run
from brainseg.prediction.subject import Job, predict_subject
from brainseg.tasks import Ensemble


@pytest.fixture
def job(options, patients):
    def _job(*overrides: str) -> Job:
        return job_of(options(patients, *overrides))

    return _job


@pytest.fixture
def subject(patients):
    return find_subjects(patients)[0]


def counted(work, window):
    return sum(shape.numel() // shape[1] for shape in work.batches(window))


def volumes_of(subject):
    return {name: read(source.path) for name, source in subject.images.items()}


def test_a_forecast_says_something_and_leaves_nothing_behind(subject, job, tmp_path, monkeypatch):
    one = job()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = forecast(subject, one)
    assert 0.1 < told.seconds < 600
    assert 200 < told.memory_mb < 20_000
    assert 0.05 < told.disk_mb < 100
    assert not list(tmp_path.iterdir())


def test_every_member_and_mirror_image_is_counted(subject, job):
    one = job("window.flips=all", "skullstripper=null", "classifier=null")
    members = one.models[next(iter(one.models))].members
    models = {stage: Ensemble({"a": members[0], "b": members[0]}) for stage in one.models}
    work = list(_work(volumes_of(subject), models, one.options))
    assert [w.passes for w in work] == [8, 8]


def test_the_voxels_counted_are_those_that_the_network_will_be_shown(job, tmp_path):
    write_cohort(tmp_path / "brats", layout="brats", subjects=1, seed=0, spacing_mm=3.0)
    (stripped,) = find_subjects(tmp_path / "brats")
    one = job("skullstripper=null", "classifier=null")
    (work,) = _work(volumes_of(stripped), one.models, one.options)
    shown = []
    hook = work.module.net.register_forward_hook(lambda _, given, __: shown.append(given[0][:, 0].numel()))
    predict_subject(stripped, one, tmp_path)
    assert counted(work, one.options.window) == sum(shown) == 32**3  # one window holds the brain at 6 mm
    large, window = dataclasses.replace(work, shape=(50, 40, 33)), one.options.window
    shown.clear()
    with torch.no_grad():
        work.module.logits(torch.zeros(4, *large.shape), windows=Windows.of(window))
    hook.remove()
    assert counted(large, window) == sum(shown) == 3 * 2 * 2 * 32**3  # from 0, 16, 18; from 0, 8; from 0, 1


def test_a_stripped_scan_needs_no_stripping(job, tmp_path):
    write_cohort(tmp_path / "brats", layout="brats", subjects=1, seed=0, spacing_mm=4.0)
    (stripped,) = find_subjects(tmp_path / "brats")
    one = job("classifier=null")
    volumes = volumes_of(stripped)
    (work,) = _work(volumes, one.models, one.options)
    brain = volumes["t1"].data[0] != 0
    extent = [int(np.ptp(np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {a}))))) + 1 for a in range(3)]
    # 4 mm voxels become ones of 6 mm.
    assert work.shape == tuple(int(np.ceil(n * 4 / 6)) for n in extent)


def test_without_a_stripper_a_segmenter_is_shown_all_of_a_head(subject, job):
    volumes = volumes_of(subject)
    whole, brain = (
        next(one.shape for one in _work(volumes, given.models, given.options) if one.channels == 4)
        for given in (job("skullstripper=null", "classifier=null"), job("classifier=null"))
    )
    # In RAS, at the 6 mm that the segmenter was trained at.
    ras = to_ras(volumes["t1"]).grid
    assert whole == tuple(int(np.ceil(n * mm / 6)) for n, mm in zip(ras.shape, ras.spacing_mm, strict=True))
    assert brain == (25, 31, 25)  # of BRAIN_MM, which is less


def test_the_slab_has_a_third_of_the_slices_at_their_place_and_type(subject, tmp_path):
    volumes = volumes_of(subject)
    slab, share = _slab_of(subject, volumes, tmp_path / "slab")
    whole, part = volumes["t1"], read(slab.images["t1"].path)
    axis = whole.grid.orientation.index("S")
    n = whole.grid.shape[axis]
    assert part.grid.shape[axis] == n // 3
    first = (n - n // 3) // 2
    np.testing.assert_array_equal(part.data, whole.data.take(range(first, first + n // 3), axis=axis + 1))
    index = np.zeros(4)
    index[axis], index[3] = first, 1
    np.testing.assert_allclose(part.grid.affine[:3, 3], (whole.grid.affine @ index)[:3], atol=1e-4)
    assert part.grid.header.get_data_dtype() == whole.grid.header.get_data_dtype()
    assert 1 / 3 < share < 0.6  # the middle holds more of a head than a third


def test_idle_networks_leave_the_real_ones_as_they_are(job):
    one = job("classifier=null")
    idle = _idle(one.models)
    image = torch.rand(4, 32, 32, 32)
    for stage, model in one.models.items():
        if isinstance(model, Ensemble):
            real = model.probabilities(image)
            assert (idle[stage].probabilities(image)[1:] == 0).all()
            torch.testing.assert_close(model.probabilities(image), real)
            assert real[1:].max() > 0


def test_the_forecast_is_said_before_anything_is_predicted(options, subject, capsys):
    chosen = options(subject.folder, "skullstripper=null", "classifier=null", "forecast=true")
    assert run(chosen) == 0
    said = capsys.readouterr().out
    assert said.index("forecast: sub-001 takes about") < said.index("results in")


def test_memory_of_a_pass_grows_with_the_scan(job):
    model = job("skullstripper=null", "classifier=null").models
    (member,) = next(iter(model.values())).members
    small = Work(member, 1, (64, 64, 64))
    large = dataclasses.replace(small, shape=(128, 64, 64))
    assert large.memory_mb == pytest.approx(2 * small.memory_mb)
    assert small.memory_mb == pytest.approx((2 * 4 + 3 * 4) * 64**3 * 4 / 2**20)


def test_a_subject_that_cannot_be_forecast_does_not_take_the_others_down(options, patients, tmp_path, caplog):
    cohort = shutil.copytree(patients, tmp_path / "cohort")
    scan = next((cohort / "sub-001" / "anat").glob("*FLAIR*"))
    scan.write_bytes(b"no scan")
    chosen = options(cohort, "skullstripper=null", "classifier=null", "forecast=true", "montage=false")
    assert run(chosen) == 4
    assert "no forecast: " in caplog.text
    assert (tmp_path / "out" / "sub-002" / "sub-002_tumor_labels.nii.gz").is_file()


def test_the_idle_stripper_finds_an_ellipse_as_wide_as_a_brain(job):
    one = job("classifier=null", "segmenter=null")
    (stripper,) = _idle(one.models).values()
    logits = stripper.logits(torch.zeros(1, 41, 41, 3))  # of 6 mm
    assert logits.shape == (1, 41, 41, 3)
    inside = logits[0, :, :, 1] > 0
    sides = [int(inside.any(dim=axis).sum()) * 6 for axis in (1, 0)]
    assert sides == [126, 162]  # 0.88 of 150 and 185 mm: 132 and 163, in odd numbers of voxels
    assert torch.equal(logits[..., 0], logits[..., 2])


def test_gates_are_measured_in_the_rehearsal_and_stop_nothing(subject, job):
    one = job("gates=default", "montage=false")
    assert one.options.gates.brain_ml.fail is not None
    told = forecast(subject, one)  # a slab is no brain, and would be stopped
    assert told.seconds > 0
    assert one.options.gates.brain_ml.fail is not None
    strips = [work for work in _work(volumes_of(subject), one.models, one.options) if work.channels == 1]
    assert len(strips) == 2  # the head and its mirror image
