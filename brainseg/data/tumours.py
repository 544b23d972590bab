"""Synthetic tumours for a segmenter of any sequences, grown and painted anew for every patch."""

from functools import partial

from brainseg.config import SegmenterConfig, VolumePreprocess
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError
from brainseg.data.cache import Arrays
from brainseg.data.painted import Paint, PaintedData
from brainseg.data.settings import DataSettings
from brainseg.images.volume import Volume
from brainseg.phantom.painted_tumours import VERSION, paint_tumour
from brainseg.phantom.templates import Template, grid_of
from brainseg.preprocess.volumes import prepare_labels, prepare_volume


class PaintedTumours(PaintedData):
    """Stripped heads in which a tumour is grown anew each time that they are shown, in any contrast."""

    data, task, intensity = "tumours", "segmenter", Intensity.zscore_nonzero
    tumor_share = 0.0  # of the templates: tumours come with the painting

    def __init__(self, recipe: SegmenterConfig, settings: DataSettings, heads: int) -> None:
        if not isinstance(recipe, SegmenterConfig):
            raise ConfigError("data=tumours is for model=segmenter; other models take data=phantom")
        if recipe.cavity:
            raise ConfigError(
                "segmenter.cavity=true, but data=tumours paints no resection cavity; set "
                "segmenter.cavity=false, or data=phantom"
            )
        if recipe.preprocess.crop is Crop.report:
            raise ConfigError(
                "segmenter.preprocess.crop=report cuts files of BraTS, and data=tumours has no files; set "
                "segmenter.preprocess.crop=nonzero"
            )
        super().__init__(recipe, settings, heads)
        self.facts["painting"] = VERSION

    @property
    def paint(self) -> Paint:
        return partial(prepared_tumour, how=self.recipe.preprocess)


def prepared_tumour(template: Template, seed: int, how: VolumePreprocess) -> Arrays:
    """A painted brain as prediction would show it to the network: image (C, X, Y, Z) and truth (X, Y, Z)."""
    images, labels = paint_tumour(template, seed, how.modalities)
    grid = grid_of(labels.shape, template.spacing_mm)
    prepared = prepare_volume(Volume(images, grid), how)
    return {"image": prepared.image, "truth": prepare_labels(Volume(labels[None], grid), prepared)}
