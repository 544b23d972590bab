"""What can be asked of train.py on the command line, and what it answers to mistakes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.errors import HydraException

from brainseg.config import ConfigError, check, explain, plain

ROOT = Path(__file__).resolve().parents[2]
MODELS = ["classifier", "skullstripper", "segmenter"]
OPTIONS = {
    group: sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))
    for group in ("data", "trainer", "logger", "experiment")
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("data", [None, "phantom"])
@pytest.mark.parametrize("trainer", OPTIONS["trainer"])
@pytest.mark.parametrize("logger", OPTIONS["logger"])
def test_every_model_composes_with_every_option(composed, model, data, trainer, logger):
    picks = [f"model={model}", f"trainer={trainer}", f"logger={logger}"]
    cfg = composed(*picks, *([f"data={data}"] if data else []))
    check(cfg)
    for section in (model, "data", "trainer", "callbacks", "logger", "menu"):
        plain(cfg[section])  # every interpolation leads somewhere
    assert cfg.task == model


@pytest.mark.parametrize("experiment", OPTIONS["experiment"])
def test_every_experiment_composes(composed, experiment):
    check(composed(f"experiment={experiment}"))


@pytest.mark.parametrize("data", OPTIONS["data"])
def test_every_data_set_that_help_lists_is_whole(composed, data):
    assert composed(f"data={data}").data._target_.startswith("brainseg.data.")


def test_the_classifier_is_trained_unless_another_model_is_named(composed):
    assert composed("classifier.backbone=resnet50").classifier.backbone == "resnet50"


def test_a_smoke_run_is_short_whatever_the_model_asks_for(composed):
    assert composed("model=segmenter", "trainer=smoke").trainer.max_epochs == 1


def test_the_command_line_wins_over_an_experiment(composed):
    cfg = composed("experiment=demo_segmenter", "segmenter.epochs=7", "data=brats")
    assert (cfg.trainer.max_epochs, cfg.data._target_) == (7, "brainseg.data.BraTSVolumes")


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        (
            "classifier.backbnoe=vgg16",
            "classifier.backbnoe: unknown key 'backbnoe'; did you mean classifier.backbone?",
        ),
        (
            "classifier.loss=fcal",
            "classifier.loss: Invalid value 'fcal', expected one of "
            "[categorical_crossentropy, kl_divergence, categorical_hinge]",
        ),
        (
            "classifier.epochs=ten",
            "classifier.epochs: Value 'ten' of type 'str' could not be converted to Integer",
        ),
        (
            "trainer.max_epohcs=3",
            "trainer.max_epohcs: unknown key 'max_epohcs'; did you mean trainer.max_epochs?",
        ),
        ("data.val_shar=3", "data.val_shar: unknown key 'val_shar'; did you mean data.val_share?"),
        ("seed=abc", "seed: Value 'abc' of type 'str' could not be converted to Integer"),
        ("segmenter.epochs=3", "segmenter.* is set, but another model is trained; add model=segmenter"),
        (
            "model=segmentr",
            "model=segmentr: no such model; there are classifier, segmenter, skullstripper, "
            "volume_classifier",
        ),
    ],
)
def test_a_mistake_is_answered_in_one_line_while_composing(composed, override, answer):
    with pytest.raises(HydraException) as error:
        composed(override)
    assert explain(error.value) == answer


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (["classifier.epochs=0"], r"^classifier\.epochs must be at least 1, got 0$"),
        (["classifier.preprocess.size=8"], r"^classifier\.preprocess\.size must be at least 32, got 8$"),
        (
            ["classifier.weights=a.pth"],
            r"^classifier\.weights is a\.pth but pretrained is false; set pretrained=true$",
        ),
        (
            ["classifier.margin_mm=5"],
            r"^classifier\.margin_mm is 5\.0 but preprocess\.stripped is false, so nothing is cut; set ",
        ),
        (["model=segmenter", "segmenter.margin_mm=-1"], r"^segmenter\.margin_mm must be at least 0, got -1"),
        (
            ["classifier.classes=[glioma,cyst]"],
            r"^classifier\.classes takes distinct names out of \['glioma'",
        ),
        (
            ["experiment=demo_segmenter", "model=classifier"],
            r"^segmenter\.\* is set, .* but model=classifier is trained$",
        ),
        (["model=segmenter", "segmenter.patch=[100,96,96]"], r"^segmenter\.patch must be divisible by 16"),
        (
            ["model=segmenter", "segmenter.preprocess.modalities=[flair,t1c]"],
            r"^segmenter\.preprocess\.modalities takes distinct names out of \['t1', 't1ce', 't2', 'flair'\]",
        ),
        (
            ["model=segmenter", "segmenter.preprocess.modalities=[any]"],
            r"^segmenter\.preprocess\.modalities takes distinct names out of \['t1', 't1ce', 't2', 'flair'\]",
        ),
        (
            ["model=skullstripper", "skullstripper.preprocess.modalities=[any,t1]"],
            r"^skullstripper\.preprocess\.modalities takes distinct names",
        ),
        (
            ["model=skullstripper", "skullstripper.preprocess.modalities=[t1,t2]"],
            r"^skullstripper\.preprocess\.modalities takes one sequence",
        ),
        (
            [
                "model=skullstripper",
                "skullstripper.loss=signed_distance",
                "skullstripper.preprocess.spacing_mm=null",
            ],
            r"^skullstripper\.loss=signed_distance measures in mm, but preprocess\.spacing_mm is null",
        ),
        (
            ["model=segmenter", "segmenter.output=regions"],
            r"^segmenter\.loss=dice_ce does not go with output=regions; take one of region_dice_bce, region_",
        ),
        (
            ["model=segmenter", "segmenter.net=unet3d", "segmenter.norm=batch"],
            r"^segmenter\.norm=batch is not for net=unet3d; take one of unet, segresnet, dynunet$",
        ),
        (
            ["model=segmenter", "segmenter.deep_supervision=true"],
            r"^segmenter\.deep_supervision=true needs net=dynunet, unet has one output only$",
        ),
        (
            ["model=segmenter", "segmenter.subsets=any"],
            r"^segmenter\.subset_share is 0\.0 and subsets is any: set both",
        ),
        (
            ["model=segmenter", "segmenter.subsets=[[t1,pd]]", "segmenter.subset_share=0.5"],
            r"^segmenter\.subsets takes distinct names out of \['t1', 't1ce', 't2', 'flair'\]",
        ),
        (
            ["model=segmenter", "segmenter.subsets=flair", "segmenter.subset_share=0.5"],
            r"^segmenter\.subsets takes lists of modalities, or any; got flair$",
        ),
        (["model=segmenter", "segmenter.ema=1.0"], r"^segmenter\.ema must be in \[0, 1\), got 1\.0$"),
        (
            ["model=segmenter", "segmenter.preprocess.spacing_mm=[1,1]"],
            r"^segmenter\.preprocess\.spacing_mm takes three",
        ),
    ],
)
def test_a_value_out_of_bounds_is_named_in_full(composed, overrides, answer):
    with pytest.raises(ConfigError, match=answer):
        check(composed(*overrides))


def _python(code: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


def test_composing_and_checking_load_no_torch():
    code = "import runpy, sys; sys.argv = ['train.py', '--cfg', 'job']; "
    code += "runpy.run_path('train.py', run_name='__main__')"
    done = _python(f"{code}; assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_a_prediction_begins_without_the_libraries_that_only_some_models_need():
    others = "{'timm', 'monai', 'pytorch_lightning', 'torchmetrics', 'torchvision', 'scipy.stats'}"
    done = _python(f"import sys, brainseg.prediction.run; assert not {others} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("override", ["classifier.backbnoe=vgg16", "classifier.epochs=0", "model=segmentr"])
def test_the_command_ends_with_that_one_line_and_exit_code_2(tmp_path, override):
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), override],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def _sweep(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a sweep whose jobs print their name instead of training; none of them is built before."""
    (cwd / "data" / "kaggle").mkdir(parents=True)
    return _python(
        "import sys, types; fake = types.ModuleType('brainseg.training.train');"
        "fake.train = lambda cfg: print('TRAINED', cfg.name) or 0.0;"
        "sys.modules['brainseg.training.train'] = fake;"
        "no_check = types.ModuleType('brainseg.training.preflight');"
        "no_check.preflight = lambda cfg: None; sys.modules['brainseg.training.preflight'] = no_check;"
        f"sys.path.insert(0, {str(ROOT)!r});"
        f"import runpy; sys.argv = ['train.py', *{list(arguments)!r}];"
        f"runpy.run_path({str(ROOT / 'train.py')!r}, run_name='__main__')",
        cwd,
    )


