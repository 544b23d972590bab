"""Painted heads from anatomy to batches."""

import pytest
import torch

from brainseg.config.errors import ConfigError
from brainseg.data import composed_data

SMALL = [
    "experiment=skullstripper_anycontrast",
    "skullstripper.preprocess.spacing_mm=[6,6,6]",
    "skullstripper.patch=[32,32,32]",
    "data.workers=0",
    "data.heads=5",
    "data.val_share=0.2",
]


@pytest.fixture
def heads(composed):
    data = composed_data(composed(*SMALL))
    data.prepare_data()
    data.setup("fit")
    return data


def test_a_head_looks_different_each_time_and_the_same_in_the_same_epoch(heads):
    dataset = heads.train_dataloader().dataset
    image, truth = dataset[(0, 3)]
    assert image.shape == (1, 32, 32, 32)
    assert truth.shape == (32, 32, 32)
    assert set(truth.unique().tolist()) <= {0, 1}
    again, _ = dataset[(0, 3)]
    later, _ = dataset[(1, 3)]
    assert torch.equal(image, again)
    assert not torch.equal(image, later)


def test_heads_that_validate_are_other_ones_and_never_change(heads):
    assert (len(heads.split.train), len(heads.split.val), len(heads.split.test)) == (4, 1, 0)
    first, second = (next(iter(heads.val_dataloader())) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert first[1].any()
    assert all(template is not heads.templates["val"][0] for template in heads.templates["train"])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["skullstripper.preprocess.spacing_mm=[2,2,3]"], r"needs cubes, but .* is \[2\.0, 2\.0, 3\.0\]"),
        (["skullstripper.preprocess.crop=report"], r"data=heads has no files; set .*\.crop=head$"),
        (["model=segmenter", "data=heads"], r"data=heads is for model=skullstripper"),
    ],
)
def test_what_it_cannot_do_is_refused(composed, overrides, said):
    base = [] if "data=heads" in overrides else SMALL
    with pytest.raises(Exception, match=said) as caught:
        composed_data(composed(*base, *overrides))
    assert isinstance(caught.value, ConfigError) or isinstance(caught.value.__cause__, ConfigError)
