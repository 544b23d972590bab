"""The linked prediction: what it writes, where, and what it says when something is wrong."""

import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from brainseg.config.errors import CheckpointError, ConfigError, DataError, UserError
from brainseg.images.nifti import read
from brainseg.images.volume import to_ras
from brainseg.phantom import write_cohort
from brainseg.prediction.run import run


def result_of(output: Path, subject: str) -> dict:
    return json.loads((output / subject / "result.json").read_text())


@pytest.fixture(scope="module")
def predicted(patients, trained, tmp_path_factory):
    """Both patients predicted once with probabilities and a montage."""
    from hydra import compose, initialize_config_dir

    from brainseg.config import check_predict, conf_dir

    output = tmp_path_factory.mktemp("predicted")
    models = [f"{task}={trained(task)[1]}" for task in ("skullstripper", "classifier", "segmenter")]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        cfg = compose(
            "predict",
            [f"input={patients}", f"output={output}", "save_probabilities=true", "gates=none", *models],
        )
    assert run(check_predict(cfg)) == 0
    return output


def test_every_result_has_the_scan_s_shape_affine_and_codes(predicted, patients):
    scan = nib.load(patients / "sub-001" / "anat" / "sub-001_T1w.nii.gz")
    for name in ("brain_mask", "t1_stripped", "flair_stripped", "tumor_labels", "brain_probability"):
        made = nib.load(predicted / "sub-001" / f"sub-001_{name}.nii.gz")
        assert made.shape == scan.shape, name
        np.testing.assert_array_equal(made.affine, scan.affine)
        for code in ("sform_code", "qform_code", "xyzt_units"):
            assert made.header[code] == scan.header[code], (name, code)


def test_the_stripped_image_has_the_original_intensities_inside_the_mask_and_0_outside(predicted, patients):
    scan = nib.load(patients / "sub-001" / "anat" / "sub-001_FLAIR.nii.gz")
    stripped = nib.load(predicted / "sub-001" / "sub-001_flair_stripped.nii.gz")
    mask = np.asarray(nib.load(predicted / "sub-001" / "sub-001_brain_mask.nii.gz").dataobj) > 0
    assert stripped.get_data_dtype() == scan.get_data_dtype()
    np.testing.assert_array_equal(np.asarray(stripped.dataobj), np.where(mask, np.asarray(scan.dataobj), 0))


def test_the_labels_are_those_of_the_convention_of_the_segmenter_s_training_data(predicted):
    result = result_of(predicted, "sub-001")
    assert result["label_convention"] == {
        "name": "brats-2018",
        "values": {"0": "background", "1": "necrotic_core", "2": "edema", "4": "enhancing_tumor"},
    }
    labels = np.asarray(nib.load(predicted / "sub-001" / "sub-001_tumor_labels.nii.gz").dataobj)
    assert set(np.unique(labels)) <= {0, 1, 2, 4}


def test_the_probabilities_are_of_the_three_regions_and_none_lies_outside_the_brain(predicted):
    p = np.asarray(nib.load(predicted / "sub-001" / "sub-001_tumor_probabilities.nii.gz").dataobj)
    assert p.shape[3] == 3
    assert p.min() >= 0
    assert p.max() <= 1
    assert p.max() > 0
    mask = np.asarray(nib.load(predicted / "sub-001" / "sub-001_brain_mask.nii.gz").dataobj) > 0
    assert (p[~mask] == 0).all()


def test_the_volumes_are_those_of_the_files(predicted):
    result = result_of(predicted, "sub-001")
    mask = nib.load(predicted / "sub-001" / "sub-001_brain_mask.nii.gz")
    assert result["volumes_ml"]["brain"] == pytest.approx(np.asarray(mask.dataobj).sum() * 0.064, abs=0.06)
    labels = np.asarray(nib.load(predicted / "sub-001" / "sub-001_tumor_labels.nii.gz").dataobj)
    assert result["volumes_ml"]["whole_tumor"] == pytest.approx((labels > 0).sum() * 0.064, abs=0.001)


