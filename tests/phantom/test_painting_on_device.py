"""What a device paints is what the CPU paints, but for the grains of its noise."""

import pytest
import torch
from scipy.stats import ks_2samp

from brainseg.phantom import scanners
from brainseg.phantom.painted_tumours import painted_tumour
from brainseg.phantom.painting import painted_head
from brainseg.phantom.scanners import Random, noisy
from brainseg.phantom.templates import make_template
from brainseg.phantom.tissues import tissues_of

from ..far_device import FAR, Far, far_device

HERE = torch.device("cpu")  # with the code of any device
SAMPLES = 200
SEQUENCES = ["t1", "flair"]


@pytest.fixture(scope="module")
def head():
    return tissues_of(make_template(3, 8.0))


@pytest.fixture(scope="module")
def brain():
    return tissues_of(make_template(7, 6.0, 0.0))


def painted(paint, tissues, device):
    return [paint(tissues, Random(seed, device)) for seed in range(SAMPLES)]


def tumour(tissues, rng):
    return painted_tumour(tissues, rng, SEQUENCES)


MOMENTS = {
    "mean": torch.mean,
    "deviation": torch.std,
    "bright": lambda x: x.quantile(0.9),
    "rough": lambda x: x.diff().abs().mean(),
}


def assert_same_distribution(here, there):
    """Each moment of the values of paintings by Kolmogorov's and Smirnov's test; and the histogram of all."""
    for name, moment in MOMENTS.items():
        one, other = ([float(moment(x)) for x in values] for values in (here, there))
        assert ks_2samp(one, other, method="asymp").pvalue > 0.001, name
    edges = torch.linspace(0, 2, 21)
    shares = [torch.histogram(torch.cat(list(x)), edges).hist for x in (here, there)]
    assert (shares[0] / shares[0].sum() - shares[1] / shares[1].sum()).abs().sum() < 0.1


def test_heads_of_a_device_are_distributed_as_those_of_the_cpu(head):
    here, there = (painted(painted_head, head, device) for device in (None, HERE))
    assert_same_distribution(*([x.flatten() for x, _ in made] for made in (here, there)))
    inside, outside = (
        [[image[brain == part] for image, brain in made] for made in (here, there)] for part in (True, False)
    )
    for values in (inside, outside):
        assert_same_distribution(*values)
    # What is drawn after the grains is drawn anew: how much the field of view shows.
    sizes = [torch.tensor([float(brain.numel()) for _, brain in made]) for made in (here, there)]
    assert float(sizes[0].mean() / sizes[1].mean()) == pytest.approx(1, abs=0.05)


def test_tumours_of_a_device_are_those_of_the_cpu_and_so_is_what_is_seen_of_them(brain):
    here, there = (painted(tumour, brain, device) for device in (None, HERE))
    for (_, labels), (_, same) in zip(here, there, strict=True):
        assert torch.equal(labels, same)  # of each seed: nothing of them comes after grains
    for channel in range(len(SEQUENCES)):
        parts = [[image[channel][labels > 0] for image, labels in made] for made in (here, there)]
        together = [[x for x in own if len(x) > 50] for own in parts]
        assert_same_distribution(*together)
        assert_same_distribution(*([x[channel].flatten() for x, _ in made] for made in (here, there)))


def test_grains_are_rician_noise_of_the_same_strength(head):
    flat = torch.full((24, 24, 24), 0.5)
    noise = [
        torch.stack([noisy(flat, 1.0, Random(seed, device)) - flat for seed in range(SAMPLES)])
        for device in (None, HERE)
    ]
    torch.testing.assert_close(noise[1].std(dim=(1, 2, 3)), noise[0].std(dim=(1, 2, 3)), rtol=0.05, atol=1e-4)
    unit = noise[1][noise[1].std(dim=(1, 2, 3)) > 0.01].flatten(1)
    unit = (unit - unit.mean(1, keepdim=True)) / unit.std(1, keepdim=True)
    assert float((unit**4).mean()) == pytest.approx(3, abs=0.1)  # normal, so far above 0


@pytest.mark.parametrize("paint", [painted_head, tumour])
def test_a_painting_of_a_device_is_its_seed_s(paint, head, brain):
    tissues = head if paint is painted_head else brain
    first, again, other = (paint(tissues, Random(seed, HERE)) for seed in (1, 1, 2))
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    assert first[0].shape != other[0].shape or not torch.equal(first[0], other[0])


@pytest.mark.parametrize("paint", [painted_head, tumour])
def test_everything_that_is_painted_lies_on_the_device(paint, head, brain, monkeypatch):
    monkeypatch.setattr(scanners, "Generator", lambda device: torch.Generator())
    tissues = head if paint is painted_head else brain
    for seed in range(25):  # the branches of both
        image, truth = paint(tissues, Random(seed, HERE))
        with far_device():
            there = tissues._replace(
                **{name: getattr(tissues, name).to(FAR) for name in ("parts", "gray", "white", "brain")}
            )
            far_image, far_truth = paint(there, Random(seed, FAR))
        assert isinstance(far_image, Far)
        assert isinstance(far_truth, Far)
        assert torch.equal(far_image.here, image)
        assert torch.equal(far_truth.here, truth)


def test_the_stand_in_for_a_device_refuses_what_a_gpu_refuses():
    with far_device():
        far = torch.ones(3, device=FAR)
        assert isinstance(far + torch.tensor(1.0), Far)  # a single number
        with pytest.raises(AssertionError, match="add was given tensors of two devices"):
            far + torch.ones(3)
