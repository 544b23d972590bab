"""Synthetic heads for a skull stripper of any contrast, painted anew for every patch."""

from functools import partial

import numpy as np

from brainseg.config import SkullStripperConfig, VolumePreprocess
from brainseg.config.choices import Intensity
from brainseg.config.errors import ConfigError
from brainseg.data.cache import Arrays
from brainseg.data.painted import Paint, PaintedData
from brainseg.data.settings import DataSettings
from brainseg.images.volume import Volume
from brainseg.phantom.painting import paint
from brainseg.phantom.templates import Template, grid_of
from brainseg.preprocess.volumes import prepare_labels, prepare_volume


class PaintedHeads(PaintedData):
    """Heads whose contrast, noise, slices and field of view are drawn each time that they are shown."""

    data, task, intensity = "heads", "skullstripper", Intensity.percentile

    def __init__(self, recipe: SkullStripperConfig, settings: DataSettings, heads: int) -> None:
        if not isinstance(recipe, SkullStripperConfig):
            raise ConfigError("data=heads is for model=skullstripper; other models take data=phantom")
        super().__init__(recipe, settings, heads)

    @property
    def paint(self) -> Paint:
        return partial(prepared_head, how=self.recipe.preprocess)


def prepared_head(template: Template, seed: int, how: VolumePreprocess) -> Arrays:
    """A painted head as prediction would show it to the network: image (1, X, Y, Z) and truth (X, Y, Z)."""
    image, brain = paint(template, seed)
    grid = grid_of(image.shape, template.spacing_mm)
    prepared = prepare_volume(Volume(image[None], grid), how)
    return {
        "image": prepared.image,
        "truth": prepare_labels(Volume(brain[None].astype(np.uint8), grid), prepared),
    }