def test_27_slices_vote_nine_in_each_plane(predicted):
    tumor_type = result_of(predicted, "sub-001")["tumor_type"]
    planes = [cut["plane"] for cut in tumor_type["slices"]]
    assert {plane: planes.count(plane) for plane in set(planes)} == {"sagittal": 9, "coronal": 9, "axial": 9}
    mean = np.mean([list(cut["probabilities"].values()) for cut in tumor_type["slices"]], axis=0)
    np.testing.assert_allclose(list(tumor_type["probabilities"].values()), mean, atol=1e-4)
    assert tumor_type["sequence"] == "t1ce"
    assert tumor_type["healthy_at"] == 0.95


def test_the_loudest_slice_and_each_plane_s_verdict_are_written(predicted):
    tumor_type = result_of(predicted, "sub-001")["tumor_type"]
    verdict, loudest = tumor_type["verdict"], tumor_type["loudest"]
    assert loudest["probabilities"][verdict] == max(
        cut["probabilities"][verdict] for cut in tumor_type["slices"]
    )
    same = [said == verdict for said in tumor_type["planes"].values()]
    assert tumor_type["agreement"] == pytest.approx(sum(same) / 3, abs=1e-3)
    assert (predicted / "sub-001" / "sub-001_vote.png").stat().st_size > 10_000


def test_the_result_says_where_it_comes_from_and_what_it_took(predicted):
    result = result_of(predicted, "sub-002")
    assert result["status"] == "done"
    assert result["stages"] == ["strip", "classify", "segment"]
    assert set(result["inputs"]) == {"t1", "t1ce", "t2", "flair"}
    assert all(
        len(entry["sha256"]) == 64 for entry in [*result["inputs"].values(), *result["models"].values()]
    )
    assert (
        set(result["seconds"])
        == set(result["peak_memory_mb"])
        == {"read", "strip", "classify", "segment", "write", "draw"}
    )
    assert (predicted / "sub-002" / "sub-002_montage.png").stat().st_size > 10_000


def test_a_scan_stored_in_another_orientation_gets_the_same_mask_in_the_world(
    options, patients, predicted, tmp_path
):
    scan = nib.load(patients / "sub-001" / "anat" / "sub-001_T1w.nii.gz")
    turned = scan.as_reoriented([[2, -1], [0, 1], [1, -1]])
    nib.save(turned, tmp_path / "turned_T1w.nii.gz")
    run(options(tmp_path / "turned_T1w.nii.gz", "classifier=null", "segmenter=null"))
    made = read(tmp_path / "out" / "turned" / "turned_brain_mask.nii.gz")
    assert made.grid.shape == turned.shape
    upright = to_ras(read(predicted / "sub-001" / "sub-001_brain_mask.nii.gz"))
    np.testing.assert_array_equal(to_ras(made).data, upright.data)


def test_a_stage_without_a_model_is_left_out(options, patients, tmp_path):
    run(options(patients / "sub-001", "classifier=null", "segmenter=null", "montage=false"))
    result = result_of(tmp_path / "out", "sub-001")
    assert result["stages"] == ["strip"]
    assert result["left_out"] == {"classify": "no classifier given", "segment": "no segmenter given"}
    assert result["tumor_type"] is None


def test_without_any_model_nothing_starts(options, patients):
    with pytest.raises(
        ConfigError, match=r"^no model for any of the stages strip, classify, segment; give at least"
    ):
        run(options(patients, "skullstripper=null", "classifier=null", "segmenter=null"))


def test_a_checkpoint_of_another_task_is_refused_before_any_work(options, patients, trained, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"is a checkpoint of a segmenter, where a skullstripper is needed"
    ):
        run(options(patients, f"skullstripper={trained('segmenter')[1]}"))
    assert not (tmp_path / "out").exists()


