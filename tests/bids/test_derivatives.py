"""Results as a BIDS data set: which files, whether they say the same, and whose files are left alone."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from brainseg.bids.dataset import write_derivatives
from brainseg.bids.tables import label_of
from brainseg.commands import cli
from brainseg.config.errors import DataError
from brainseg.prediction.run import run
from brainseg.results.names import RESULT
from brainseg.results.sums import SUMS, write_sums

# Of BIDS 1.10: entities in their order (schema/rules/entities.yaml), those that derivatives of scans in anat/
# may have (rules/files/deriv/imaging.yaml, rules/files/raw/anat.yaml), and their suffixes and extensions.
LABELS = "".join(rf"(_{key}-[A-Za-z0-9]+)?" for key in ("ses", "task", "acq", "ce", "rec"))
LATER = "".join(rf"(_{key}-[A-Za-z0-9]+)?" for key in ("space", "res"))
LEGAL = re.compile(
    rf"sub-[A-Za-z0-9]+{LABELS}(_run-\d+)?(_echo-\d+)?(_part-(mag|phase|real|imag))?{LATER}"
    r"((_label-[A-Za-z0-9]+)?(_desc-[A-Za-z0-9]+)?_(mask|probseg)\.(nii\.gz|json)"
    r"|(_desc-[A-Za-z0-9]+)?_(T1w|T2w|FLAIR)\.(nii\.gz|json)|(_desc-[A-Za-z0-9]+)?_dseg\.(nii\.gz|json|tsv))"
)
IMAGES = {  # by the name in the results
    "brain_mask": "desc-brain_mask",
    "t1_stripped": "desc-brain_T1w",
    "t1ce_stripped": "ce-gadolinium_desc-brain_T1w",
    "t2_stripped": "desc-brain_T2w",
    "flair_stripped": "desc-brain_FLAIR",
    "tumor_labels": "desc-tumor_dseg",
    "tumor_probabilities": "desc-tumor_probseg",
    "brain_probability": "label-brain_probseg",
}


@pytest.fixture(scope="module")
def predicted(patients, trained, tmp_path_factory) -> Path:
    """Both patients with probabilities, and `derivatives=` within their own data set; gives its parent."""
    from hydra import compose, initialize_config_dir

    from brainseg.config import check_predict, conf_dir, register_schemas

    register_schemas()
    place = tmp_path_factory.mktemp("predicted")
    shutil.copytree(patients, place / "raw")
    given = [f"input={place / 'raw'}", f"output={place / 'results'}", "save_probabilities=true", "gates=none"]
    models = [f"{task}={trained(task)[1]}" for task in ("skullstripper", "classifier", "segmenter")]
    into = f"derivatives={place / 'raw' / 'derivatives' / 'brainseg'}"
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        assert run(check_predict(compose("predict", [*given, *models, into, "device=cpu"]))) == 0
    return place


@pytest.fixture
def results(predicted, tmp_path) -> Path:
    """A copy of the results that may be changed."""
    return shutil.copytree(predicted / "results", tmp_path / "results")


def change(folder: Path, new_id: str | None = None, **values) -> Path:
    """Give a result other values, or another id, as if it had been predicted so."""
    result = json.loads((folder / RESULT).read_text())
    if new_id is not None:
        for path in list(folder.glob(f"{folder.name}_*")):
            path.rename(folder / path.name.replace(folder.name, new_id))
        folder = folder.rename(folder.with_name(new_id))
        values["subject"] = new_id
    (folder / RESULT).write_text(json.dumps(result | values))
    write_sums(folder)
    return folder


def inputs(folder: Path, root: str, **names: str) -> dict:
    known = json.loads((folder / RESULT).read_text())["inputs"]
    return {q: {**known[q], "file": f"{root}/{names[q]}.nii.gz"} for q in names}


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names(folder: Path) -> set[str]:
    return {path.name.removesuffix(".nii.gz") for path in folder.glob("*.nii.gz")}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_each_image_is_that_of_the_results_voxel_for_voxel(predicted):
    root = predicted / "raw" / "derivatives" / "brainseg"
    for subject in ("sub-001", "sub-002"):
        anat = root / subject / "anat"
        assert names(anat) == {f"{subject}_{name}" for name in IMAGES.values()}
        for theirs, ours in IMAGES.items():
            one = nib.load(predicted / "results" / subject / f"{subject}_{theirs}.nii.gz")
            other = nib.load(anat / f"{subject}_{ours}.nii.gz")
            np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
            np.testing.assert_array_equal(one.affine, other.affine)
        assert {path.name for path in (root / subject / "figures").iterdir()} == {
            f"{subject}_montage.png",
            f"{subject}_vote.png",
        }


def test_every_name_is_legal_and_every_image_has_its_sidecar(predicted):
    root = predicted / "raw" / "derivatives" / "brainseg"
    for path in root.glob("sub-*/anat/*"):
        assert LEGAL.fullmatch(path.name), path.name
        assert path.with_name(path.name.split(".")[0] + ".json").is_file()
    assert {path.name for path in root.iterdir()} == {
        *("dataset_description.json", "README", ".bidsignore", "participants.tsv", "participants.json"),
        *("sub-001", "sub-002", "results", SUMS),
    }
    assert (root / ".bidsignore").read_text().splitlines() == ["figures", "results", SUMS]


def sidecar(root: Path, name: str) -> dict:
    return json.loads((root / "sub-001" / "anat" / f"sub-001_{name}.json").read_text())


def test_the_sidecars_have_what_bids_requires_and_say_where_all_comes_from(predicted):
    root = predicted / "raw" / "derivatives" / "brainseg"
    raw = "bids:raw:sub-001/anat/sub-001_"
    mask = sidecar(root, "desc-brain_mask")
    assert (mask["Type"], mask["Sources"]) == ("Brain", [f"{raw}T1w.nii.gz"])
    assert mask["SpatialReference"] == f"{raw}T1w.nii.gz"
    stripped = sidecar(root, "desc-brain_FLAIR")
    assert stripped["SkullStripped"] is True
    assert stripped["Sources"] == [
        f"{raw}FLAIR.nii.gz",
        "bids::sub-001/anat/sub-001_desc-brain_mask.nii.gz",
    ]
    labels = sidecar(root, "desc-tumor_dseg")
    assert labels["Manual"] is False
    assert len(labels["Sources"]) == 4
    assert sidecar(root, "desc-tumor_probseg")["LabelMap"] == ["WT", "TC", "ET"]
    uris = [uri for path in root.rglob("anat/*.json") for uri in json.loads(path.read_text())["Sources"]]
    for uri in uris:
        _, name, path = uri.split(":", 2)
        assert (root / ({"": ".", "raw": "../.."}[name]) / path).is_file()


def test_the_description_names_the_program_and_the_way_to_the_scans(predicted):
    root = predicted / "raw" / "derivatives" / "brainseg"
    description = json.loads((root / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["BIDSVersion"] == "1.10.0"
    assert description["GeneratedBy"] == [{"Name": "brainseg", "Version": "0.1.0"}]
    assert description["DatasetLinks"] == {"raw": "../.."}
    assert description["SourceDatasets"] == [{"URL": "../.."}]
    assert not [path for path, content in tree(root).items() if str(predicted).encode() in content]


def test_the_label_table_is_the_convention_of_the_result(predicted):
    result = json.loads((predicted / "results" / "sub-001" / RESULT).read_text())
    table = rows(next((predicted / "raw/derivatives/brainseg").glob("sub-001/anat/*_dseg.tsv")))
    assert {row["index"]: row["name"] for row in table} == result["label_convention"]["values"]
    assert [row["abbreviation"] for row in table] == ["BG", "NCR", "ED", "ET"]
    assert all(re.fullmatch(r"#[0-9A-F]{6}", row["color"]) for row in table)


def test_participants_have_verdict_and_volumes_with_their_meaning(predicted):
    root = predicted / "raw" / "derivatives" / "brainseg"
    first, second = rows(root / "participants.tsv")
    result = json.loads((predicted / "results" / "sub-001" / RESULT).read_text())
    assert (first["participant_id"], second["participant_id"]) == ("sub-001", "sub-002")
    assert first["verdict"] == "not judged"
    assert float(first["whole_tumor_ml"]) == result["volumes_ml"]["whole_tumor"]
    meaning = json.loads((root / "participants.json").read_text())
    assert meaning["edema_ml"] == {"Description": "Volume of the edema", "Units": "mL"}
    assert set(first) == {"participant_id", *meaning}


def test_the_command_makes_what_the_option_makes(predicted):
    by_option = predicted / "raw" / "derivatives" / "brainseg"
    by_command = predicted / "raw" / "derivatives" / "brainseg-again"  # as near to the scans
    done = CliRunner().invoke(cli.app, ["bids", str(predicted / "results"), str(by_command)])
    assert (done.exit_code, done.stdout) == (0, f"BIDS derivatives of 2 subjects in {by_command}\n")
    assert tree(by_command) == tree(by_option)


def test_the_sums_are_those_of_coreutils(results, tmp_path):
    write_derivatives(results, tmp_path / "bids")
    checked = subprocess.run(["sha256sum", "-c", SUMS], cwd=tmp_path / "bids", capture_output=True, text=True)
    assert checked.returncode == 0
    assert len(checked.stdout.splitlines()) == 2 * (8 + 8 + 1 + 2)


@pytest.mark.skipif(
    shutil.which("bids-validator-deno") is None, reason="needs pip install bids-validator-deno"
)
def test_the_official_validator_finds_no_error(predicted):
    root = predicted / "raw" / "derivatives" / "brainseg"
    done = subprocess.run(["bids-validator-deno", str(root), "--json"], capture_output=True, text=True)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_a_second_call_replaces_a_subject_whole_and_keeps_the_others(results, tmp_path):
    root = tmp_path / "bids"
    write_derivatives(results, root)
    before = tree(root)
    write_derivatives(results, root)
    assert tree(root) == before
    for name in ("t2_stripped.nii.gz", "montage.png", "vote.png"):
        (results / "sub-001" / f"sub-001_{name}").unlink()
    change(results / "sub-001", volumes_ml={"brain": 7.5})
    write_derivatives(results / "sub-001", root)
    gone = before.keys() - tree(root).keys()
    stripped = "sub-001/anat/sub-001_desc-brain_T2w"
    pictures = {f"sub-001/figures/sub-001_{kind}.png" for kind in ("montage", "vote")}
    assert gone == {f"{stripped}.json", f"{stripped}.nii.gz", *pictures}
    assert rows(root / "participants.tsv")[0]["brain_ml"] == "7.5"
    assert {path for path in tree(root) if path.startswith("sub-002")} == {
        path for path in before if path.startswith("sub-002")
    }


@pytest.mark.parametrize("name", ["sub-001_desc-brain_mask.nii.gz", "sub-001_desc-manual_mask.nii.gz"])
def test_what_someone_has_changed_or_put_there_is_never_touched(name, results, tmp_path):
    root = tmp_path / "bids"
    write_derivatives(results, root)
    (root / "sub-001" / "anat" / name).write_bytes(b"by hand")
    before = tree(root)
    with pytest.raises(DataError, match=rf"{name}: is not what brainseg wrote there; move it away, or give"):
        write_derivatives(results, root)
    assert tree(root) == before


def test_what_someone_has_added_to_the_description_and_the_tables_stays(results, tmp_path):
    root = tmp_path / "bids"
    write_derivatives(results, root)
    description = json.loads((root / "dataset_description.json").read_text())
    description |= {"Authors": ["A", "B"], "Name": "Ours"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    (root / "README").write_text("ours")
    (root / "participants.tsv").write_text("participant_id\tage\nsub-002\t61\nsub-9\t20\n")
    (root / "sub-001" / "dwi").mkdir()
    (root / "sub-001" / "dwi" / "x").touch()
    write_derivatives(results, root)
    assert json.loads((root / "dataset_description.json").read_text()) == description
    assert (root / "README").read_text() == "ours"
    table = {row["participant_id"]: (row["age"], row["verdict"]) for row in rows(root / "participants.tsv")}
    assert table == {
        "sub-001": ("n/a", "not judged"),
        "sub-002": ("61", "not judged"),
        "sub-9": ("20", "n/a"),
    }
    assert (root / "sub-001" / "dwi" / "x").exists()


def test_a_folder_of_something_else_is_refused_before_anything_is_predicted(options, patients, tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    (root / "thesis.tex").touch()
    with pytest.raises(
        DataError, match=r"mine: holds thesis.tex and is no data set of brainseg's derivatives"
    ):
        run(options(patients, f"derivatives={root}"))
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=r"derivatives=.*sub-001: holds the scan .*sub-001_T1w"):
        run(options(patients, f"derivatives={patients / 'sub-001'}"))


def test_a_subject_that_failed_is_named_and_left_out_with_what_it_had_before(results, tmp_path):
    root = tmp_path / "bids"
    write_derivatives(results, root)
    measure = {"gate": "brain_ml", "of": None, "value": 300.0, "limits": None}
    gates = [{**measure, "level": "fail", "sentence": "The brain is too small."}]
    change(results / "sub-001", status="failed", verdict="fail", gates=gates)
    done = CliRunner().invoke(cli.app, ["bids", str(results), str(root)])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "sub-001: left out of the BIDS derivatives: The brain is too small.",
        f"BIDS derivatives of 1 subject in {root}",
    ]
    assert [row["participant_id"] for row in rows(root / "participants.tsv")] == ["sub-002"]
    assert not [path for path in tree(root) if "sub-001" in path]
    assert "sub-001" not in (root / SUMS).read_text()


def test_where_all_failed_there_is_no_data_set(results, tmp_path):
    for subject in ("sub-001", "sub-002"):
        change(results / subject, status="failed", verdict="fail", error="broken")
    done = CliRunner().invoke(cli.app, ["bids", str(results), str(tmp_path / "bids")])
    assert done.exit_code == 1
    assert "sub-002: left out of the BIDS derivatives: broken" in done.stdout
    assert not (tmp_path / "bids").exists()


def test_a_result_that_has_changed_since_is_refused(results, tmp_path):
    (results / "sub-001" / "sub-001_brain_mask.nii.gz").write_bytes(b"by hand")
    with pytest.raises(
        DataError, match=r"sub-001_brain_mask.nii.gz: has changed since it was predicted; put"
    ):
        write_derivatives(results, tmp_path / "bids")
    assert not (tmp_path / "bids").exists()


def test_sessions_and_the_entities_of_a_scan_s_own_name(results, tmp_path):
    for session, subject in (("2", "sub-001"), ("10", "sub-002")):
        stem = f"sub-7/ses-{session}/anat/sub-7_ses-{session}"
        given = inputs(
            results / subject,
            str(tmp_path / "raw"),
            t1=f"{stem}_run-2_acq-3d_T1w",  # not in the order of BIDS
            t1ce=f"{stem}_acq-3d_ce-gadovist_desc-preproc_T1w",
            t2=f"{stem}_T2w",
            flair=f"{stem}_space-T1w_FLAIR",
        )
        change(results / subject, f"sub-7_ses-{session}", inputs=given)
    root = tmp_path / "bids"
    write_derivatives(results, root)
    anat, start = root / "sub-7" / "ses-2" / "anat", "sub-7_ses-2"
    assert names(anat) == {
        f"{start}_acq-3d_run-2_desc-brain_mask",
        f"{start}_acq-3d_run-2_desc-brain_T1w",
        f"{start}_acq-3d_ce-gadovist_desc-brain_T1w",
        f"{start}_desc-brain_T2w",
        f"{start}_desc-brain_FLAIR",
        f"{start}_desc-tumor_dseg",
        f"{start}_desc-tumor_probseg",
        f"{start}_acq-3d_run-2_label-brain_probseg",
    }
    assert all(LEGAL.fullmatch(path.name) for path in anat.iterdir())
    assert [row["session_id"] for row in rows(root / "sub-7" / "sub-7_sessions.tsv")] == ["ses-2", "ses-10"]
    assert rows(root / "participants.tsv") == [{"participant_id": "sub-7"}]
    mask = json.loads((anat / f"{start}_acq-3d_run-2_desc-brain_mask.json").read_text())
    assert mask["Sources"] == ["bids:raw:sub-7/ses-2/anat/sub-7_ses-2_run-2_acq-3d_T1w.nii.gz"]
    described = json.loads((root / "dataset_description.json").read_text())
    assert described["DatasetLinks"] == {"raw": "../raw"}


def test_a_mask_on_another_sequence_s_grid_names_its_space(results, tmp_path):
    folder = results / "sub-001"
    shutil.copy(folder / "sub-001_brain_mask.nii.gz", folder / "sub-001_t2_brain_mask.nii.gz")
    write_sums(folder)
    root = tmp_path / "bids"
    write_derivatives(folder, root)
    assert "sub-001_space-T2w_desc-brain_mask" in names(root / "sub-001" / "anat")
    assert sidecar(root, "space-T2w_desc-brain_mask")["SpatialReference"].endswith("/sub-001_T2w.nii.gz")
    assert sidecar(root, "desc-brain_T2w")["Sources"][1].endswith("_space-T2w_desc-brain_mask.nii.gz")


def test_scans_of_another_layout_get_legal_names_and_no_sources(results, tmp_path):
    place = str(tmp_path / "brats" / "BraTS20_Training_001")
    given = inputs(results / "sub-001", place, t1="x_t1", t1ce="x_t1ce", t2="x_t2", flair="x_flair")
    change(results / "sub-001", "BraTS20_Training_001", inputs=given)
    root = tmp_path / "bids"
    write_derivatives(results / "BraTS20_Training_001", root)
    label = "sub-BraTS20Training001"
    assert names(root / label / "anat") == {f"{label}_{name}" for name in IMAGES.values()}
    mask = json.loads((root / label / "anat" / f"{label}_desc-brain_mask.json").read_text())
    assert mask["SpatialReference"] == "orig"
    assert "Sources" not in mask
    description = json.loads((root / "dataset_description.json").read_text())
    assert not description.keys() & {"DatasetLinks", "SourceDatasets"}


@pytest.mark.parametrize(
    ("identity", "subject", "session"),
    [
        ("sub-01", "01", None),
        ("sub-01_ses-pre", "01", "pre"),
        ("BraTS-GLI-00002-000", "BraTSGLI00002000", None),
        ("sub-01_acq-3d", "sub01acq3d", None),
        ("Jürgen 2", "Jrgen2", None),
    ],
)
def test_labels(identity, subject, session):
    label = label_of(identity)
    assert (label.subject, label.session) == (subject, session)


def test_ids_that_would_not_be_distinct_are_refused_by_name(results, tmp_path):
    change(results / "sub-001", "p_1")
    change(results / "sub-002", "P1")
    root = tmp_path / "bids"
    with pytest.raises(DataError, match=r"(p_1 and P1|P1 and p_1) would both be sub-\w+ in BIDS"):
        write_derivatives(results, root)
    write_derivatives(results / "p_1", root)
    with pytest.raises(DataError, match=r"p_1 and P1 would both be sub-P1 in BIDS, whose labels"):
        write_derivatives(results / "P1", root)
    with pytest.raises(DataError, match=r"^患者: has no letter A to Z or digit"):
        label_of("患者")


def test_a_run_that_was_stopped_leaves_nothing_that_the_next_takes_for_foreign(
    results, tmp_path, monkeypatch
):
    from brainseg.bids import dataset as derivatives

    root = tmp_path / "bids"
    write_derivatives(results / "sub-001", root)
    change(results / "sub-001", label_convention={"name": "other", "values": {"0": "background"}})

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(derivatives, "without_places", stop)  # after the images, before the result
        with pytest.raises(KeyboardInterrupt):
            write_derivatives(results / "sub-001", root)
    write_derivatives(results, root)
    assert len(rows(next(root.glob("sub-001/anat/*_dseg.tsv")))) == 1
    assert not list(root.rglob(".partial*"))


def test_the_derivatives_are_no_scans_of_the_data_set_that_they_lie_in(predicted):
    from brainseg.images.layouts import find_subjects

    assert [subject.id for subject in find_subjects(predicted / "raw")] == ["sub-001", "sub-002"]
    (first, _) = find_subjects(predicted / "raw" / "derivatives" / "brainseg")
    assert list(first.images) == ["t1", "t1ce", "t2", "flair"]
