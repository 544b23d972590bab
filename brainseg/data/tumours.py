"""Synthetic tumours for a segmenter of any sequences, grown and painted anew for every patch."""

from functools import partial

from brainseg.config import SegmenterConfig
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError
from brainseg.data.painted import PaintedData
from brainseg.data.painter import Painter
from brainseg.data.settings import DataSettings
from brainseg.phantom.painted_tumours import VERSION, painted_tumour


class PaintedTumours(PaintedData):
    """Stripped heads in which a tumour is grown anew each time that they are shown, in any contrast."""

    data, task, intensity, crop = "tumours", "segmenter", Intensity.zscore_nonzero, Crop.nonzero
    tumor_share = 0.0  # of the templates: tumours come with the painting

    def __init__(self, recipe: SegmenterConfig, settings: DataSettings, heads: int) -> None:
        if not isinstance(recipe, SegmenterConfig):
            raise ConfigError("data=tumours is for model=segmenter; other models take data=phantom")
        if recipe.cavity:
            raise ConfigError(
                "segmenter.cavity=true, but data=tumours paints no resection cavity; set "
                "segmenter.cavity=false, or data=phantom"
            )
        super().__init__(recipe, settings, heads)
        self.facts["painting"] = VERSION

    @property
    def painter(self) -> Painter:
        how = self.recipe.preprocess
        return Painter(partial(painted_tumour, sequences=list(how.modalities)), how)
