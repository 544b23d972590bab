"""Heads and tumours that the device paints: what crosses to it, and that it learns from the same ones."""

import pytest
import torch
from scipy.stats import ks_2samp

from brainseg.augment import on_device
from brainseg.data import composed_data
from brainseg.data.handover import CPU, Handover, moved
from brainseg.data.painted import Unpainted
from brainseg.phantom import scanners

from ..far_device import FAR, Far, far_device

SMALL = ["data.workers=auto", "data.heads=5", "data.val_share=0.2"]
OF = {
    "skullstripper": ["experiment=skullstripper_anycontrast", "skullstripper.patches_per_volume=50"],
    "segmenter": ["experiment=segmenter_tumours", "segmenter.patches_per_volume=50"],
}
THERE = Handover(augment=True)


@pytest.fixture
def painted(composed, monkeypatch):
    """The data module of a task, for a device or for the CPU, on a machine of nine cores."""
    monkeypatch.setattr("brainseg.system.device.threads", lambda: 9)

    def _painted(task, handover, *more):
        tiny = [f"{task}.preprocess.spacing_mm=[6,6,6]", f"{task}.patch=[32,32,32]"]
        data = composed_data(composed(*OF[task], *SMALL, *tiny, *more))
        data.handover = handover
        data.prepare_data()
        data.setup("fit")
        return data

    return _painted


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("task", list(OF))
def test_anatomy_and_a_seed_are_handed_over_by_no_process(painted, task):
    loader = painted(task, THERE).train_dataloader()
    assert loader.num_workers == 0
    (one,) = next(loader.handed_over())
    assert isinstance(one, Unpainted)
    tensors = [part for part in one.tissues if isinstance(part, torch.Tensor)]
    assert {part.element_size() for part in tensors} == {1}
    assert painted(task, CPU).train_dataloader().num_workers == 8


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("task", list(OF))
def test_200_patches_are_distributed_as_those_that_the_cpu_painted(painted, task):
    still = (f"{task}.augment.intensity=0.5",)
    here, there = (
        list(painted(task, handover, *still, "data.workers=0").train_dataloader())
        for handover in (CPU, THERE)
    )
    assert len(here) == len(there) == 200
    assert [part.dtype for part in there[0]] == [torch.float32, torch.int64]
    assert here[0][0].shape == there[0][0].shape
    for moment in (torch.mean, torch.std, torch.amax, lambda x: x.diff(dim=-1).abs().mean()):
        values = [[float(moment(image)) for image, _ in batches] for batches in (here, there)]
        assert ks_2samp(*values, method="asymp").pvalue > 0.001
    shares = [[float((truth > 0).float().mean()) for _, truth in batches] for batches in (here, there)]
    assert ks_2samp(*shares, method="asymp").pvalue > 0.001
    together = [torch.cat([image.flatten() for image, _ in batches]) for batches in (here, there)]
    edges = torch.linspace(float(together[0].min()), float(together[0].max()), 31)
    counts = [torch.histogram(values, edges).hist / len(values) for values in together]
    assert (counts[0] - counts[1]).abs().sum() < 0.1


@pytest.mark.parametrize("task", list(OF))
def test_a_patch_is_its_draw_s_whatever_lies_beside_it(painted, task):
    dataset = painted(task, THERE, "data.workers=0").train_dataloader().dataset
    pair, alone = ([dataset[draw] for draw in draws] for draws in ([(0, 3), (0, 7)], [(0, 7)]))
    image, truth = dataset.finish(pair)
    same, same_truth = dataset.finish(alone)
    torch.testing.assert_close(same[0], image[1], rtol=1e-6, atol=1e-6)
    assert torch.equal(same_truth[0], truth[1])
    later, _ = dataset.finish([dataset[(1, 7)]])
    assert not torch.equal(later, same)


@pytest.mark.parametrize("task", list(OF))
def test_a_batch_is_painted_and_changed_where_its_anatomy_lies(painted, task, monkeypatch):
    for module in (scanners, on_device):
        monkeypatch.setattr(module, "Generator", lambda device=None: torch.Generator())
    changes = [
        f"{task}.augment.{name}=0.7" for name in ("affine", "elastic", "flip", "motion", "intensity", "noise")
    ]
    dataset = painted(task, THERE, *changes, "data.workers=0").train_dataloader().dataset
    for epoch in range(4):
        batch = [dataset[(epoch, 3)], dataset[(epoch, 60)]]
        image, truth = dataset.finish(batch)
        with far_device():
            far_image, far_truth = dataset.finish(moved(batch, FAR))
        assert isinstance(far_image, Far)
        assert isinstance(far_truth, Far)
        torch.testing.assert_close(far_image.here, image)
        assert torch.equal(far_truth.here, truth)
