"""The tumour type of a whole brain: what the network is shown, and what the prediction makes of it."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from brainseg.checkpoint import load_model
from brainseg.config import ConfigError, as_section, check_predict, conf_dir, register_schemas
from brainseg.config.choices import Stage
from brainseg.config.defaults import default_vote, with_defaults
from brainseg.config.errors import ImageError
from brainseg.config.gates import GatesConfig
from brainseg.gates import Level
from brainseg.images.layouts import find_subjects
from brainseg.images.volume import Grid, Volume
from brainseg.prediction.brain import Brain
from brainseg.prediction.classify import ClassifyStage, TumorType
from brainseg.prediction.classify_volume import ClassifyVolumeStage, VolumeType, classify_volume
from brainseg.prediction.job import Job
from brainseg.prediction.network_time import Sizes
from brainseg.prediction.plan import plan_of
from brainseg.prediction.reproduce import reproduce
from brainseg.prediction.run import run
from brainseg.prediction.scans import Scans
from brainseg.prediction.segment import Segmentation
from brainseg.prediction.state import State
from brainseg.prediction.strip import OtsuStripper, StripStage
from brainseg.prediction.subject import _conclude, _why_left_out, predict_subject
from brainseg.results.parts import Settings
from brainseg.results.read import read_result
from brainseg.results.result import Result
from brainseg.results.verify import changed_files
from brainseg.runs.model_record import Method
from brainseg.trained import Model

from ..orientations import ORIENTATIONS
from .turned import oblong_head, stored_as

GRID = Grid((20, 24, 22), np.diag([6.0, 6.0, 6.0, 1.0]))
CLASSES = ["glioma", "meningioma", "notumor", "pituitary"]


@pytest.fixture(scope="module")
def model_of(volume_classifier):
    """A network that has learnt nothing, by changes of its section."""

    def _model(*overrides: str) -> Model:
        return load_model(volume_classifier(*overrides), task="volume_classifier")

    return _model


@pytest.fixture(scope="module")
def scans():
    """Three sequences of an ellipsoid with structure in an empty field of view."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    brain = x**2 / 0.5 + y**2 / 0.6 + z**2 / 0.5 < 1
    rng = np.random.default_rng(0)
    images = {
        name: brain * rng.uniform(50, 150, GRID.shape).astype(np.float32) for name in ("t1", "t2", "flair")
    }
    return Scans({name: Volume(image[None], GRID) for name, image in images.items()}, "t1"), brain


def test_a_network_of_several_sequences_is_shown_those_that_there_are(model_of, scans):
    images, brain = scans
    model = model_of("subset_share=0.7")
    found = classify_volume(images, brain, model, ["t1", "t2", "flair"], 0.95)
    assert found.sequences == ["t1", "t2", "flair"]
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert list(found.probabilities) == CLASSES
    fewer = classify_volume(images, brain, model, ["t1", "flair"], 0.95)
    assert fewer.probabilities != found.probabilities
    assert found.heat.shape == GRID.shape
    assert found.heat.dtype == np.float32
    assert found.heat.max() == pytest.approx(1)
    assert found.heat.min() >= 0
    assert not found.heat[~brain].any()


def test_a_network_of_any_sequence_is_shown_the_one_that_the_vote_would_take(model_of, scans):
    images, brain = scans
    model = model_of("preprocess.modalities=[any]", "subset_share=0")
    state = State(images, (Brain(brain, None),))
    for sequence, taken in ((None, "flair"), ("t2", "t2")):
        stage = ClassifyVolumeStage(model, replace(default_vote(), sequence=sequence))
        assert stage.run(state).outcome(VolumeType).sequences == [taken]
    subject = SimpleNamespace(id="sub-1", images={"t1": 1})
    with pytest.raises(ImageError, match=r"lacks t2, which vote\.sequence wants"):
        stage.needs(subject)


