"""Lightning data modules: where training scans come from, how they are split, cached and cut into patches."""

from brainseg.data.brats import BraTSVolumes
from brainseg.data.heads import PaintedHeads
from brainseg.data.kaggle import KaggleSlices
from brainseg.data.lgg import LGGVolumes
from brainseg.data.nfbs import NFBSVolumes
from brainseg.data.phantom import PhantomData
from brainseg.data.registry import composed_data, data_of
from brainseg.data.tumours import PaintedTumours

__all__ = [
    "BraTSVolumes",
    "KaggleSlices",
    "LGGVolumes",
    "NFBSVolumes",
    "PaintedHeads",
    "PaintedTumours",
    "PhantomData",
    "composed_data",
    "data_of",
]