TYPED = [
    "classifier.backbone=vgg16,mobilenetv2_100",
    "classifier.loss=categorical_crossentropy,kl_divergence",
    "classifier.optimizer=adam,sgd",
]


@pytest.mark.parametrize(("arguments", "runs"), [(TYPED, 8), (["experiment=classifier_grid"], 36)])
def test_each_cell_of_a_grid_is_a_run_of_its_own(tmp_path, arguments, runs):
    done = _sweep("-m", *arguments, cwd=tmp_path)
    trained = [line for line in done.stdout.splitlines() if line.startswith("TRAINED")]
    assert len(set(trained)) == len(trained) == runs, done.stderr
    assert len(list(tmp_path.glob("outputs/sweeps/*/backbone=*_loss=*_optimizer=*"))) == runs


def test_the_grid_is_narrowed_from_the_command_line(tmp_path):
    done = _sweep("-m", "experiment=classifier_grid", "classifier.backbone=resnet50", cwd=tmp_path)
    assert done.stdout.count("TRAINED resnet50-") == 9, done.stderr


def test_a_mistake_anywhere_in_a_sweep_stops_it_before_its_first_run(tmp_path):
    done = _sweep("-m", "classifier.loss=kl_divergence,fcal", cwd=tmp_path)
    assert "expected one of" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "TRAINED" not in done.stdout