def test_a_network_that_knows_no_subset_names_what_is_missing(model_of):
    stage = ClassifyVolumeStage(model_of("subset_share=0"), default_vote())
    subject = SimpleNamespace(id="sub-1", images={"t1": 1, "flair": 2})
    with pytest.raises(
        ImageError,
        match=r"^sub-1 has t1, flair but lacks t1ce, t2: the volume classifier was trained with .*flair\. "
        r"Add the missing file, or leave out volume_classifier=$",
    ):
        stage.needs(subject)


def test_only_the_brain_and_its_margin_are_shown(model_of, scans):
    images, brain = scans
    model = model_of("subset_share=0.7", "margin_mm=0")
    half = brain & (np.indices(GRID.shape)[0] < 10)
    cut = {name: Volume(one.data * half, GRID) for name, one in images.images.items()}
    one = classify_volume(images, half, model, ["t1"], 0.95)
    other = classify_volume(Scans(cut, "t1"), half, model, ["t1"], 0.95)
    assert one.probabilities == other.probabilities


def test_a_head_whose_brain_nobody_finds_is_not_classified_and_says_so(model_of):
    stage = ClassifyVolumeStage(model_of(), default_vote())
    strip, votes = StripStage(OtsuStripper(), None), ClassifyStage(None, default_vote())
    subject = SimpleNamespace(id="sub-1", folder="x", images={"t1": 1})
    for stages in ((stage, votes), (stage, strip), (StripStage(None, None), stage)):
        plan = plan_of(subject, stages)
        reason = plan.for_head(stages).missing[Stage.classify_volume]
        assert reason.startswith(
            "the volume classifier was trained on brains without skull, and no brain mask"
        )
        assert Stage.classify_volume not in plan.for_stripped().missing
    assert plan_of(subject, (strip, stage)).for_head((strip, stage)).missing == {}
    stages = (StripStage(None, None), stage)
    plan = plan_of(subject, stages).for_head(stages)
    with pytest.raises(ImageError, match="give skullstripper=CHECKPOINT"):
        plan.refuse_nothing(subject, stages)
    with pytest.raises(ImageError, match="give skullstripper=CHECKPOINT"):
        stage.run(State(Scans({"t1": Volume(np.ones((1, *GRID.shape), np.float32), GRID)}, "t1")))


def found_in(scans, **probabilities):
    p = {name: probabilities.get(name, 0.0) for name in CLASSES}
    verdict = max(p, key=lambda name: p[name])
    heat = np.zeros(GRID.shape, np.float32)
    heat[8:12, 10:14, 9:13] = 1
    return VolumeType(verdict, 0.95, p, ["t1", "t2"], heat, scans[1])


def test_heat_is_compared_between_the_tumour_and_the_brain(scans):
    brain, found = scans[1], found_in(scans, glioma=1.0)
    assert found.heat_times is None
    hit, missed = np.zeros(GRID.shape, bool), np.zeros(GRID.shape, bool)
    hit[8:10, 10:14, 9:13] = missed[4:6, 10:12, 10:12] = True
    mean = found.heat[brain].mean()
    assert replace(found, tumor=hit).heat_times == pytest.approx(1 / mean)
    assert replace(found, tumor=missed).heat_times == 0
    assert replace(found, tumor=~brain & False).heat_times is None
    assert replace(found, tumor=hit, heat=0 * found.heat).heat_times is None


def vote_of(**probabilities):
    p = {name: probabilities.get(name, 0.0) for name in CLASSES}
    loudest = SimpleNamespace(heat_in_tumor=None, heat_in_brain=None)
    verdict = max((name for name in CLASSES if name != "notumor"), key=lambda name: p[name])
    grid = Grid((2, 2, 2), np.eye(4))
    return TumorType(verdict, 0.95, "t1", p, [None] * 27, {}, 0.0, False, grid, loudest)


def limits():
    return as_section(GatesConfig, with_defaults({})["gates"])


