"""Synthetic heads for a skull stripper of any contrast, painted anew for every patch."""

from torch import Tensor

from brainseg.config import SkullStripperConfig
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError
from brainseg.data.painted import PaintedData
from brainseg.data.painter import Painter
from brainseg.data.settings import DataSettings
from brainseg.phantom.painting import painted_head
from brainseg.phantom.scanners import Random
from brainseg.phantom.tissues import Tissues


class PaintedHeads(PaintedData):
    """Heads whose contrast, noise, slices and field of view are drawn each time that they are shown."""

    data, task, intensity, crop = "heads", "skullstripper", Intensity.percentile, Crop.head

    def __init__(self, recipe: SkullStripperConfig, settings: DataSettings, heads: int) -> None:
        if not isinstance(recipe, SkullStripperConfig):
            raise ConfigError("data=heads is for model=skullstripper; other models take data=phantom")
        super().__init__(recipe, settings, heads)

    @property
    def painter(self) -> Painter:
        return Painter(one_channel, self.recipe.preprocess)


def one_channel(tissues: Tissues, rng: Random) -> tuple[Tensor, Tensor]:
    """A head of any contrast, image (1, X, Y, Z), with its brain (X, Y, Z)."""
    image, brain = painted_head(tissues, rng)
    return image[None], brain
