"""A trained network made ready to predict."""

from torch import nn
from torch.fx.experimental.optimization import fuse


def folded(net: nn.Module) -> nn.Module:
    """The same function with each batch norm that follows a convolution made part of it.

    By the means and deviations of training a norm only scales and shifts, as the convolution before it can
    itself. What results also lets go of each feature map once nothing needs it any more. A network without
    batch norms is returned as it is.

    Args:
        net: In evaluation mode; it is left as it was.
    """
    if not any(isinstance(part, nn.BatchNorm3d) for part in net.modules()):
        return net
    return fuse(net)