def test_two_classifiers_that_differ_are_a_finding_and_both_are_in_the_result(scans):
    state = State(scans[0], (found_in(scans, meningioma=0.9, glioma=0.1), vote_of(glioma=0.8, notumor=0.2)))
    concluded = _conclude(state, limits())
    (differ,) = concluded.gates
    assert (differ.gate, differ.level) == ("types_differ", Level.review)
    said = concluded.outcome(VolumeType).added_to(Result("a", "done", "pass"), scans[0]).tumor_type_3d
    assert (said.verdict, said.shared, said.agrees, said.undecided) == ("meningioma", 0.1, False, False)
    assert said.reason == "whole brain in t1, t2: meningioma 0.90, notumor 0.00"
    assert (
        _conclude(State(scans[0], (found_in(scans, glioma=1.0), vote_of(glioma=1.0))), limits()).gates == ()
    )


def test_the_whole_brain_s_type_is_held_against_the_outline(scans, monkeypatch):
    classes = np.zeros(GRID.shape, np.uint8)
    classes[8:12, 10:14, 9:13] = 3
    shape = SimpleNamespace(ml=14.0, depth_mm=2.0, sella_mm=50.0, cavity_ml=0.0)
    tumor = Segmentation(classes, np.zeros((3, *GRID.shape), np.float32), ("t1",), shape=shape)
    state = State(scans[0], (found_in(scans, notumor=1.0), tumor))
    (finding,) = _conclude(state, limits()).gates
    assert (finding.gate, finding.of) == ("tumor_without_verdict", "volume_classifier")
    elsewhere = replace(found_in(scans, glioma=1.0), heat=np.roll(found_in(scans).heat, 8, axis=1))
    (finding,) = _conclude(State(scans[0], (elsewhere, tumor)), limits()).gates
    assert (finding.gate, finding.value) == ("heat_outside_tumor", 0.0)
    assert _conclude(State(scans[0], (found_in(scans, glioma=1.0), tumor)), limits()).gates == ()
    # Probably healthy, though the rule of the vote names a tumour: that goes with an empty outline.
    empty = replace(
        tumor, classes=0 * classes, shape=SimpleNamespace(ml=0.0, depth_mm=0, sella_mm=0, cavity_ml=0)
    )
    unsure = replace(found_in(scans, notumor=0.9, pituitary=0.1), verdict="pituitary")
    assert _conclude(State(scans[0], (unsure, empty)), limits()).gates == ()
    (finding,) = _conclude(State(scans[0], (found_in(scans, glioma=1.0), empty)), limits()).gates
    assert finding.gate == "verdict_without_tumor"


@pytest.mark.parametrize(
    ("outcomes", "stops"),
    [
        (lambda s: (found_in(s, notumor=1.0),), True),
        (lambda s: (found_in(s, notumor=1.0), vote_of(glioma=1.0)), False),
        (lambda s: (found_in(s, glioma=1.0),), False),
        (lambda s: (), False),
    ],
)
def test_a_healthy_brain_stops_the_others_only_where_nobody_names_a_tumour(scans, outcomes, stops):
    state = State(scans[0], outcomes(scans))
    options = SimpleNamespace(pipeline=SimpleNamespace(stop_if_healthy=True))
    segment, vote = (
        SimpleNamespace(is_given=True, name=name, why_left_out=lambda state: None)
        for name in (Stage.segment, Stage.classify)
    )
    reason = _why_left_out(segment, state, options)
    assert (reason == "notumor at 1.000, and pipeline.stop_if_healthy is set") is stops
    assert _why_left_out(vote, state, options) is None


def test_its_work_is_one_pass_and_its_heat(model_of):
    stage = ClassifyVolumeStage(model_of(), default_vote())
    (work,) = stage.work(Sizes((180.0,) * 3, (150.0,) * 3, False, 0), None)
    assert (work.shape, work.passes) == ((4, 32, 32, 32), 4)
    assert work.seconds() > 0
    assert ClassifyVolumeStage(None, default_vote()).work(Sizes((1.0,) * 3, (1.0,) * 3, False, 0), None) == []


def checked(*overrides: str):
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return check_predict(compose("predict", ["input=x", "output=y", *overrides]))


