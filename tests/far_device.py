"""A stand-in for a GPU: its tensors lie on the CPU, say that they are elsewhere, and refuse to meet others.

So code for a device is shown, without one, to make and to move its tensors where they belong.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

FAR = torch.device("meta")  # any but the CPU would do
# What a GPU takes together with tensors of the CPU: copies and places; sums and the like of single numbers.
_MAY_MEET = {"_to_copy", "copy_", "index", "index_put_", "_index_put_impl_"}
_WITH_NUMBERS = {"add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "rsub", "gt", "ge", "lt", "le"}
_PLACES = {torch.Tensor.__getitem__, torch.Tensor.__setitem__}


class Far(torch.Tensor):
    """A tensor of the device."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> "Far":
        layout = {"strides": here.stride(), "storage_offset": here.storage_offset(), "dtype": here.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, here.shape, device=FAR, **layout)

    def __init__(self, here: torch.Tensor) -> None:
        self.here = here

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _called(function, args, kwargs or {})


@contextmanager
def far_device() -> Iterator[None]:
    """Within it `device=FAR` makes tensors of the device."""
    with _Made(), _Dispatched():
        yield


class _Made(TorchFunctionMode):
    """What is made of Python's numbers is made on the CPU, beside what follows, and then moved."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.tensor and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return torch.tensor(*args, **kwargs).to(device)
        if function is torch.Tensor.tolist and isinstance(args[0], Far):
            return args[0].here.tolist()
        if function in _PLACES and isinstance(args[1], list):
            args = (args[0], torch.tensor(args[1]), *args[2:])
        return function(*args, **kwargs)


class _Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return _called(function, args, kwargs or {})


def _called(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    target = kwargs.get("device")
    if target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    given, shape = tree_flatten((args, kwargs))
    tensors = [one for one in given if isinstance(one, torch.Tensor)]
    far = [one for one in tensors if isinstance(one, Far)]
    near = [one for one in tensors if not isinstance(one, Far)]
    assert not any(one.is_meta for one in near), f"{function} was given a tensor that the stand-in lost"
    _refuse_to_meet(function.overloadpacket.__name__, far, near)
    own = {id(one.here): one for one in far}
    own_args, own_kwargs = tree_unflatten([one.here if isinstance(one, Far) else one for one in given], shape)
    stays_far = bool(far) if target is None else torch.device(target) == FAR

    def wrapped(result: Any) -> Any:
        if not isinstance(result, torch.Tensor):
            return result
        if id(result) in own:
            return own[id(result)]  # changed in place
        return Far(result) if stays_far else result

    return tree_map(wrapped, function(*own_args, **own_kwargs))


def _refuse_to_meet(name: str, far: list[torch.Tensor], near: list[torch.Tensor]) -> None:
    if not far or not near or name in _MAY_MEET:
        return
    if name in _WITH_NUMBERS and not any(one.ndim for one in near):
        return
    raise AssertionError(f"{name} was given tensors of two devices")
