"""Phantoms as the data modules hand them to the models."""

import pytest
import torch

from brainseg.config import ConfigError
from brainseg.data import composed_data
from brainseg.images.nifti import read


def prepared(composed, *overrides):
    cfg = composed("data=phantom", "data.subjects=4", "data.spacing_mm=6", "data.workers=0", *overrides)
    data = composed_data(cfg)
    data.prepare_data()
    return data


def ml_shown(data) -> float:
    """Volume of what a stripped scan still shows, in the mean over the cohort."""
    files = sorted(data.folder.rglob("*t1ce.nii.gz"))
    volumes = [read(path) for path in files]
    return sum(float((volume.data > 0).sum()) * 6**3 / 1000 for volume in volumes) / len(volumes)


def test_a_segmenter_with_a_margin_learns_on_heads_cut_as_far_out(composed):
    model = ["model=segmenter", "segmenter.preprocess.spacing_mm=[6,6,6]"]
    close, wide = (
        ml_shown(prepared(composed, *model, f"segmenter.margin_mm={margin}")) for margin in (0, 12)
    )
    # 12 mm around a brain of about 1,400 ml, a ball of 69 mm radius: 1,400 * (81 / 69)^3 = 2,260 ml or more
    assert 1_000 < close < 1_800
    assert wide > close + 600


def test_every_setting_that_changes_the_heads_has_a_folder_of_its_own(composed):
    def folder(*overrides):
        return composed_data(composed("data=phantom", *overrides)).folder

    stripped = ["classifier.preprocess.stripped=true"]
    folders = [
        folder(),
        folder("data.subjects=5"),
        folder("data.types=[glioma]"),
        folder(*stripped),
        folder(*stripped, "classifier.margin_mm=5"),
        folder("model=segmenter"),
        folder("model=segmenter", "segmenter.margin_mm=5"),
        folder("model=skullstripper"),
    ]
    assert len(set(folders)) == len(folders)
    assert folder("classifier.epochs=3") == folder()


def test_a_training_slice_is_the_same_alone_and_in_a_batch(composed):
    data = prepared(
        composed, "classifier.preprocess.size=32", "data.slices_per_subject=4", "data.test_share=0"
    )
    data.setup("fit")
    slices = data.train_dataloader().dataset
    draws = [(2, index) for index in (5, 0, 3)]
    together = slices.__getitems__(draws)
    assert [target for _, target, _ in together] == [int(slices.slices.targets[index]) for _, index in draws]
    for draw, (x, _, _) in zip(draws, together, strict=True):
        torch.testing.assert_close(slices[draw][0], x, rtol=0, atol=1e-6)
    assert not torch.equal(slices[(2, 5)][0], slices[(3, 5)][0])  # another epoch, another change


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        (
            "data.subjects=3",
            "data.subjects is 3, but the classifier needs a head of each of 4 types; set it to 4",
        ),
        (
            "data.types=[glioma,notumor]",
            "data.types is .*, but classifier.classes has meningioma too; add it",
        ),
    ],
)
def test_a_cohort_that_lacks_a_class_is_refused_before_it_is_written(composed, override, answer):
    with pytest.raises(ConfigError, match=answer):
        prepared(composed, override)


def test_operated_heads_have_a_folder_of_their_own_and_cavities_to_learn(composed):
    model = ["model=segmenter", "segmenter.preprocess.spacing_mm=[6,6,6]", "segmenter.cavity=true"]
    data = prepared(composed, *model, "data.operated_share=0.5", "data.val_share=0.25")
    data.setup("fit")
    assert data.folder.name.startswith("brats-post-")
    assert data.facts["resection_cavities"]["subjects"] == 2
    assert data.facts["phantom"]["operated_share"] == 0.5


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=segmenter", "segmenter.cavity=true"], "no phantom has a resection cavity.*operated_share"),
        (["model=classifier", "data.operated_share=0.5"], "model=classifier learns no cavities"),
        (["model=segmenter", "data.operated_share=1.5"], "must be from 0 to 1"),
    ],
)
def test_operated_heads_that_nobody_can_learn_are_refused(composed, overrides, message):
    with pytest.raises(ConfigError, match=message):
        composed_data(composed("data=phantom", *overrides))
