"""Loggers that show more of a training than its curves: W&B, TensorBoard, MLflow."""

from brainseg.callbacks.loggers.dashboard import CaseTable, Dashboard, KeptModel, Scored, dashboards
from brainseg.callbacks.loggers.mlflow_dashboard import Mlflow
from brainseg.callbacks.loggers.tensorboard_dashboard import TensorBoard
from brainseg.callbacks.loggers.wandb_dashboard import Wandb

__all__ = ["CaseTable", "Dashboard", "KeptModel", "Mlflow", "Scored", "TensorBoard", "Wandb", "dashboards"]