def test_a_value_out_of_bounds_anywhere_in_a_sweep_stops_it_before_its_first_run(tmp_path):
    done = _sweep("-m", "classifier.epochs=1,2,0", "classifier.loss=kl_divergence", cwd=tmp_path)
    assert done.stderr.startswith("error: classifier.epochs must be at least 1, got 0 (in the job")
    assert done.returncode == 2
    assert "TRAINED" not in done.stdout


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("seed=-1", "seed must be at least 0, got -1"),
        ("seed=4294967296", "seed must be at most 4294967295, got 4294967296"),
        ("menu.optimizer.adamw.lr=-0.1", "menu.optimizer.adamw.lr must be a number from 0 up, got -0.1"),
        ("menu.optimizer.adamw.lr=nan", "menu.optimizer.adamw.lr must be a number from 0 up, got nan"),
        ("menu.optimizer.adamw.lr=ten", "menu.optimizer.adamw.lr must be a number, got ten"),
        ("menu.optimizer.adamw.betas=[0.9,1]", "menu.optimizer.adamw.betas must be in [0, 1), got 1"),
        (
            "menu.scheduler.one_cycle.pct_start=2",
            "menu.scheduler.one_cycle.pct_start must be in [0, 1], got 2",
        ),
        ("trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches must be at least 1, got 0"),
        ("trainer.checkpoint_minutes=-1", "trainer.checkpoint_minutes must be at least 0, got -1.0"),
        ("data.val_share=2", "data.val_share must be in [0, 1), got 2"),
        ("+epochs=3", "+epochs adds a key that nothing reads; set classifier.epochs"),
        ("+classifier.epohcs=3", "+classifier.epohcs adds a key that nothing reads; set classifier.epochs"),
    ],
)
def test_numbers_beside_the_section_of_the_task_have_bounds_too(composed, override, answer):
    with pytest.raises(ConfigError) as error:
        check(composed(override))
    assert str(error.value) == answer


def test_an_entry_that_is_not_chosen_is_not_judged_and_the_trainer_takes_more_keys(composed):
    check(composed("menu.optimizer.sgd.lr=-1", "+trainer.overfit_batches=2", "menu.optimizer.adamw.lr=0"))


def _configs(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "train.py"), "-m", "--cfg", "job", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_configs_of_all_jobs_of_a_sweep_are_shown_and_nothing_is_run(tmp_path):
    done = _configs("--resolve", "seed=1,2", "model=segmenter", "segmenter.epochs=3", cwd=tmp_path)
    assert done.stderr == ""
    first, second = yaml.safe_load_all(done.stdout)
    assert [one["seed"] for one in (first, second)] == [1, 2]
    assert first["trainer"]["max_epochs"] == 3
    assert "hydra" not in first
    assert (first["name"][-7:], second["name"][-7:]) == ("_seed=1", "_seed=2")  # as the sweep names them
    assert first["group"] == second["group"]
    assert done.stdout.count("--- # job ") == 2
    assert list(tmp_path.iterdir()) == []


def test_the_configs_of_a_sweep_in_a_file_are_shown_too_and_mistakes_in_one_line(tmp_path):
    assert _configs("experiment=classifier_grid_small", cwd=tmp_path).stdout.count("--- # job ") == 36
    done = _configs("seed=1,2", "sede=1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: sede: unknown key 'sede'; did you mean seed?\n")
