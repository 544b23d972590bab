"""The settings of sweepers and launchers: those of conf/ pass, and a wrong one is refused by its full key."""

import pytest
import yaml

from brainseg.config import ConfigError, conf_dir
from brainseg.config.launching import (
    GridSettings,
    ParallelSettings,
    SearchSettings,
    SlurmSettings,
    check_launching,
)

SCHEMAS = {
    "sweeper/grid": GridSettings,
    "sweeper/optuna": SearchSettings,
    "launcher/local_parallel": ParallelSettings,
    "launcher/slurm": SlurmSettings,
}


def checked(name, **given):
    values = yaml.safe_load((conf_dir() / "hydra" / f"{name}.yaml").read_text(encoding="utf-8"))
    for key, value in given.items():
        at, *keys = values, *key.split("__")
        for one in keys[:-1]:
            at = at[one]
        at[keys[-1]] = value
    return check_launching(name.partition("/")[0], SCHEMAS[name], values)


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_stands_in_conf_passes(name):
    assert isinstance(checked(name), SCHEMAS[name])


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("sweeper/grid", {"max_batch_size": "x"}, "hydra.sweeper.max_batch_size: Value 'x'"),
        ("sweeper/grid", {"max_batch_size": 0}, "hydra.sweeper.max_batch_size must be at least 1, got 0"),
        ("sweeper/optuna", {"n_trials": "many"}, "hydra.sweeper.n_trials: Value 'many'"),
        ("sweeper/optuna", {"n_trials": 2.5}, "hydra.sweeper.n_trials: Value '2.5'"),
        ("sweeper/optuna", {"random_trials": -1}, "hydra.sweeper.random_trials must be at least 0"),
        ("sweeper/optuna", {"pruner": "best"}, "hydra.sweeper.pruner: Invalid value 'best'"),
        (
            "sweeper/optuna",
            {"pruner_settings__median__n_startup_trials": "x"},
            "hydra.sweeper.pruner_settings.median.n_startup_trials: Value 'x'",
        ),
        (
            "sweeper/optuna",
            {"pruner_settings__hyperband__reduction_factor": 1},
            "hydra.sweeper.pruner_settings.hyperband.reduction_factor must be at least 2, got 1",
        ),
        (
            "sweeper/optuna",
            {"pruner_settings__hyperband__max_resource": "x"},
            "hydra.sweeper.pruner_settings.hyperband.max_resource must be auto, or a whole number",
        ),
        (
            "sweeper/optuna",
            {"pruner_settings__hyperband__bootstrap_count": 2},
            "hydra.sweeper.pruner_settings.hyperband.bootstrap_count needs a number",
        ),
        ("launcher/local_parallel", {"n_jobs": "two"}, "hydra.launcher.n_jobs: Value 'two'"),
        ("launcher/local_parallel", {"devices": 0}, "hydra.launcher.devices must be a list, as [0,1]"),
        ("launcher/slurm", {"timeout_min": "4h"}, "hydra.launcher.timeout_min: Value '4h'"),
        ("launcher/slurm", {"timeout_min": 2}, "hydra.launcher.signal_delay_s=120 seconds must be less"),
        ("launcher/slurm", {"tasks_per_node": 0}, "hydra.launcher.tasks_per_node must be at least 1"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_full_key(name, given, said):
    with pytest.raises(ConfigError) as refused:
        checked(name, **given)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
