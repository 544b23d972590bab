"""Lightning data modules: where training scans come from, how they are split, cached and cut into patches."""

from brainseg.data.brats import BraTSVolumes
from brainseg.data.heads import PaintedHeads
from brainseg.data.kaggle import KaggleSlices
from brainseg.data.nfbs import NFBSVolumes
from brainseg.data.phantom import PhantomData
from brainseg.data.registry import data_of
from brainseg.data.splits import Split

__all__ = ["BraTSVolumes", "KaggleSlices", "NFBSVolumes", "PaintedHeads", "PhantomData", "Split", "data_of"]
