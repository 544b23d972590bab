"""Painted scans are prepared on a device as prediction prepares them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from brainseg.config import VolumePreprocess
from brainseg.config.choices import Crop, Intensity
from brainseg.config.errors import ConfigError, ImageError
from brainseg.images.volume import Volume
from brainseg.phantom.painted_tumours import paint_tumour
from brainseg.phantom.painting import paint
from brainseg.phantom.templates import grid_of, make_template
from brainseg.preprocess.on_device import prepared_tensors
from brainseg.preprocess.volumes import prepare_labels, prepare_volume

from ..far_device import FAR, Far, far_device

SPACING_MM = 4.0
USUAL = VolumePreprocess(["any"], [SPACING_MM] * 3, Intensity.percentile, Crop.head)


@pytest.fixture(scope="module")
def head():
    """A head (1, X, Y, Z) and its brain, more than 8 mm of air around it."""
    image, brain = paint(make_template(0, SPACING_MM), 3)
    return image[None], brain.astype(np.uint8)


@pytest.fixture(scope="module")
def brain():
    """Two sequences of a stripped brain, and its tumour."""
    return paint_tumour(make_template(1, SPACING_MM, 0.0), 5, ["t1", "flair"])


@pytest.mark.parametrize("intensity", [one for one in Intensity if one is not Intensity.landmarks])
@pytest.mark.parametrize("crop", [Crop.none, Crop.nonzero, Crop.head])
@pytest.mark.parametrize("of", ["head", "brain"])
def test_the_same_as_of_a_file(of, crop, intensity, request):
    image, labels = request.getfixturevalue(of)
    names = ["any"] if of == "head" else ["t1", "flair"]
    how = replace(USUAL, modalities=names, intensity=intensity, crop=crop)
    grid = grid_of(labels.shape, SPACING_MM)
    prepared = prepare_volume(Volume(image, grid), how)
    truth = prepare_labels(Volume(labels[None], grid), prepared)
    same, same_truth = prepared_tensors(torch.from_numpy(image), torch.from_numpy(labels), SPACING_MM, how)
    torch.testing.assert_close(same, torch.from_numpy(prepared.image), rtol=1e-4, atol=1e-4)
    assert torch.equal(same_truth, torch.from_numpy(truth))
    with far_device():  # and nothing of it is made elsewhere
        far = prepared_tensors(
            torch.from_numpy(image).to(FAR), torch.from_numpy(labels).to(FAR), SPACING_MM, how
        )
    assert all(isinstance(one, Far) for one in far)
    assert torch.equal(far[0].here, same)


def test_a_channel_of_a_single_value_is_refused(head):
    image, labels = (torch.from_numpy(one) for one in head)
    with pytest.raises(ImageError, match=r"^any: one has a single value .* take another data\.seed$"):
        prepared_tensors(torch.zeros_like(image), labels, SPACING_MM, replace(USUAL, crop=Crop.none))
    mask = (image > 0.1).float()
    with pytest.raises(ImageError, match="a single value"):
        prepared_tensors(mask, labels, SPACING_MM, replace(USUAL, intensity=Intensity.zscore_nonzero))


def test_what_no_painting_has_is_refused(head):
    image, labels = (torch.from_numpy(one) for one in head)
    for other in ({"crop": Crop.report}, {"intensity": Intensity.landmarks}):
        with pytest.raises(ConfigError, match="is not for painted scans"):
            prepared_tensors(image, labels, SPACING_MM, replace(USUAL, **other))