def test_a_stripped_scan_is_recognised_and_not_stripped_again(options, tmp_path):
    write_cohort(tmp_path / "brats", layout="brats", subjects=1, seed=5, spacing_mm=4.0)
    next((tmp_path / "brats").rglob("*_t1.nii.gz")).unlink()  # which only the stripper would need
    assert run(options(tmp_path / "brats", "segmenter=null", "montage=false")) == 0
    (folder,) = (path.parent for path in (tmp_path / "out").rglob("result.json"))
    result = json.loads((folder / "result.json").read_text())
    assert result["left_out"] == {
        "strip": "the scan is stripped already; its non-zero voxels are the brain mask",
        "segment": "no segmenter given",
    }
    assert not list(folder.glob("*_stripped.nii.gz"))
    assert 0.9e3 < result["volumes_ml"]["brain"] < 2.1e3


@pytest.mark.data
def test_real_scans_are_told_apart_with_and_without_skull(real_data):
    from brainseg.prediction.scans import brain_if_stripped

    for path in sorted(real_data.glob("brats13/*/*_flair.nii.gz")):
        assert brain_if_stripped(read(path)) is not None, path
    for path in sorted(real_data.glob("open_ms/*/*[!k].nii.gz")):
        assert brain_if_stripped(read(path)) is None, path


def test_a_failing_subject_is_named_and_does_not_stop_the_others(options, patients, tmp_path, caplog, capsys):
    cohort = tmp_path / "cohort"
    shutil.copytree(patients, cohort)
    broken = cohort / "sub-001" / "anat" / "sub-001_T1w.nii.gz"
    broken.write_bytes(broken.read_bytes()[:2000])
    assert run(options(cohort, "montage=false")) == 4
    failed, done = result_of(tmp_path / "out", "sub-001"), result_of(tmp_path / "out", "sub-002")
    assert (failed["status"], done["status"]) == ("failed", "done")
    assert "sub-001_T1w.nii.gz" in failed["error"]
    assert "sub-001 failed" in caplog.text
    assert f"sub-001: {failed['error']}\n" in capsys.readouterr().out


def test_a_full_disk_under_the_failure_itself_does_not_stop_the_others(
    options, patients, tmp_path, caplog, monkeypatch
):
    from brainseg.prediction import outputs

    write = outputs.write_result

    def full_for_the_first(folder, result):
        if result.subject == "sub-001":
            raise OSError(28, "No space left on device")
        write(folder, result)

    monkeypatch.setattr(outputs, "write_result", full_for_the_first)
    assert run(options(patients, "montage=false", "classifier=null", "segmenter=null")) == 4
    assert result_of(tmp_path / "out", "sub-002")["status"] == "done"
    assert "sub-001: its failure could not be written" in caplog.text


def test_no_old_result_stands_in_for_one_that_failed(options, patients, tmp_path):
    cohort = tmp_path / "cohort"
    shutil.copytree(patients, cohort)
    run(options(cohort / "sub-001", "montage=false"))
    assert (tmp_path / "out" / "sub-001" / "sub-001_brain_mask.nii.gz").is_file()
    (cohort / "sub-001" / "anat" / "sub-001_T1w.nii.gz").write_bytes(gzip.compress(b"not an image"))
    assert run(options(cohort / "sub-001", "overwrite=true")) == 4
    assert sorted(path.name for path in (tmp_path / "out" / "sub-001").iterdir()) == [
        "SHA256SUMS",
        "result.json",
    ]


def test_results_that_are_there_already_are_not_overwritten_unless_asked_for(options, patients, tmp_path):
    quick = ("classifier=null", "segmenter=null", "montage=false")
    run(options(patients / "sub-001", *quick))
    with pytest.raises(
        DataError,
        match=r"already has results of sub-001, from other scans, .*set overwrite=true",
    ):
        run(options(patients / "sub-001", *quick, "window.overlap=0.25"))
    assert run(options(patients / "sub-001", *quick, "window.overlap=0.25", "overwrite=true")) == 0


def test_a_missing_sequence_is_named_with_those_that_are_there(options, patients, tmp_path):
    shutil.copytree(patients / "sub-001", tmp_path / "sub-001")
    (tmp_path / "sub-001" / "anat" / "sub-001_T2w.nii.gz").unlink()
    assert run(options(tmp_path / "sub-001", "skullstripper=null", "classifier=null")) == 4
    error = result_of(tmp_path / "out", "sub-001")["error"]
    assert "has t1, t1ce, flair but lacks t2: the segmenter was trained with t1, t1ce, t2, " in error


