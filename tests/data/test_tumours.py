"""Painted tumours from anatomy to batches, and to a training step of any subset of sequences."""

import pytest
import torch

from brainseg.config import plain
from brainseg.config.errors import ConfigError
from brainseg.data import composed_data
from brainseg.tasks import Segmenter

SMALL = [
    "experiment=segmenter_tumours",
    "segmenter.preprocess.spacing_mm=[6,6,6]",
    "segmenter.patch=[32,32,32]",
    "segmenter.channels=[8,8,8]",
    "data.workers=0",
    "data.heads=5",
    "data.val_share=0.2",
]


@pytest.fixture
def tumours(composed):
    data = composed_data(composed(*SMALL))
    data.prepare_data()
    data.setup("fit")
    return data


def test_a_tumour_is_another_one_each_time_and_the_same_in_the_same_epoch(tumours):
    dataset = tumours.train_dataloader().dataset
    image, truth = dataset[(0, 3)]
    assert image.shape == (4, 32, 32, 32)
    assert truth.shape == (32, 32, 32)
    assert set(truth.unique().tolist()) <= {0, 1, 2, 3}
    again, _ = dataset[(0, 3)]
    later, other = dataset[(1, 3)]
    assert torch.equal(image, again)
    assert not torch.equal(image, later)
    assert not torch.equal(truth, other)


def test_brains_that_validate_are_other_ones_and_never_change(tumours):
    assert (len(tumours.split.train), len(tumours.split.val), len(tumours.split.test)) == (4, 1, 0)
    first, second = (next(iter(tumours.val_dataloader())) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert first[0].shape[1] == 4


def test_a_step_learns_from_any_subset(tumours, composed):
    cfg = composed(*SMALL)
    module = Segmenter(plain(cfg.segmenter), plain(cfg.menu.loss.region_dice_bce))
    image, truth = next(iter(tumours.train_dataloader()))
    loss = module.training_loss(image, truth)
    loss.backward()
    assert torch.isfinite(loss)
    assert len(module.subsets) == 14


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["segmenter.preprocess.spacing_mm=[2,2,3]"], r"data=tumours needs cubes, but .* is \[2\.0, 2\.0, 3"),
        (["segmenter.cavity=true"], r"segmenter\.cavity=true, but data=tumours paints no resection cavity"),
        (["segmenter.preprocess.crop=report"], r"crop=report cuts files of BraTS"),
        (
            ["segmenter.preprocess.intensity=landmarks"],
            r"set segmenter\.preprocess\.intensity=zscore_nonzero",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(composed, overrides, said):
    with pytest.raises(Exception, match=said) as caught:
        composed_data(composed(*SMALL, *overrides))
    assert isinstance(caught.value, ConfigError) or isinstance(caught.value.__cause__, ConfigError)


def test_other_models_are_sent_elsewhere(composed):
    with pytest.raises(Exception, match=r"data=tumours is for model=segmenter"):
        composed_data(composed("model=skullstripper", "data=tumours"))
