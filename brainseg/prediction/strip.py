"""The stage that strips the skull."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray

from brainseg.checkpoint import load_model
from brainseg.config import OTSU, PredictConfig, UserError
from brainseg.config.choices import ANY, Stage
from brainseg.config.gates import GatesConfig
from brainseg.gates.judge import judge_brain, unusual_sizes
from brainseg.images.layouts import Subject
from brainseg.images.volume import Volume
from brainseg.inference import Windows, fill_holes, largest_component, on_host, otsu_brain
from brainseg.prediction.brain import Brain, Mask
from brainseg.prediction.models import landmarks_of, model_file
from brainseg.prediction.network_time import Sizes, Work, work_on_volume
from brainseg.prediction.scans import Scans
from brainseg.prediction.stage import PipelineStage, required
from brainseg.prediction.state import State
from brainseg.preprocess.volumes import prepare_volume
from brainseg.runs.model_record import Member, Method
from brainseg.trained import Model, SkullStripperModel
from brainseg.trained.computing import as_it_predicts


class Stripper(Protocol):
    """A way to find the brain in a head."""

    @property
    def sequence(self) -> str | None:
        """The one that it knows; None where any will do."""

    def brain_in(self, head: Volume, windows: Windows) -> tuple[Mask, NDArray[np.float32]]:
        """Mask and logits (X, Y, Z) on the grid of a head (1, X, Y, Z)."""

    def work(self, sizes: Sizes, windows: Windows) -> list[Work]:
        """What a network has to do for one head, for a forecast."""

    @property
    def networks(self) -> list[SkullStripperModel]:
        """The network that it asks, if any."""


class OtsuStripper:
    """Otsu's threshold, which learns nothing: the student report's baseline."""

    sequence: str | None = None

    def brain_in(self, head: Volume, windows: Windows) -> tuple[Mask, NDArray[np.float32]]:
        mask = otsu_brain(head.data[0], head.grid.spacing_mm)
        return mask, np.where(mask, np.inf, -np.inf).astype(np.float32)

    def work(self, sizes: Sizes, windows: Windows) -> list[Work]:
        return []

    @property
    def networks(self) -> list[SkullStripperModel]:
        return []


@dataclass(frozen=True)
class NetworkStripper:
    """A trained skull stripper."""

    module: SkullStripperModel

    @property
    def sequence(self) -> str | None:
        (known,) = self.module.config.preprocess.modalities
        return None if known == ANY else known

    def brain_in(self, head: Volume, windows: Windows) -> tuple[Mask, NDArray[np.float32]]:
        module = self.module
        prepared = prepare_volume(head, module.config.preprocess, landmarks=landmarks_of(module))
        image = torch.from_numpy(np.ascontiguousarray(prepared.image)).to(module.device)
        with torch.inference_mode(), as_it_predicts(module):
            logits = module.logits(image, windows=windows.at(prepared.origin))
        # Not probabilities: they would pull the edge between two coarse voxels to their middle.
        logit = prepared.undo(on_host(logits).numpy(), nearest=False, outside=-np.inf)[0]
        mask = fill_holes(largest_component(logit > 0))
        return np.asarray(mask, dtype=bool), logit

    def work(self, sizes: Sizes, windows: Windows) -> list[Work]:
        return [work_on_volume(self.module, sizes.head_mm, windows)]

    @property
    def networks(self) -> list[SkullStripperModel]:
        return [self.module]


@dataclass(frozen=True)
class StripStage(PipelineStage):
    """The brain of a head. A scan that came without skull has its own, which is judged all the same."""

    model: Stripper | None
    windows: Windows
    members: Sequence[Member] = ()

    name = Stage.strip
    model_name = "skullstripper"
    makes = "brain mask"

    @classmethod
    def load(cls, options: PredictConfig, device: torch.device) -> Self:
        given, windows = options.skullstripper, Windows.of(options.window, device)
        if given is None:
            return cls(None, windows)
        if given == OTSU:
            return cls(OtsuStripper(), windows, [Method(given)])
        module: Any = load_model(given, device, task=cls.model_name)
        return cls(NetworkStripper(module), windows, [model_file(given, module)])

    @property
    def networks(self) -> Sequence[Model]:
        return [] if self.model is None else self.model.networks

    def needs(self, subject: Subject) -> list[str]:
        assert self.model is not None
        return required(self.model.sequence, subject, "of which the skull stripper learnt")

    def why_left_out(self, state: State) -> str | None:
        if state.came_stripped:
            return "the scan is stripped already; its non-zero voxels are the brain mask"
        return None

    def run(self, state: State) -> State:
        assert self.model is not None
        brain = strip(state.scans, self.model, self.windows)
        if not brain.mask.any():
            raise UserError(f"the skull stripper found no brain in {state.scans.reference}; look at the scan")
        return state.with_outcome(brain)

    def judge(self, state: State, limits: GatesConfig) -> State:
        brain, scans = state.outcome(Brain), state.scans
        if brain is None:
            return state
        mirrored = None
        if brain.logit is None:
            raw = scans.images[scans.reference].data[0] != 0
        else:
            raw = brain.logit > 0
            if limits.flip_agreement is not None:
                assert self.model is not None
                mirrored = strip_mirrored(scans, self.model, self.windows)
        assumed = any(one.assumes_size for one in scans.images[scans.reference].remarks)
        found = judge_brain(brain.mask, raw, mirrored, scans.grid, limits, size_is_assumed=assumed)
        return state.with_gates(found).with_warnings(*unusual_sizes(found, limits))

    def work(self, sizes: Sizes, limits: GatesConfig | None) -> list[Work]:
        if self.model is None or sizes.came_stripped:
            return []
        heads = 1 if self.model.sequence else 1 + sizes.apart
        mirrored = limits is not None and limits.flip_agreement is not None
        return self.model.work(sizes, self.windows) * (heads + mirrored)


def strip(scans: Scans, stripper: Stripper, windows: Windows) -> Brain:
    """The brain of a head, from the one sequence that the stripper knows, else from the reference.

    A stripper of any sequence finds it again in each that lies on a grid of its own, because people move
    between scans. Registered sequences have been moved back, and share the one mask.
    """
    known = stripper.sequence
    mask, logit = stripper.brain_in(scans.on_reference(known or scans.reference), windows)
    apart = [] if known else [n for n in scans.images if scans.difference(n) and not scans.is_registered(n)]
    return Brain(mask, logit, {name: stripper.brain_in(scans.images[name], windows)[0] for name in apart})


def strip_mirrored(scans: Scans, stripper: Stripper, windows: Windows) -> Mask:
    """The brain in the mirror image of the scan that `strip` looks at, left for right, mirrored back."""
    volume = scans.on_reference(stripper.sequence or scans.reference)
    axis = next(n for n, code in enumerate(volume.grid.orientation) if code in "LR")
    mirrored = Volume(np.ascontiguousarray(np.flip(volume.data, axis + 1)), volume.grid)
    return np.flip(stripper.brain_in(mirrored, windows)[0], axis)
