"""The schemas by the names under which conf/train.yaml and conf/predict.yaml begin with them."""

from hydra.core.config_store import ConfigStore

from brainseg.config.prediction import PredictConfig
from brainseg.config.training import TrainConfig


def register_schemas() -> None:
    """Make the schemas known to Hydra; conf/train.yaml and conf/predict.yaml name them first."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="predict_schema", node=PredictConfig)
