"""Synthetic tumours of every type for a classifier of volumes, painted anew each time that they are shown."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Generator

from brainseg.config import VolumeClassifierConfig
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError
from brainseg.data.cache import Arrays
from brainseg.data.cubes import TrainingCubes, WholeCubes, cube_loaders, drawn_sequences
from brainseg.data.handover import CPU, Handover
from brainseg.data.loader import Samples
from brainseg.data.painted import PaintedData
from brainseg.data.settings import DataSettings
from brainseg.images.volume import Volume
from brainseg.phantom.painted_types import VERSION, paint_type
from brainseg.phantom.templates import Template, grid_of
from brainseg.preprocess.volumes import prepare_volume

Paint = Callable[[Template, int], Arrays]  # the image (C, X, Y, Z) and the class of a template and a seed


class PaintedTypes(PaintedData):
    """Heads with a tumour of each class in turn, in any contrast and in any of the sequences.

    Every second glioma is grown with the painting, in a healthy head.

    Args:
        recipe, settings, heads: As for PaintedData.

    Raises:
        ConfigError: As of PaintedData, or there is no head of a class.
    """

    data, task, intensity = "types", "volume_classifier", Intensity.zscore_nonzero

    def __init__(self, recipe: VolumeClassifierConfig, settings: DataSettings, heads: int) -> None:
        if not isinstance(recipe, VolumeClassifierConfig):
            raise ConfigError("data=types is for model=volume_classifier; other models take data=phantom")
        if recipe.preprocess.crop is not Crop.nonzero:
            raise ConfigError(
                f"volume_classifier.preprocess.crop is {recipe.preprocess.crop}, but data=types paints scans "
                "without skull; set volume_classifier.preprocess.crop=nonzero"
            )
        if heads < len(recipe.classes):
            raise ConfigError(
                f"data.heads is {heads}, but there are {len(recipe.classes)} classes; give a head for each"
            )
        super().__init__(recipe, settings, heads)
        self.facts["painting"] = VERSION

    @property
    def paint(self) -> Paint:
        return partial(prepared_type, recipe=self.recipe)

    def tumor_type_of(self, number: int) -> str:
        """The class whose turn it is."""
        classes = self.recipe.classes
        return classes[number % len(classes)]

    def grown_in(self, number: int) -> str:
        """What grows in a head before it is painted: nothing in every second glioma's."""
        kind, turn = self.tumor_type_of(number), number // len(self.recipe.classes)
        return "notumor" if kind == "glioma" and turn % 2 else kind

    def train_samples(self) -> Samples:
        return PaintedCubes(
            self.templates["train"], self.recipe, self.settings.seed, self.paint, self.handover
        )

    def whole_samples(self, part: str) -> Samples:
        painted = [self.paint(template, k) for k, template in enumerate(self.templates[part])]
        scans = [torch.from_numpy(one["image"]) for one in painted]
        return WholeCubes(scans, [int(one["truth"]) for one in painted], self.recipe.side)

    @cached_property
    def loaders(self) -> int:
        """Loader processes of each part; found once, before any of them takes shared memory."""
        return cube_loaders(self.recipe, self.settings.workers, self.handover)


class PaintedCubes(TrainingCubes):
    """Cubes of heads, each painted for its sample."""

    def __init__(
        self,
        templates: Sequence[Template],
        recipe: VolumeClassifierConfig,
        seed: int,
        paint: Paint,
        handover: Handover = CPU,
    ) -> None:
        targets = [_class_of(template, recipe) for template in templates]
        super().__init__(recipe, targets, seed, handover)
        self.templates, self.paint = templates, paint

    def scan(self, index: int, generator: Generator) -> torch.Tensor:
        seed = int(torch.randint(2**62, (), generator=generator))
        return torch.from_numpy(self.paint(self.templates[index], seed)["image"])


def prepared_type(template: Template, seed: int, recipe: VolumeClassifierConfig) -> Arrays:
    """A painted brain as prediction would show it to the network, and its class.

    The image (C, X, Y, Z) has all sequences or some of them, and is 0 in the channels of the others.
    """
    every = list(recipe.preprocess.modalities)
    shown = drawn_sequences(every, recipe, torch.Generator().manual_seed(seed))
    images = paint_type(template, seed, shown, recipe.margin_mm)
    volume = Volume(images, grid_of(images.shape[1:], template.spacing_mm))
    prepared = prepare_volume(volume, replace(recipe.preprocess, modalities=shown)).image
    image = np.zeros((len(every), *prepared.shape[1:]), dtype=np.float16)
    image[[every.index(name) for name in shown]] = prepared
    return {"image": image, "truth": np.array(_class_of(template, recipe))}


def _class_of(template: Template, recipe: VolumeClassifierConfig) -> int:
    return list(recipe.classes).index(str(template.tumor_type))