def test_the_wished_order_and_a_model_that_no_stage_asks():
    stages = list(checked("pipeline=wished", "volume_classifier=D.ckpt").pipeline.stages)
    assert stages == [Stage.strip, Stage.classify_volume, Stage.classify, Stage.segment]
    for pipeline in ("default", "report"):
        assert Stage.classify_volume not in checked(f"pipeline={pipeline}").pipeline.stages
        with pytest.raises(
            ConfigError,
            match=r"^volume_classifier=D.ckpt is given, but pipeline.stages has no classify_volume; set "
            r"pipeline=wished$",
        ):
            checked(f"pipeline={pipeline}", "volume_classifier=D.ckpt")


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Path:
    return oblong_head(tmp_path_factory.mktemp("head"))


@pytest.mark.slow
def test_the_type_is_the_same_in_all_48_orientations_of_a_file(head, model_of, options, tmp_path):
    stages = (
        StripStage(OtsuStripper(), None, [Method("otsu")]),
        ClassifyVolumeStage(model_of(), default_vote(), [Method("a stand-in")]),
    )
    without = ("skullstripper=otsu", "classifier=null", "segmenter=null", "montage=false")
    answers = {}
    for orientation in ORIENTATIONS:
        folder = stored_as(orientation, head, tmp_path / orientation / "sub-001")
        output = tmp_path / "out" / orientation
        output.mkdir(parents=True)
        (subject,) = find_subjects(folder)
        job = Job(options(folder, *without, "pipeline=wished"), stages, Settings({}, ""))
        result = predict_subject(subject, job, output)
        assert result.grid.orientation == orientation
        answers[orientation] = result.tumor_type_3d
    expected = answers["RAS"]
    assert max(expected.probabilities.values()) > 0.4  # it says something
    for orientation, found in answers.items():
        assert found.verdict == expected.verdict, orientation
        assert found.probabilities == pytest.approx(expected.probabilities, abs=2e-5), orientation


def test_a_patient_is_predicted_with_both_classifiers_on_its_page(
    options, patients, volume_classifier, tmp_path
):
    chosen = options(
        patients / "sub-001",
        *("pipeline=wished", f"volume_classifier={volume_classifier()}", "skullstripper=otsu", "page=true"),
    )
    assert run(chosen) == 0
    folder = tmp_path / "out" / "sub-001"
    result = read_result(folder)
    assert result.stages == ["strip", "classify_volume", "classify", "segment"]
    said = result.tumor_type_3d
    assert set(said.probabilities) == set(CLASSES)
    assert said.sequences == ["t1", "t1ce", "t2", "flair"]
    assert 0 <= said.shared <= 1
    assert result.models["volume_classifier"][0].learnt_from.synthetic
    page = (folder / "report.html").read_text()
    assert "The tumour type in 3-D" in page
    for p in said.probabilities.values():
        assert f"{p:.3f}" in page
    assert (folder / "sub-001_type_3d.png").stat().st_size > 10_000
    with (tmp_path / "out" / "volumes.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["type_3d"], row["undecided_3d"]) == (said.verdict, "yes" if said.undecided else "no")
    assert row["types_agree"] == ("yes" if said.agrees else "no")
    assert not changed_files(folder)
    assert reproduce(folder) == []


def test_a_head_without_a_stripper_gets_what_the_others_can_do_and_is_reviewed(
    options, patients, volume_classifier, tmp_path
):
    chosen = options(
        patients / "sub-001",
        *("pipeline=wished", f"volume_classifier={volume_classifier()}", "skullstripper=null"),
        *("segmenter=null", "montage=false"),
    )
    assert run(chosen) == 3
    result = read_result(tmp_path / "out" / "sub-001")
    assert result.stages == ["classify"]
    assert result.left_out["classify_volume"].startswith(
        "the volume classifier was trained on brains without"
    )
    assert result.reasons[0].startswith("No tumour type in 3-D was made: the volume classifier was trained")


def test_without_that_model_nothing_in_a_result_speaks_of_it(options, patients, tmp_path):
    run(options(patients / "sub-001", "skullstripper=otsu", "segmenter=null", "montage=false"))
    values = json.loads((tmp_path / "out" / "sub-001" / "result.json").read_text())
    values.pop("settings")
    assert "tumor_type_3d" not in values
    assert "classify_volume" not in json.dumps(values)