def test_the_last_of_two_runs_is_predicted_and_the_result_says_so(options, patients, tmp_path):
    anat = shutil.copytree(patients / "sub-001", tmp_path / "sub-001") / "anat"
    (anat / "sub-001_T1w.nii.gz").rename(anat / "sub-001_run-2_T1w.nii.gz")
    (anat / "sub-001_run-1_T1w.nii.gz").write_bytes(b"moved too much")
    assert run(options(tmp_path / "sub-001", "classifier=null", "segmenter=null", "montage=false")) == 0
    result = result_of(tmp_path / "out", "sub-001")
    assert result["warnings"][0].startswith("t1 is run 2, the last one; left out: sub-001_run-1_T1w.nii.gz")
    assert result["inputs"]["t1"]["file"].endswith("/sub-001_run-2_T1w.nii.gz")


@pytest.fixture
def shifted(patients, tmp_path):
    """A subject whose FLAIR lies on a coarser grid, 3 mm further to the right."""
    folder = tmp_path / "sub-001"
    shutil.copytree(patients / "sub-001", folder)
    path = folder / "anat" / "sub-001_FLAIR.nii.gz"
    scan = nib.load(path)
    affine = scan.affine.copy()
    affine[0, 3] += 3
    nib.save(nib.Nifti1Image(np.asarray(scan.dataobj), affine), path)
    return folder


def test_sequences_on_other_grids_are_resampled_and_the_result_says_so(options, shifted, tmp_path):
    assert run(options(shifted, "montage=false")) == 0
    (warning,) = result_of(tmp_path / "out", "sub-001")["warnings"]
    assert warning.startswith(
        "flair was resampled to the grid of t1 by its header (shifted: corners lie up to 3 mm"
    )
    own = nib.load(shifted / "anat" / "sub-001_FLAIR.nii.gz")
    stripped = nib.load(tmp_path / "out" / "sub-001" / "sub-001_flair_stripped.nii.gz")
    np.testing.assert_array_equal(stripped.affine, own.affine)


def test_other_grids_are_refused_by_name_when_asked_for(options, shifted, tmp_path):
    assert run(options(shifted, "pipeline.align=refuse")) == 4
    error = result_of(tmp_path / "out", "sub-001")["error"]
    assert (
        "sub-001_FLAIR.nii.gz: does not lie on the grid of t1: shifted: corners lie up to 3 mm apart" in error
    )


def test_sequences_that_hardly_overlap_are_never_brought_together(options, patients, tmp_path):
    folder = tmp_path / "sub-001"
    shutil.copytree(patients / "sub-001", folder)
    path = folder / "anat" / "sub-001_FLAIR.nii.gz"
    scan = nib.load(path)
    far = scan.affine.copy()
    far[:3, 3] += 150
    nib.save(nib.Nifti1Image(np.asarray(scan.dataobj), far), path)
    assert run(options(folder)) == 4
    assert (
        "of the fields of view overlap: check the headers" in result_of(tmp_path / "out", "sub-001")["error"]
    )


def test_the_report_s_order_classifies_first_on_flair_and_stops_if_healthy(options, patients, tmp_path):
    run(options(patients / "sub-001", "pipeline=report", "vote.healthy_at=0.0", "montage=false"))
    result = result_of(tmp_path / "out", "sub-001")
    assert result["tumor_type"]["sequence"] == "flair"
    assert result["tumor_type"]["verdict"] == "notumor"
    assert result["stages"] == ["classify"]
    assert "pipeline.stop_if_healthy is set" in result["left_out"]["segment"]


def test_a_4_d_scan_is_refused_with_its_number_of_volumes(options, tmp_path):
    nib.save(
        nib.Nifti1Image(np.random.default_rng(0).random((8, 8, 8, 3), np.float32), np.eye(4)),
        tmp_path / "a_T1w.nii.gz",
    )
    assert run(options(tmp_path / "a_T1w.nii.gz", "segmenter=null", "classifier=null")) == 4
    assert "3 volumes" in result_of(tmp_path / "out", "a")["error"]


