import pytest
import torch

from brainseg.inference import at_temperatures, classes_of_regions, most_probable, region_probabilities

COLUMN = (-1, 1, 1)  # along X


def test_a_region_is_as_likely_as_its_classes_together():
    classes = torch.tensor([0.1, 0.2, 0.3, 0.4]).view(4, 1, 1, 1)  # background, core, edema, enhancing
    assert region_probabilities(classes).flatten().tolist() == pytest.approx([0.9, 0.6, 0.4])


def test_the_innermost_region_that_is_likely_names_the_voxel():
    whole = torch.tensor([0.4, 0.5, 0.9, 0.9, 0.1, 0.1])
    core = torch.tensor([0.4, 0.4, 0.6, 0.9, 0.8, 0.1])
    enhancing = torch.tensor([0.4, 0.4, 0.4, 0.7, 0.2, 0.9])
    probabilities = torch.stack([one.view(COLUMN) for one in (whole, core, enhancing)])
    assert classes_of_regions(probabilities).flatten().tolist() == [0, 2, 1, 3, 1, 3]


def test_a_temperature_of_two_halves_the_logit_and_keeps_one_half():
    p = torch.tensor([0.5, 0.9]).repeat(3, 1)  # the logit of 0.9 is log 9, and half of it that of 0.75
    cooled = at_temperatures(p, torch.tensor([2.0, 1.0, 1.0]))
    assert cooled[0].tolist() == pytest.approx([0.5, 0.75])
    torch.testing.assert_close(cooled[1:], p[1:])


def test_certainty_stays_finite_at_any_temperature():
    p = torch.tensor([0.0, 1.0]).repeat(3, 1)
    cooled = at_temperatures(p, torch.tensor([0.2, 1.0, 10.0]))
    assert torch.isfinite(cooled).all()
    assert (cooled[2, 0], cooled[2, 1]) == (pytest.approx(0.169, abs=1e-3), pytest.approx(0.831, abs=1e-3))


def test_the_most_probable_class_is_argmax_s_and_of_equals_the_first():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randint(0, 4, (4, 9, 8, 7), generator=generator).float()  # many equals
    assert torch.equal(most_probable(probabilities), torch.from_numpy(probabilities.numpy().argmax(0)).byte())


def test_the_cavity_is_a_fourth_region_outside_of_the_tumour():
    classes = torch.tensor([0.1, 0.15, 0.2, 0.25, 0.3]).view(5, 1, 1, 1)  # the last is the cavity
    assert region_probabilities(classes).flatten().tolist() == pytest.approx([0.6, 0.4, 0.25, 0.3])


def test_a_voxel_of_cavity_and_tumour_is_what_is_more_probable():
    whole = torch.tensor([0.1, 0.9, 0.6, 0.2, 0.4, 0.5])
    core = torch.tensor([0.1, 0.2, 0.2, 0.8, 0.1, 0.1])
    enhancing = torch.full((6,), 0.1)
    cavity = torch.tensor([0.7, 0.6, 0.8, 0.7, 0.49, 0.5])
    probabilities = torch.stack([one.view(COLUMN) for one in (whole, core, enhancing, cavity)])
    assert classes_of_regions(probabilities).flatten().tolist() == [4, 2, 4, 1, 0, 2]
