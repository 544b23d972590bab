"""Several segmenters of one kind, for instance one for each fold, that answer together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from brainseg.config.choices import Flips
from brainseg.config.errors import CheckpointError
from brainseg.config.training import SegmenterConfig
from brainseg.inference import Cleaning, Windows, at_temperatures
from brainseg.trained.segmenter import SegmenterModel, mean_of
from brainseg.trained.validation import best_rule, pooled_rules
from brainseg.trained.volumes import VALIDATION

HARDLY = 0.3  # Dice of the whole tumour, below which an outline says nearly nothing
# What the members must have in common, so that they can be shown one and the same prepared scan.
SHARED = ("preprocess", "output", "cavity", "margin_mm", "subsets")


class Ensemble:
    """The mean of the members' probabilities; one member is an ensemble too.

    What the validation scans said is pooled: each member was judged on scans that it had not seen, and
    together these are all that the members know of how to clean an answer.

    Args:
        members: By the file that each came from.

    Raises:
        CheckpointError: Two members differ in what they must share.
    """

    def __init__(self, members: Mapping[str, SegmenterModel]) -> None:
        self.members = list(members.values())
        first = self.members[0]
        for file, other in members.items():
            if difference := _difference(first, other):
                raise CheckpointError(
                    f"{file} cannot answer together with {next(iter(members))}: their {difference} differ; "
                    "give models of one experiment, or one of them alone"
                )
        self.config: SegmenterConfig = first.config
        self.facts = first.facts
        self.subsets = first.subsets
        self.has_regions = first.has_regions
        self.cavity = first.config.cavity
        self.region_members = first.region_members
        fitted = [member.fitted for member in self.members]
        rules = pooled_rules(fitted)
        if len({len(scores) for scores in rules.values()}) > 1:
            raise CheckpointError(
                f"{list(members)[-1]} cannot answer together with {next(iter(members))}: their cleaning was "
                "scored by different rules; give models of one experiment, or one of them alone"
            )
        self.cleaning: Cleaning = best_rule(rules)
        self.temperatures = {region: _mean_temperature(fitted, region) for region in self.region_members}

    @property
    def device(self) -> torch.device:
        return self.members[0].device

    def probabilities(
        self,
        image_CXYZ: torch.Tensor,
        sequences: Sequence[str] | None = None,
        flips: Flips = Flips.none,
        windows: Windows = VALIDATION,
    ) -> torch.Tensor:
        """As `SegmenterModel.probabilities`."""
        return mean_of(member.probabilities(image_CXYZ, sequences, flips, windows) for member in self.members)

    def decided(self, probabilities_KXYZ: torch.Tensor) -> torch.Tensor:
        return self.members[0].decided(probabilities_KXYZ)

    def regions(self, probabilities_KXYZ: torch.Tensor) -> torch.Tensor:
        """Calibrated probabilities of the regions, (R, X, Y, Z)."""
        temperatures = torch.tensor([self.temperatures[region] for region in self.region_members])
        return at_temperatures(self.members[0].regions(probabilities_KXYZ), temperatures)

    def cost(self, sequences: Sequence[str]) -> float | None:
        """How much less whole-tumour Dice the validation scans had with these sequences than with all."""
        every = "+".join(self.config.preprocess.modalities)
        whole, part = self._validated(every), self._validated("+".join(sequences))
        return None if whole is None or part is None else whole - part

    def hardly_finds(self, sequences: Sequence[str]) -> bool:
        """Whether the validation scans had nearly no Dice of the whole tumour with these sequences."""
        found = self._validated("+".join(sequences))
        return found is not None and found < HARDLY

    def _validated(self, subset: str) -> float | None:
        """The whole tumour's Dice of the validation scans with a subset of the sequences, as "t1+flair"."""
        tables = [member.fitted.get("subsets", {}) for member in self.members]
        found = [table[subset]["whole_tumor"] for table in tables if subset in table]
        return float(np.mean(found)) if found else None


def _difference(one: SegmenterModel, other: SegmenterModel) -> str:
    for name in SHARED:
        if getattr(one.config, name) != getattr(other.config, name):
            return name
    for name in ("label_convention", "landmarks", "regions"):
        if one.facts.get(name) != other.facts.get(name):
            return name.replace("_", " ")
    return ""


def _mean_temperature(fitted: Sequence[Mapping[str, Any]], region: str) -> float:
    """The geometric mean; 1 where a model has seen no validation scan."""
    values = [one["temperatures"][region] if "temperatures" in one else 1.0 for one in fitted]
    return float(np.exp(np.mean(np.log(values))))
