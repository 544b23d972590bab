"""start_from=MODEL: what comes along from a model, what goes over it, and what is said."""

import pytest
from hydra._internal.utils import get_args_parser

from brainseg.config import ConfigError, check
from brainseg.config.beside import composed
from brainseg.training.beginning import arguments_with_start


def test_network_preparation_and_sequences_come_along_and_are_said(trained, capsys):
    cfg, best = trained("segmenter")
    arguments = arguments_with_start([f"start_from={best}", "data=phantom"])
    made = composed(arguments)
    check(made)
    assert made.task == "segmenter"  # no model= was needed
    for key in ("channels", "patch", "preprocess", "net", "norm", "margin_mm"):
        assert made.segmenter[key] == cfg.segmenter[key], key
    said = capsys.readouterr().out
    assert f"start_from={best} brings along channels=[4,8]" in said
    assert "preprocess.spacing_mm=[6.0,6.0,6.0]" in said or "preprocess.spacing_mm=[6,6,6]" in said
    assert "modalities" not in said  # as they would be anyway


def test_what_is_given_goes_over_it_and_an_experiment_does_not(trained):
    cfg, best = trained("segmenter")
    given = ["experiment=segmenter_fast", f"start_from={best}", "segmenter.patch=[48,48,48]"]
    made = composed(arguments_with_start(given))
    check(made)  # its loss too: regions have other losses than classes
    assert (made.segmenter.channels, made.segmenter.patch) == (cfg.segmenter.channels, [48, 48, 48])
    assert (str(made.segmenter.output), made.segmenter.epochs) == ("classes", 12)


def test_the_folder_of_a_run_stands_for_its_best_checkpoint(trained):
    _, best = trained("classifier")
    made = composed(arguments_with_start([f"start_from={best.parent.parent}", "data=phantom"]))
    assert (made.start_from, made.task, made.classifier.backbone) == (str(best), "classifier", "test_resnet")


def test_a_sweep_of_runs_that_start_from_one_model_is_read_by_hydra(trained):
    _, best = trained("segmenter")
    given = ["-m", f"start_from={best.parent.parent}", "data=phantom", "seed=0,1"]
    found = get_args_parser().parse_args(arguments_with_start(given))
    assert found.multirun
    assert {"seed=0,1", "data=phantom", "model=segmenter"} <= set(found.overrides)
    assert found.overrides[-1] == f"start_from='{best}'"


def test_another_task_is_refused_by_its_cure_and_a_sweep_over_models_stays(trained):
    _, best = trained("segmenter")
    with pytest.raises(ConfigError, match=r"is a segmenter, but model=classifier .* set model=segmenter"):
        arguments_with_start(["model=classifier", f"start_from={best}"])
    several = ["-m", "start_from=a.ckpt,b.ckpt"]
    assert arguments_with_start(several) == several
    assert arguments_with_start(["seed=1"]) == ["seed=1"]
