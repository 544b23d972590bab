"""A network on paper: the names and shapes of its weights, without memory or values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DRAWN = frozenset({"normal_", "uniform_", "random_", "bernoulli_", "exponential_"})


@contextmanager
def on_paper() -> Iterator[None]:
    """Networks that are built meanwhile have shapes only.

    No values are drawn for them: torch would load its compiler and sympy to draw none, which takes longer
    than the network itself.
    """
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves a tensor as it is where random values would be drawn into it."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__name__", "") in _DRAWN:
            return args[0] if args else named["tensor"]  # as torch.nn.init calls it
        return func(*args, **named)
