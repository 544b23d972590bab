"""What the tests of gates share."""

import pytest
from hydra import compose, initialize_config_dir

from brainseg.config import check_predict, conf_dir, register_schemas
from brainseg.config.gates import GatesConfig


@pytest.fixture(scope="session")
def limits_of_all() -> GatesConfig:
    register_schemas()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        gates = check_predict(compose("predict", ["input=x", "output=y"])).gates
    assert gates is not None
    return gates
