"""The key that was meant is named in full, whatever was typed in its place."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from brainseg.config import conf_dir, explain, register_schemas
from brainseg.config.backbones import refuse_unknown_backbone, registered, unknown_backbone
from brainseg.config.errors import ConfigError

MEANT = [
    (["epochs=2"], "classifier.epochs"),
    (["epochs=2", "model=segmenter"], "segmenter.epochs"),
    (["backbone=resnet50"], "classifier.backbone"),
    (["backbone=resnet50", "model=segmenter"], "segmenter.net"),
    (["lr=1"], "menu.optimizer.adamw.lr"),
    (["lr=1", "classifier.optimizer=sgd"], "menu.optimizer.sgd.lr"),
    (["lr=1", "experiment=demo_segmenter"], "menu.optimizer.adamw.lr"),
    (["learning_rate=1", "model=skullstripper"], "menu.optimizer.adamw.lr"),
    (["classifier.lr=1"], "menu.optimizer.adamw.lr"),
    (["optimizer.lr=1"], "menu.optimizer.adamw.lr"),
    (["image_size=64"], "classifier.preprocess.size"),
    (["image_size=64", "model=segmenter"], "segmenter.patch"),
    (["classfier.epochs=2"], "classifier.epochs"),
    (["classifier.seed=2"], "seed"),
    (["loss=dice"], "classifier.loss"),
    (["modle=segmenter"], "model"),
    (["loger=wandb"], "logger"),
    (["gpus=1"], "trainer.devices"),
    (["root=/data"], "data.root"),
    (["momentum=1"], "menu.optimizer.sgd.momentum with classifier.optimizer=sgd"),
    (["data.subjects=3"], "data.subjects with data=phantom"),
    (["data.subjets=3"], "data.subjects with data=phantom"),
    (["logger.wandb.project=x"], "logger.wandb.project with logger=wandb"),
    (["hydra.job.nam=x"], "hydra.job.name"),
]


def said(*overrides: str, program: str = "train") -> str:
    register_schemas()
    with (
        pytest.raises(HydraException) as error,
        initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())),
    ):
        compose(program, list(overrides))
    return explain(error.value, overrides)


@pytest.mark.parametrize(("overrides", "meant"), MEANT, ids=[" ".join(one) for one, _ in MEANT])
def test_the_key_that_was_meant_is_named_in_full(overrides, meant):
    given = overrides[0].partition("=")[0]
    answer = said(*overrides)
    assert answer.startswith(f"{given}: unknown key ")
    assert answer.endswith(f"; did you mean {meant}?")


@pytest.mark.parametrize(
    ("override", "meant"),
    [("inputs=x", "input"), ("tta=all", "window.flips"), ("windows.overlap=0.2", "window.overlap")],
)
def test_the_same_holds_for_a_prediction(override, meant):
    assert said(override, program="predict").endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("classifier.optimizer.lr=1", "has no keys within; did you mean menu.optimizer.adamw.lr?"),
        ("zzzqqq=1", "zzzqqq: unknown key 'zzzqqq'; known there: callbacks, classifier, data, "),
        ("epochs", "epochs: is no setting; write key=value"),
        ("pipeline=report", "pipeline: nothing is chosen by this here; leave it out"),
    ],
)
def test_other_mistakes_are_answered_in_their_own_words(override, answer):
    assert answer in said(override)


def test_the_names_of_backbones_are_those_of_the_installed_timm_without_loading_it():
    names, others = registered()
    import timm

    assert names == set(timm.list_models())
    known = set(timm.models._registry._model_entrypoints)  # old names too
    assert known <= names | others


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("mobilenet_v2", "mobilenetv2"), ("ResNet-50", "resnet50"), ("efficientnetb0", "efficientnet_b0")],
)
def test_a_backbone_by_another_spelling_is_known(typed, meant):
    with pytest.raises(ConfigError, match=rf"backbone '{typed}' is unknown to timm; did you mean {meant}\?$"):
        refuse_unknown_backbone(typed)


@pytest.mark.parametrize("name", ["vgg16", "mobilenetv2", "resnet50.a1_in1k", "convnext_base_in22k"])
def test_a_backbone_that_timm_can_build_is_not_refused(name):
    refuse_unknown_backbone(name)


def test_a_name_like_no_other_is_told_where_the_names_are():
    assert unknown_backbone("qqqqq", frozenset({"vgg16"})).endswith("timm.list_models() lists what there is")
