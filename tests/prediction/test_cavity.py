"""A segmenter that learnt the resection cavity, from its training to every file of a prediction."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

import brainseg
from brainseg.bids.dataset import write_derivatives
from brainseg.checkpoint import load_model, read_checkpoint
from brainseg.config import ConfigError, check_predict, conf_dir, register_schemas
from brainseg.config.errors import CheckpointError
from brainseg.dicom.segments import SEGMENTS
from brainseg.evaluation.tumors import evaluate_tumors
from brainseg.gates.tumor import shape_of_tumor
from brainseg.images.labels import REGIONS
from brainseg.images.volume import Grid
from brainseg.phantom import write_cohort
from brainseg.prediction.run import run
from brainseg.results.read import read_result
from brainseg.trained import Ensemble
from brainseg.training.train import train


@pytest.fixture(scope="module")
def taught(tmp_path_factory, tiny):
    """The best checkpoint of a tiny segmenter that learnt cavities, as classes or as regions."""
    register_schemas()
    root, done = tmp_path_factory.mktemp("cavity"), {}

    def _taught(*overrides):
        if overrides not in done:
            run = root / str(len(done))
            given = [*tiny("segmenter"), "segmenter.cavity=true", "data.operated_share=0.75", *overrides]
            with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
                train(compose("train", [*given, f"paths.run={run}", f"paths.data={root / 'data'}"]))
            done[overrides] = run / "checkpoints" / "best.ckpt"
        return done[overrides]

    return _taught


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    """One head after surgery, in the names of BraTS 2024."""
    root = tmp_path_factory.mktemp("operated") / "post"
    write_cohort(root, layout="brats-post", subjects=1, seed=5, spacing_mm=4.0, operated_share=1.0)
    return root


@pytest.fixture
def finds_a_cavity_alone(monkeypatch):
    """Segmenters that see a cavity of 4 x 4 x 4 voxels in the middle of a scan, and no tumour."""

    def probabilities(self, image, *_, **__):
        found = torch.zeros(5, *image.shape[1:])
        x, y, z = (n // 2 for n in image.shape[1:])
        found[4, x - 2 : x + 2, y - 2 : y + 2, z - 2 : z + 2] = 1.0
        found[0] = 1 - found[4]
        return found

    monkeypatch.setattr("brainseg.trained.segmenter.SegmenterModel.probabilities", probabilities)


@pytest.mark.parametrize(
    "output", [(), ("segmenter.output=regions", "segmenter.loss=region_dice_bce")], ids=["classes", "regions"]
)
def test_a_trained_segmenter_of_cavities_predicts_them_and_is_evaluated(taught, operated, tmp_path, output):
    checkpoint = taught(*output)
    model = load_model(checkpoint, task="segmenter")
    assert model.facts["label_convention"] == "brats-2024-post"
    assert list(model.fitted["temperatures"]) == list(REGIONS)
    found = brainseg.predict(
        operated,
        {"segmenter": checkpoint},
        output=tmp_path,
        gates="none",
        device="cpu",
        save_probabilities=True,
    )
    assert {"resection_cavity", "whole_tumor"} <= set(found.volumes_ml)
    assert set(found.diameters_mm) == set(REGIONS)
    assert found.segmentation.cavity is True
    assert found.label_convention.values["4"] == "resection_cavity"
    assert found.images["tumor_probabilities"].shape[-1] == 4
    scores = evaluate_tumors(operated, tmp_path, "brats-2023").summaries
    assert "lesion_dice/resection_cavity" in scores


@pytest.mark.usefixtures("finds_a_cavity_alone")
def test_a_cavity_without_a_tumour_is_a_result_like_any_other(taught, operated, tmp_path):
    output, (subject,) = tmp_path / "out", [path.name for path in operated.iterdir()]
    overrides = [f"input={operated}", f"segmenter={taught()}", f"output={output}", "device=cpu"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        run(check_predict(compose("predict", overrides)))
    result = read_result(output / subject)
    assert (str(result.status), str(result.verdict)) == ("done", "pass")
    assert result.volumes_ml["whole_tumor"] == 0
    # 64 voxels of the recipe, back on the scan's grid of 4 mm.
    assert result.volumes_ml["resection_cavity"] == pytest.approx(64 * 6**3 / 1000, rel=0.2)
    assert result.diameters_mm["whole_tumor"] is None
    assert result.diameters_mm["resection_cavity"].largest > 15
    labels = nib.load(output / subject / f"{subject}_tumor_labels.nii.gz")
    assert np.unique(np.asarray(labels.dataobj)).tolist() == [0, 4]
    with (output / "volumes.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["resection_cavity_ml"]) == result.volumes_ml["resection_cavity"]
    page = (output / subject / "report.html").read_text()
    assert "resection cavity" in page
    assert "cavity, ml" in (output / "index.html").read_text()
    write_derivatives(output, tmp_path / "bids")
    (table,) = (tmp_path / "bids").rglob("*_desc-tumor_dseg.tsv")
    assert "4\tresection_cavity\tRC" in table.read_text()


def test_a_segmenter_without_cavities_says_nothing_of_them(operated, options, tmp_path):
    run(options(operated, "skullstripper=null", "classifier=null", "page=true"))
    (folder,) = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    written = json.loads((folder / "result.json").read_text())
    assert "cavity" not in written["segmentation"]
    assert not any("cavity" in name for name in written["volumes_ml"])
    assert "resection" not in (folder / "report.html").read_text()


def test_labels_that_have_no_value_for_the_cavity_are_refused_before_the_prediction(taught, operated):
    with pytest.raises(ConfigError, match="labels=brats-2018 has no value for the resection cavity"):
        brainseg.predict(operated, {"segmenter": taught()}, labels="brats-2018", device="cpu")


def test_a_segmenter_of_cavities_and_one_without_do_not_answer_together(taught):
    with_it = load_model(taught(), task="segmenter")
    config = read_checkpoint(taught())["hyper_parameters"]["config"] | {"cavity": False}
    other = type(with_it).of(config)
    with pytest.raises(CheckpointError, match="their cavity differ"):
        Ensemble({"a.ckpt": with_it, "b.ckpt": other})


def test_every_region_has_a_code_in_dicom():
    assert set(REGIONS) <= set(SEGMENTS)
    assert SEGMENTS["resection_cavity"].kind == ("43526002", "SCT", "Operative Site")


def test_the_cavity_is_no_part_of_the_tumour_s_shape():
    grid = Grid((12, 12, 12), np.diag([5.0, 5.0, 5.0, 1.0]))  # voxels of 0.125 ml
    classes = np.zeros(grid.shape, np.uint8)
    classes[2:6, 2:6, 2:6] = 4
    whole = np.zeros(grid.shape, np.float32)
    shape = shape_of_tumor(classes, whole, np.ones(grid.shape, bool), grid)
    assert (shape.ml, shape.cavity_ml) == (0, pytest.approx(8.0))
    classes[8:10, 2:6, 2:6] = 2
    shape = shape_of_tumor(classes, whole, np.ones(grid.shape, bool), grid)
    assert (shape.ml, shape.pieces, shape.cavity_ml) == (pytest.approx(4.0), 1, pytest.approx(8.0))