def test_a_full_disk_leaves_no_half_written_result(options, patients, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    for outcome in ("brain", "segment"):
        monkeypatch.setattr(f"brainseg.prediction.{outcome}.write", full)
    assert run(options(patients / "sub-001", "classifier=null", "segmenter=null")) == 4
    names = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")]
    assert sorted(names) == [
        "SHA256SUMS",
        "files.csv",
        "sub-001",
        "sub-001/SHA256SUMS",
        "sub-001/result.json",
        "volumes.csv",
    ]
    assert "no space left on device" in result_of(tmp_path / "out", "sub-001")["error"]


def test_a_single_file_without_a_sequence_in_its_name_needs_to_be_told(options, patients, tmp_path):
    shutil.copy(patients / "sub-001" / "anat" / "sub-001_T1w.nii.gz", tmp_path / "scan.nii.gz")
    quick = ("classifier=null", "segmenter=null", "montage=false")
    assert run(options(tmp_path / "scan.nii.gz", *quick, "sequence=t1")) == 0
    assert (tmp_path / "out" / "scan" / "scan_brain_mask.nii.gz").is_file()


def test_the_mask_is_the_same_whatever_the_number_of_windows_in_a_batch(options, patients, tmp_path):
    masks = []
    for batch in (1, 3):
        output = tmp_path / f"out{batch}"
        run(options(patients / "sub-001", f"window.batch_size={batch}", "montage=false", output=output))
        masks.append(read(output / "sub-001" / "sub-001_brain_mask.nii.gz").data)
    np.testing.assert_array_equal(*masks)


def test_a_classifier_of_stripped_scans_needs_a_brain(trained, patients, options, tmp_path):
    stored = torch.load(trained("classifier")[1], weights_only=True)
    stored["hyper_parameters"]["config"]["preprocess"]["stripped"] = True
    torch.save(stored, tmp_path / "stripped.ckpt")
    quick = ("skullstripper=null", "segmenter=null", "montage=false")
    assert run(options(patients / "sub-001", f"classifier={tmp_path / 'stripped.ckpt'}", *quick)) == 4
    error = result_of(tmp_path / "out", "sub-001")["error"]
    assert "was trained on scans without skull" in error
    assert "give skullstripper=CHECKPOINT" in error


def test_a_folder_of_runs_and_a_list_of_checkpoints_answer_together(options, patients, trained, tmp_path):
    checkpoint = trained("segmenter")[1]
    for k in range(2):
        run_folder = tmp_path / "sweep" / str(k) / "checkpoints"
        run_folder.mkdir(parents=True)
        (run_folder / "best.ckpt").write_bytes(checkpoint.read_bytes())
    stages = ["classifier=null", "skullstripper=null"]
    patient = patients / "sub-001"
    alone = options(patient, *stages, output=tmp_path / "alone")
    sweep = options(patient, *stages, f"segmenter={tmp_path / 'sweep'}", output=tmp_path / "sweep-out")
    listed = options(patient, *stages, f"segmenter=[{checkpoint}]", output=tmp_path / "listed")
    for one in (alone, sweep, listed):
        assert run(one) == 0
    results = [result_of(tmp_path / name, "sub-001") for name in ("alone", "sweep-out", "listed")]
    assert [result["segmentation"]["members"] for result in results] == [1, 2, 1]
    assert results[0]["models"]["segmenter"] == results[2]["models"]["segmenter"]
    assert len(results[1]["models"]["segmenter"]) == 2
    labels = [
        np.asarray(nib.load(tmp_path / name / "sub-001" / "sub-001_tumor_labels.nii.gz").dataobj)
        for name in ("alone", "sweep-out")
    ]
    np.testing.assert_array_equal(*labels)  # twice the same model


def test_a_folder_without_a_checkpoint_is_named(options, patients, tmp_path):
    with pytest.raises(UserError, match=r"holds no run with checkpoints/best\.ckpt"):
        run(options(patients, f"segmenter={tmp_path}"))
