"""timm, loaded without what a backbone does not need.

timm looks for W&B, to log its own trainings, and torchvision for one function of torch's compiler: together
1.8 of the 2.2 seconds that `import timm` takes, measured with timm 1.0 and torchvision 0.25 to 0.26.
"""

import functools
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_COMPILER, _ASKED = "torch._dynamo", "torch._dynamo.utils"  # of which torchvision wants one function


def timm_library() -> Any:
    """The module timm."""
    if "timm" not in sys.modules:
        with _compiler_when_asked(), _absent("wandb"):
            importlib.import_module("timm")
    return sys.modules["timm"]


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """A package that is not loaded cannot be imported meanwhile, as if it were not installed."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say so
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _compiler_when_asked() -> Iterator[None]:
    """Torch's compiler is loaded only once anything of it is used; afterwards it is imported as ever."""
    if _COMPILER in sys.modules:
        yield
        return
    sys.modules.update({name: _WhenAsked(name) for name in (_COMPILER, _ASKED)})
    try:
        yield
    finally:
        _remove_substitutes()


class _WhenAsked(ModuleType):
    """Takes the place of a module that is loaded at the first call of a function, or for any other value."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system itself asks for
            raise AttributeError(name)
        if name == "is_compile_supported":  # torchvision imports it, and calls it where it compiles
            return lambda device: _loaded(_ASKED).is_compile_supported(device)
        if name == "disable":  # a decorator in timm, of functions that hardly any backbone calls
            return _disabled
        return getattr(_loaded(self.__name__), name)


def _disabled(function: Any, recursive: bool = True, *, reason: str | None = None) -> Any:
    """What `torch.compiler.disable` gives, made when it is first called."""

    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        return _loaded(_COMPILER).disable(function, recursive, reason=reason)(*given, **named)

    return call


def _loaded(name: str) -> ModuleType:
    _remove_substitutes()
    return importlib.import_module(name)


def _remove_substitutes() -> None:
    for name in (_COMPILER, _ASKED):
        if isinstance(sys.modules.get(name), _WhenAsked):
            del sys.modules[name]
