"""Lightning data modules: where training scans come from, how they are split, cached and cut into patches.

What is named here loads Lightning, so only once it is asked for: prediction uses other modules of this room.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainseg.data.brats import BraTSVolumes
    from brainseg.data.heads import PaintedHeads
    from brainseg.data.kaggle import KaggleSlices
    from brainseg.data.lgg import LGGVolumes
    from brainseg.data.nfbs import NFBSVolumes
    from brainseg.data.phantom import PhantomData
    from brainseg.data.registry import composed_data, data_of
    from brainseg.data.tumours import PaintedTumours
    from brainseg.data.typed_volumes import VolumesByType
    from brainseg.data.types import PaintedTypes

__all__ = [
    "BraTSVolumes",
    "KaggleSlices",
    "LGGVolumes",
    "NFBSVolumes",
    "PaintedHeads",
    "PaintedTumours",
    "PaintedTypes",
    "PhantomData",
    "VolumesByType",
    "composed_data",
    "data_of",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("brainseg.data.registry"), name)
    raise AttributeError(f"module 'brainseg.data' has no attribute {name!r}")
