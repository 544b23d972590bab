"""The segmenter: necrotic core, edema, enhancing tumour and resection cavity in skull-stripped sequences."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import torch

from brainseg.config import SegmenterConfig
from brainseg.config.choices import Flips, SegmenterOutput
from brainseg.images.labels import classes_with, regions_with
from brainseg.inference import Windows, classes_of_regions, most_probable, region_probabilities
from brainseg.trained import volumes
from brainseg.trained.base import Batch, Model
from brainseg.trained.validation import fit_segmenter

# The axes of (C, X, Y, Z) that each mirror image is turned along.
MIRRORED: dict[Flips, list[tuple[int, ...]]] = {
    Flips.none: [()],
    Flips.left_right: [(), (1,)],
    Flips.all: [axes for n in range(4) for axes in itertools.combinations((1, 2, 3), n)],
}


def mean_of(tensors: Iterator[torch.Tensor]) -> torch.Tensor:
    """The mean of tensors that come one by one, of which two are held at a time; the first is overwritten."""
    total, n = next(tensors), 1
    for one in tensors:
        total += one
        n += 1
    return total.div_(n)


def _mirror(tensor: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    return tensor.flip(axes) if axes else tensor  # without axes flip copies all the same


class SegmenterModel(Model):
    """Patches (B, C, X, Y, Z), C in the order of `preprocess.modalities`, to logits (B, K, X, Y, Z).

    K is 4 classes, or 3 regions where `output` is regions; with `cavity` one more of each. A model of subsets
    of its sequences also sees which of them there are, as C more channels of 0 or 1; those that are not there
    are 0.
    """

    task = "segmenter"
    schema = SegmenterConfig
    config: SegmenterConfig

    @property
    def region_members(self) -> dict[str, tuple[int, ...]]:
        """The classes of each region that the model tells, in the order of its probabilities."""
        return regions_with(cavity=self.config.cavity)

    @property
    def has_regions(self) -> bool:
        return self.config.output is SegmenterOutput.regions

    @cached_property
    def subsets(self) -> list[list[str]]:
        """The subsets of its sequences that the model is trained for, beside all of them."""
        return self.config.trained_subsets()

    def make_net(self) -> torch.nn.Module:
        modalities = len(self.config.preprocess.modalities)
        return volumes.volume_net(
            self.config,
            in_channels=2 * modalities if self.subsets else modalities,
            out_channels=len(
                self.region_members if self.has_regions else classes_with(cavity=self.config.cavity)
            ),
            norm=str(self.config.norm),
            deep_supervision=self.config.deep_supervision,
        )

    def forward(self, x: torch.Tensor, there: torch.Tensor | None = None) -> torch.Tensor:
        """Logits of patches; `there` (B, C) says which sequences may be seen, None all of them."""
        if self.subsets:
            there = x.new_ones(x.shape[:2]) if there is None else there.to(x)
            planes = there[:, :, None, None, None]
            x = torch.cat([x * planes, planes.expand(x.shape)], dim=1)
        return super().forward(x)

    def logits(
        self,
        image_CXYZ: torch.Tensor,
        sequences: Sequence[str] | None = None,
        windows: Windows = volumes.VALIDATION,
    ) -> torch.Tensor:
        """Logits (K, X, Y, Z) of a whole prepared scan.

        Args:
            image_CXYZ: All channels; those of sequences that are not there are not looked at.
            sequences: Those that are there, one of the trained subsets; None: all.
            windows: How they are laid over the scan.
        """
        there = None if sequences is None else self.presence(sequences)
        return volumes.whole_volume(
            self,
            image_CXYZ,
            windows,
            predict=lambda x: self(x, None if there is None else there.expand(len(x), -1)),
        )

    def probabilities(
        self,
        image_CXYZ: torch.Tensor,
        sequences: Sequence[str] | None = None,
        flips: Flips = Flips.none,
        windows: Windows = volumes.VALIDATION,
    ) -> torch.Tensor:
        """Probabilities (K, X, Y, Z) of classes or regions: the mean over mirror images of the scan."""

        def mirrored(axes: tuple[int, ...]) -> torch.Tensor:
            logits = self.logits(_mirror(image_CXYZ, axes), sequences, windows=windows).float()
            return _mirror(logits.sigmoid() if self.has_regions else logits.softmax(0), axes)

        return mean_of(map(mirrored, MIRRORED[flips]))

    def decided(self, probabilities_KXYZ: torch.Tensor) -> torch.Tensor:
        """The class of each voxel, (X, Y, Z): the likeliest, or by regions from one half on."""
        if self.has_regions:
            return classes_of_regions(probabilities_KXYZ)
        return most_probable(probabilities_KXYZ)

    def regions(self, probabilities_KXYZ: torch.Tensor) -> torch.Tensor:
        """Probabilities of the regions (R, X, Y, Z), whichever of classes and regions the network gives."""
        return probabilities_KXYZ if self.has_regions else region_probabilities(probabilities_KXYZ)

    def classes_of(self, logits_KXYZ: torch.Tensor) -> torch.Tensor:
        """The class of each voxel, (X, Y, Z)."""
        return self.decided(logits_KXYZ.sigmoid() if self.has_regions else logits_KXYZ)

    @torch.no_grad()
    def fit_to_validation(self, batches: Iterable[Batch]) -> dict[str, Any]:
        moved = ([part.to(self.device) for part in batch] for batch in batches)
        return fit_segmenter(self, (case for batch in moved for case in zip(*batch, strict=True)))

    def presence(self, sequences: Sequence[str]) -> torch.Tensor:
        """(1, C): 1 for each sequence that is there."""
        every = self.config.preprocess.modalities
        return torch.tensor([[float(name in sequences) for name in every]], device=self.device)
