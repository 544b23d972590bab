"""Brain-tumour MRI: strip the skull, name the tumour type, outline the tumour."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Large tensors on the processor get huge pages, where the system gives them to those who ask: new memory then
# costs a quarter of the time, and making it is most of what loading volumes does. Read by torch when it first
# allocates.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

if TYPE_CHECKING:
    from brainseg.api import classify, evaluate, load_model, predict

__all__ = ["classify", "evaluate", "load_model", "predict"]


def __getattr__(name: str) -> Any:
    """The functions of `brainseg.api`, which loads torch, so only once one is asked for."""
    if name in __all__:
        return getattr(import_module("brainseg.api"), name)
    raise AttributeError(f"module 'brainseg' has no attribute {name!r}")
