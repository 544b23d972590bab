"""How stages work together: each takes a frozen state and gives back a new one, and a new stage fits in."""

from dataclasses import FrozenInstanceError, dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from brainseg.config.choices import Flips, Stage
from brainseg.config.errors import ImageError
from brainseg.gates import Assessment, Level
from brainseg.images.labels import CONVENTIONS
from brainseg.images.layouts import find_subjects
from brainseg.images.volume import Grid, Volume
from brainseg.prediction.brain import Brain
from brainseg.prediction.classify import ClassifyStage
from brainseg.prediction.job import Job
from brainseg.prediction.plan import plan_of
from brainseg.prediction.registry import STAGES
from brainseg.prediction.scans import Scans
from brainseg.prediction.segment import SegmentStage
from brainseg.prediction.stage import PipelineStage
from brainseg.prediction.state import State
from brainseg.prediction.strip import StripStage
from brainseg.prediction.subject import predict_subject
from brainseg.results.parts import Settings

GRID = Grid((4, 4, 4), np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.fixture
def state() -> State:
    return State(Scans({"t1": Volume(np.ones((1, 4, 4, 4), np.float32), GRID)}, "t1"))


def finding(level: Level) -> Assessment:
    return Assessment("brain_ml", level, 1.0, None, f"It is a {level}.")


def test_a_state_is_never_changed_only_followed_by_another(state):
    warned = state.with_warnings("one", "two").with_warnings("three")
    judged = warned.with_gates([finding(Level.review)]).with_gates_first([finding(Level.fail)])
    assert (state.warnings, state.gates, state.level, state.error) == ((), (), Level.passed, None)
    assert judged.warnings == ("one", "two", "three")
    assert [one.level for one in judged.gates] == [Level.fail, Level.review]
    assert (judged.level, judged.error) == (Level.fail, "It is a fail.")
    with pytest.raises(FrozenInstanceError):
        state.warnings = ("four",)
    with pytest.raises(FrozenInstanceError):
        state.scans.warnings = ("four",)


def test_a_second_outcome_of_a_kind_takes_the_place_of_the_first(state):
    mask = np.zeros(GRID.shape, bool)
    given = state.with_outcome(Brain(mask, None))
    found = given.with_outcome(Brain(~mask, np.ones(GRID.shape, np.float32)))
    assert (given.came_stripped, found.came_stripped, state.came_stripped) == (True, False, False)
    assert (state.brain, int(given.brain.sum()), int(found.brain.sum())) == (None, 0, 64)
    assert len(found.outcomes) == 1


def test_only_a_stage_that_lacked_a_sequence_is_missing(state):
    left = state.without(Stage.strip, "no skullstripper given", missing=False)
    both = left.without(Stage.segment, "t1ce is not there", missing=True)
    assert both.left_out == {Stage.strip: "no skullstripper given", Stage.segment: "t1ce is not there"}
    assert both.missing == {Stage.segment: "t1ce is not there"}


def test_a_sequence_is_resampled_once_and_copies_of_the_scans_share_no_cache(state):
    other = Grid((4, 4, 2), np.diag([2.0, 2.0, 4.0, 1.0]))
    images = {**state.scans.images, "t2": Volume(np.ones((1, 4, 4, 2), np.float32), other)}
    scans = Scans(images, "t1")
    assert scans.on_reference("t2") is scans.on_reference("t2")
    assert replace(scans, warnings=("moved",)).on_reference("t2") is not scans.on_reference("t2")


def knows(*modalities: str, subsets: tuple[list[str], ...] = (), stripped: bool = False) -> SimpleNamespace:
    preprocess = SimpleNamespace(modalities=list(modalities), stripped=stripped)
    return SimpleNamespace(config=SimpleNamespace(preprocess=preprocess), subsets=subsets)


def stages(stripper: str | None, classifier: SimpleNamespace | None, segmenter: SimpleNamespace | None):
    vote = SimpleNamespace(sequence=None)
    return (
        StripStage(SimpleNamespace(sequence=stripper), None),
        ClassifyStage(classifier, vote),
        SegmentStage(segmenter, None, Flips.none, CONVENTIONS["brats-2023"]),
    )


@pytest.fixture
def subject():
    return SimpleNamespace(id="sub-1", folder="scans/sub-1", images={"t1": "a", "flair": "b"})


def test_the_stripper_s_sequence_is_the_reference_and_else_the_segmenter_s(subject):
    segmenter = knows("flair")
    assert plan_of(subject, stages("t1", None, segmenter)).first == "t1"
    assert plan_of(subject, stages(None, None, segmenter)).first == "flair"
    assert plan_of(subject, stages(None, None, None)).first is None


def test_without_a_brain_mask_nothing_is_done_that_needs_it_unless_the_scan_has_no_skull(subject):
    every = stages("t2", knows(stripped=True), knows("flair"))
    plan = plan_of(subject, every)
    assert plan.missing == {
        Stage.strip: "sub-1 has t1, flair but lacks t2, of which the skull stripper learnt; add the file"
    }
    waiting = "it needs the brain mask, which cannot be made"
    assert plan.for_head(every).missing == {**plan.missing, Stage.classify: waiting, Stage.segment: waiting}
    assert plan.for_stripped().missing == {}
    with pytest.raises(ImageError, match=f"^scans/sub-1: sub-1 has t1, flair .* add the file; {waiting}$"):
        plan.for_head(every).refuse_nothing(subject, every)
    plan.for_stripped().refuse_nothing(subject, every)


def test_a_classifier_of_whole_heads_needs_no_brain_mask(subject):
    every = stages("t2", knows(), None)
    assert Stage.classify not in plan_of(subject, every).for_head(every).missing


def test_every_stage_of_the_config_is_in_the_registry_and_has_its_model_s_key(options, patients):
    assert set(STAGES) == set(Stage)
    chosen = options(patients)
    with_model = [stage for stage in STAGES.values() if stage.is_given is not True]
    assert all(hasattr(chosen, stage.model_name) for stage in with_model)


@dataclass(frozen=True)
class Brightness:
    """The outcome of a stage that is not one of brainseg's."""

    mean: float

    def write(self, folder, name, scans, *, probabilities):
        (folder / f"{name}_brightness.txt").write_text(f"{self.mean:.1f}\n")

    def added_to(self, result, scans):
        return replace(result, volumes_ml={**result.volumes_ml, "bright": self.mean})


@dataclass(frozen=True)
class BrightnessStage(PipelineStage):
    is_given = True
    model = None

    name = Stage.classify
    model_name = "classifier"
    makes = "brightness"

    @classmethod
    def load(cls, options, device):
        return cls()

    def run(self, state):
        scans = state.scans
        mean = float(scans.images[scans.reference].data.mean())
        return state.with_outcome(Brightness(mean)).with_warnings("it is bright")

    def judge(self, state, limits):
        return state.with_gates([finding(Level.review)])


def test_a_new_stage_is_run_judged_written_and_in_the_result(options, patients, tmp_path):
    (subject, *_) = find_subjects(patients)
    chosen = options(patients, "montage=false", "gates=default")
    result = predict_subject(subject, Job(chosen, (BrightnessStage(),), Settings({}, "")), tmp_path)
    assert result.stages == ["classify"]
    assert result.volumes_ml["bright"] > 0
    assert result.warnings == ["it is bright"]
    assert "It is a review." in result.reasons
    assert list(result.seconds) == ["read", "judge", "classify", "write"]
    assert (tmp_path / f"{subject.id}_brightness.txt").is_file()


def test_a_stage_that_fails_a_gate_stops_those_behind_it(options, patients, tmp_path):
    class Dark(BrightnessStage):
        def judge(self, state, limits):
            return state.with_gates([finding(Level.fail)])

    class Behind(BrightnessStage):
        name = Stage.segment

    (subject, *_) = find_subjects(patients)
    chosen = options(patients, "montage=false", "gates=default")
    result = predict_subject(subject, Job(chosen, (Dark(), Behind()), Settings({}, "")), tmp_path)
    assert (result.stages, result.status, result.error) == (["classify"], "failed", "It is a fail.")
    assert not list(tmp_path.glob("*.txt"))
