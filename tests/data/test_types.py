"""data=types: every class in turn, painted anew for each sample, the same after a resume."""

import pytest
import torch

from brainseg.config import ConfigError, check
from brainseg.data import composed_data
from brainseg.data.painted import PaintedData

SMALL = [
    "model=volume_classifier",
    "data=types",
    "data.heads=12",
    "data.val_share=0.34",
    "data.workers=0",
    "volume_classifier.preprocess.spacing_mm=[6,6,6]",
    "volume_classifier.side=32",
    "volume_classifier.batch_size=2",
    "volume_classifier.channels=[4,8]",
]


@pytest.fixture
def types(composed, tmp_path):
    def _types(*overrides: str):
        cfg = composed(*SMALL, f"paths.cache={tmp_path}", *overrides)
        check(cfg)
        data = composed_data(cfg)
        assert isinstance(data, PaintedData)
        data.prepare_data()
        data.setup("fit")
        return data

    return _types


def test_every_class_is_in_every_part_and_every_second_glioma_grows_with_the_painting(types):
    data = types()
    kinds = {part: sorted(t.tumor_type for t in ts) for part, ts in data.templates.items()}
    assert kinds["val"] == ["glioma", "meningioma", "notumor", "pituitary"]
    assert kinds["train"] == sorted(2 * kinds["val"])
    assert [data.grown_in(number) for number in (0, 4, 8)] == ["glioma", "notumor", "glioma"]


def test_samples_are_cubes_that_change_from_epoch_to_epoch_and_repeat_by_their_place(types):
    data = types()
    samples = data.train_samples()
    (cube, target), (again, _), (later, _) = samples[(0, 1)], samples[(0, 1)], samples[(1, 1)]
    assert cube.shape == (4, 32, 32, 32)
    assert target == list(data.recipe.classes).index(data.templates["train"][1].tumor_type)
    assert torch.equal(cube, again)
    assert not torch.equal(cube, later)


def test_some_samples_show_a_part_of_their_sequences(types):
    samples = types().train_samples()
    shown = [samples[(epoch, 0)][0].flatten(1).any(dim=1).sum().item() for epoch in range(8)]
    assert min(shown) >= 1
    assert len(set(shown)) > 1


def test_any_sequence_is_one_channel(types):
    one = "volume_classifier.preprocess.modalities=[any]"
    data = types(one, "volume_classifier.subset_share=0")
    x, y = next(iter(data.val_dataloader()))
    assert x.shape == (1, 1, 32, 32, 32)
    assert x.dtype is torch.float32
    assert y.dtype is torch.int64


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.heads=3", "give a head for each"),
        ("volume_classifier.preprocess.crop=head", "set volume_classifier.preprocess.crop=nonzero"),
    ],
)
def test_what_cannot_be_painted_is_refused(types, override, said):
    with pytest.raises(ConfigError, match=said):
        types(override)
