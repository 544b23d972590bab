"""What result.json holds: the same values in the same order, each of its type, and a schema number."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.errors import DataError
from brainseg.files.typed import to_plain
from brainseg.gates.assessment import assess
from brainseg.inference import Cleaning
from brainseg.inference.diameters import Diameters
from brainseg.results.names import RESULT
from brainseg.results.parts import Judgement, Status, gate_result
from brainseg.results.read import read_result
from brainseg.results.result import SCHEMA, Result
from brainseg.results.verify import changes
from brainseg.runs.model_record import Method, ModelFile

KEYS = [
    "schema",
    "subject",
    "status",
    "verdict",
    "tumor_type",
    "volumes_ml",
    "diameters_mm",
    "label_convention",
    "segmentation",
    "stages",
    "left_out",
    "warnings",
    "gates",
    "synthetic",
    "grid",
    "grids",
    "inputs",
    "files",
    "models",
    "seconds",
    "peak_memory_mb",
    "settings",
    "code",
    "machine",
    "versions",
]

# As brainseg 0.1.0 wrote it before there were schema numbers, shortened.
MEMBER = {
    "file": "/m/a/checkpoints/best.ckpt",
    "sha256": "aa",
    "learnt_from": {
        "examples": 41,
        "data": "subjects of nfbs",
        "synthetic": False,
        "before": {"examples": 200, "data": "subjects of synthetic heads", "synthetic": True},
        "sequences": ["t1"],
    },
    "measured": [{"data": "IXI", "scans": 20, "score": "brain Dice", "value": 0.957}],
}
VOTE = {"plane": "axial", "offset_mm": -10.0, "voxel": 3, "probabilities": {"glioma": 0.9, "notumor": 0.1}}
REGISTRATION = {
    "refused": None,
    "matrix": [[1.0, 0.0, 0.0, 2.5], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]],
    "translation_mm": [2.5, 0.0, 0.0],
    "rotation_degrees": [0.0, 0.0, 0.0],
    "largest_mm": 2.5,
    "mutual_information": {"by_headers": 0.2, "registered": 0.9},
}
OWN_GRID = {"shape": [4, 4, 4], "affine": REGISTRATION["matrix"], "orientation": "RAS"}
BEFORE = {
    "subject": "sub-001",
    "status": "done",
    "verdict": "not judged",
    "tumor_type": {
        "verdict": "glioma",
        "probabilities": {"glioma": 0.9, "notumor": 0.1},
        "undecided": False,
        "healthy_at": 0.84,
        "sequence": "t1ce",
        "agreement": 0.667,
        "planes": {"sagittal": "glioma", "coronal": "notumor", "axial": "glioma"},
        "loudest": {**VOTE, "heat_in_tumor": None},
        "noise": 0.0314,
        "filtered": False,
        "slices": [VOTE, {**VOTE, "offset_mm": 0}],
    },
    "volumes_ml": {"brain": 1583.6, "whole_tumor": 1.5},
    "diameters_mm": {"whole_tumor": {"largest": 20.1, "axial": 18, "across": 9.5}, "tumor_core": None},
    "label_convention": {"name": "brats-2018", "values": {"0": "background", "4": "enhancing_tumor"}},
    "segmentation": {
        "sequences": ["t1", "t1ce"],
        "members": 2,
        "flips": "none",
        "cleaning": {"least_part_ml": 0.25, "fill": False, "least_enhancing_ml": 0.0},
        "temperatures": {"whole_tumor": 0.92},
    },
    "stages": ["strip", "classify", "segment"],
    "left_out": {},
    "warnings": ["Look at it."],
    "gates": [
        {
            "gate": "lowest_intensity",
            "of": "t1",
            "level": "review",
            "value": 0.0,
            "limits": {"review": None, "fail": [-500, None]},
            "sentence": "It is low.",
        }
    ],
    "synthetic": True,
    "grid": {"reference": "t1", "shape": [4, 4, 4], "spacing_mm": [1.0, 1.0, 1.0], "orientation": "RAS"},
    "grids": {
        "t1": {**OWN_GRID, "brought": "as it is", "registration": None},
        "t2": {**OWN_GRID, "brought": "registered: moved", "registration": REGISTRATION},
    },
    "inputs": {
        "t1": {"file": "/in/t1.nii.gz", "channel": None, "sha256": "cc"},
        "t2": {
            "file": "/in/dicom",
            "channel": None,
            "sha256": "dd",
            "series": {"number": 5, "description": "t2_tse"},
            "slices": {"1.dcm": "ee", "2.dcm": "ff"},
        },
    },
    "models": {"skullstripper": {"method": "otsu"}, "classifier": MEMBER, "segmenter": [MEMBER, MEMBER]},
    "seconds": {"read": 0.069},
    "peak_memory_mb": {"read": 980.4},
    "settings": {"values": {"input": "/in", "vote": {"offsets_mm": [0.0, 10.0]}}, "sha256": "2e"},
    "code": {"version": "0.1.0", "sha256": "2a"},
    "machine": {"processor": "AMD EPYC", "system": "Linux", "python": "3.11.7"},
    "versions": {"brainseg": "0.1.0"},
}


@pytest.fixture
def read(tmp_path):
    """Read a result.json with these values."""

    def _read(values) -> Result:
        (tmp_path / RESULT).write_text(json.dumps(values))
        return read_result(tmp_path)

    return _read


def test_a_file_from_before_the_schema_number_is_read_and_written_as_it_was(read):
    result = read(BEFORE)
    assert result.tumor_type.in_words == "glioma"
    assert result.tumor_type.loudest.voxel == 3
    assert result.diameters_mm == {"whole_tumor": Diameters(20.1, 18, 9.5), "tumor_core": None}
    assert result.segmentation.cleaning == Cleaning(least_part_ml=0.25)
    assert result.reasons == ["It is low."]
    assert result.inputs["t2"].series.number == 5
    assert result.grids["t2"].registration.mutual_information.registered == 0.9
    written = result.to_json()
    assert written.pop("schema") == SCHEMA == 2
    assert written.pop("files") == []  # since schema 2
    assert json.dumps(written) == json.dumps(BEFORE)  # every value, and the order of all keys


def test_the_keys_stand_in_their_order_behind_the_schema(result_json):
    assert list(Result.from_json(result_json(), Path("x")).to_json()) == KEYS


def test_every_model_is_a_list_of_members_and_one_member_is_written_without_the_list(read):
    models = read(BEFORE).models
    assert models["skullstripper"] == [Method("otsu")]
    assert [len(members) for members in models.values()] == [1, 1, 2]
    (member,) = models["classifier"]
    assert isinstance(member, ModelFile)
    assert member.learnt_from.before.synthetic is True
    assert member.learnt_from.only_synthetic is False


def test_a_subject_that_could_not_be_read_has_the_keys_of_a_failure_alone(read):
    failed = Result("a", Status.failed, Judgement.fail, error="broken", traceback="Traceback")
    assert list(failed.to_json()) == [
        *("schema", "subject", "status", "verdict", "error", "models", "settings", "code"),
        *("files", "traceback"),
    ]
    assert "traceback" not in Result("a", Status.failed, Judgement.fail, error="broken").to_json()
    assert read(failed.to_json()) == failed
    assert failed.reasons == ["broken"]


def test_a_newer_schema_is_refused_by_its_number(read, tmp_path):
    with pytest.raises(DataError) as refused:
        read({"schema": 3, "subject": 3})
    assert str(refused.value) == (
        f"{tmp_path / RESULT}: has schema 3, and this version of brainseg reads up to 2; update brainseg"
    )
    assert str(refused.value) in changes(tmp_path)[-1]


def without(key):
    return {name: value for name, value in BEFORE.items() if name != key}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**BEFORE, "subject": 3}, "subject must be text, not 3"),
        ({**BEFORE, "status": "over"}, "status must be one of done, failed, not 'over'"),
        (
            {**BEFORE, "verdict": []},
            "verdict must be one of pass, review, fail, not judged, unreadable, not []",
        ),
        ({**BEFORE, "volumes_ml": {"brain": "1"}}, "volumes_ml.brain must be a number, not '1'"),
        ({**BEFORE, "volumes_ml": {"brain": True}}, "volumes_ml.brain must be a number, not True"),
        ({**BEFORE, "seconds": {"a\nb": None}}, "seconds.'a\\nb' must be a number, not None"),
        ({**BEFORE, "gates": [{"gate": "x"}]}, "the key gates[0].level is missing"),
        ({**BEFORE, "gates": {}}, "gates must be a list, not {}"),
        ({**BEFORE, "grid": None, "models": 3}, "models must be an object, not 3"),
        (
            {**BEFORE, "models": {"segmenter": [{"file": "x"}]}},
            "the key models.segmenter[0].learnt_from is missing",
        ),
        ({**BEFORE, "stages": ["strip", None]}, "stages[1] must be text, not None"),
        ({**BEFORE, "schema": "1"}, "schema must be a whole number, not '1'"),
        ({**BEFORE, "schema": True}, "schema must be a whole number, not True"),
        ({**BEFORE, "synthetic": 0}, "synthetic must be true or false, not 0"),
        (without("subject"), "the key subject is missing"),
        (without("inputs"), "the key inputs is missing"),
        ({"subject": "a", "status": "failed"}, "the key verdict is missing"),
    ],
)
def test_a_wrong_type_or_a_missing_key_is_one_line_with_file_and_key(read, tmp_path, values, said):
    with pytest.raises(DataError) as refused:
        read(values)
    assert str(refused.value) == f"{tmp_path / RESULT}: cannot be read, {said}; predict the subject again"


def test_a_finding_is_kept_with_its_limits_and_four_digits():
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        limits = check_predict(compose("predict", ["input=x", "output=y"])).gates
    (found,) = assess({"noise": 0.250004}, limits, "t1")
    assert json.loads(json.dumps(to_plain(gate_result(found)))) == {
        "gate": "noise",
        "of": "t1",
        "level": "review",
        "value": 0.25,
        "limits": {"review": [None, 0.2], "fail": None},
        "sentence": found.sentence,
    }
