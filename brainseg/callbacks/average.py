"""An exponential mean of the weights."""

from pytorch_lightning.callbacks import EMAWeightAveraging


def weight_average(decay: float | None) -> EMAWeightAveraging | None:
    """Lightning's exponential mean of the weights, which is validated and kept in their place; None without.

    A checkpoint holds the mean and, to go on from, the weights themselves.
    """
    return None if decay is None else EMAWeightAveraging(decay=decay)
