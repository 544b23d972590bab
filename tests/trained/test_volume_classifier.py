"""The classifier of volumes as prediction needs it."""

import numpy as np
import pytest
import torch

from brainseg.config import ConfigError, check, plain
from brainseg.tasks import VolumeClassifier
from brainseg.trained import VolumeClassifierModel

SMALL = ["volume_classifier.channels=[4,8]", "volume_classifier.side=16"]


@pytest.fixture
def model(composed):
    def _model(*overrides: str) -> VolumeClassifierModel:
        cfg = composed("model=volume_classifier", *SMALL, *overrides)
        check(cfg)
        torch.manual_seed(0)
        made = VolumeClassifierModel.of(plain(cfg.volume_classifier)).eval()
        torch.nn.init.normal_(made.net.out.weight)  # it begins with the same answer to everything
        return made

    return _model


def test_probabilities_are_of_the_classes_and_follow_the_temperature(model):
    one = model()
    image = torch.randn(4, 12, 14, 9)
    p = one.probabilities(image)
    assert p.shape == (4,)
    assert p.sum() == pytest.approx(1)
    one.fitted = {"temperature": 10.0}
    assert one.probabilities(image).max() < p.max(), "a network that was too certain"


def test_sequences_that_are_not_there_are_not_looked_at(model):
    one = model()
    image = torch.randn(4, 12, 14, 9)
    other = image.clone()
    other[[1, 2]] = 99.0
    there = ["t1", "flair"]
    np.testing.assert_array_equal(one.probabilities(image, there), one.probabilities(other, there))
    assert not np.allclose(one.probabilities(image, there), one.probabilities(image)), "a subset is told"
    assert ["t1", "flair"] in one.subsets
    assert len(one.subsets) == 14


def test_a_model_of_any_sequence_takes_one(model):
    one = model("volume_classifier.preprocess.modalities=[any]", "volume_classifier.subset_share=0")
    assert one.probabilities(torch.randn(1, 9, 9, 9), ["t2"]).shape == (4,)
    assert one.subsets == []


def test_where_the_brain_lies_in_its_field_of_view_does_not_matter(model):
    one = model()
    brain = torch.randn(4, 10, 10, 10)
    image = torch.zeros(4, 40, 30, 20)
    image[:, 25:35, 5:15, 8:18] = brain
    np.testing.assert_allclose(one.probabilities(image), one.probabilities(brain), rtol=1e-5)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("volume_classifier.preprocess.spacing_mm=[1,1,3]", "sees cubes"),
        ("volume_classifier.preprocess.spacing_mm=null", "sees cubes"),
        ("volume_classifier.preprocess.modalities=[t1]", "set subset_share=0"),
        ("volume_classifier.preprocess.intensity=landmarks", "set preprocess.intensity=zscore_nonzero"),
        ("volume_classifier.turns=2", "turns must be in"),
        ("volume_classifier.side=8", "side must be at least 16"),
        ("volume_classifier.classes=[glioma,glioma]", "distinct names"),
        ("menu.loss.categorical_crossentropy.class_weights=[1,2]", "the classes are 4"),
        ("menu.loss.categorical_crossentropy.class_weights=[0,0,0,0]", "some of them above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(composed, override, said):
    with pytest.raises(ConfigError, match=said) as caught:
        check(composed("model=volume_classifier", override))
    assert "\n" not in str(caught.value)


def test_classes_can_be_weighted(composed):
    from hydra.utils import instantiate

    from brainseg.config import chosen

    key = "menu.loss.categorical_crossentropy.class_weights"
    loss = instantiate(chosen(composed("model=volume_classifier", f"{key}=[9,1,1,1]"), "loss"))
    even = instantiate(chosen(composed("model=volume_classifier"), "loss"))
    logits, truth = torch.tensor([[0.0, 3, 0, 0], [0.0, 3, 0, 0]]), torch.tensor([0, 1])
    assert loss(logits, truth) > even(logits, truth), "the glioma that was missed counts more"


def test_its_pictures_show_a_sequence_that_is_there(model):
    from brainseg.tasks.volume_classifier import _middle_slice

    cube = torch.zeros(3, 16, 16, 16)
    cube[1, 4:9] = 1.0
    assert _middle_slice(cube).shape == (16, 16)
    assert _middle_slice(cube).any()
    assert issubclass(VolumeClassifier, VolumeClassifierModel)
