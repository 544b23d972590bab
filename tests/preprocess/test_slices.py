import numpy as np
import pytest
import torch

from brainseg.config import SlicePreprocess
from brainseg.config.choices import Normalise, SliceCrop
from brainseg.preprocess.slices import network_input, prepare_slice


def how(size=64, crop="head", normalise="imagenet"):
    return SlicePreprocess(size, SliceCrop[crop], Normalise[normalise])


def head(shape=(120, 100), rows=slice(20, 100), columns=slice(30, 70)):
    """A bright rectangle of 80 x 40 on black."""
    image = np.zeros(shape, np.uint8)
    image[rows, columns] = 200
    return image


def extent(image):
    rows, columns = np.nonzero(image > 100)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_the_head_fills_the_square_and_keeps_its_proportions():
    out = prepare_slice(head(), how(size=64))
    assert (out.shape, out.dtype) == ((64, 64), np.uint8)
    assert extent(out) == (64, 32)  # 80 x 40 at 64 / 80
    assert np.abs(out.astype(int) - out[:, ::-1]).max() == 0  # in the middle


def test_without_a_crop_the_field_of_view_keeps_its_proportions():
    out = prepare_slice(head(), how(size=60, crop="none"))
    assert extent(out) == (40, 20)  # 80 x 40 at 60 / 120


def test_letters_at_the_border_do_not_count_as_head():
    image = head()
    image[2:8, 2:20] = 255
    np.testing.assert_array_equal(prepare_slice(image, how()), prepare_slice(head(), how()))


def test_a_head_in_several_parts_is_kept_whole():
    image = head()
    image[40:60] = 0  # the skull of a slice may have gaps
    assert extent(prepare_slice(image, how(size=80))) == (80, 40)


def test_a_black_slice_stays_black():
    assert prepare_slice(np.zeros((30, 40)), how()).tolist() == np.zeros((64, 64)).tolist()


@pytest.mark.parametrize("crop", list(SliceCrop))
def test_a_colour_copy_and_a_volumes_slice_give_what_the_grey_jpeg_gives(crop):
    grey = head()
    colour = np.dstack([grey] * 3)
    expected = prepare_slice(grey, how(crop=crop.name))
    np.testing.assert_array_equal(prepare_slice(colour, how(crop=crop.name)), expected)
    from_volume = prepare_slice(grey.astype(np.float32) * 17.5, how(crop=crop.name)).astype(int)
    # Another scanner's units: the darkest becomes 0 and the brightest 255.
    assert np.abs(from_volume - expected * (255 / 200)).max() <= 1


def test_shrinking_smooths_instead_of_picking_pixels():
    checks = np.indices((128, 128)).sum(axis=0) % 2 * 255
    out = prepare_slice(checks.astype(np.uint8), how(size=32, crop="none"))
    assert np.abs(out[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_imagenet_channels_by_hand_and_unit():
    slices = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    unit = network_input(slices, how(normalise="unit"))
    assert unit.shape == (1, 3, 1, 2)
    assert unit[0, :, 0].tolist() == [[0, 1]] * 3
    scaled = network_input(slices, how(normalise="imagenet"))
    assert scaled[0, :, 0, 0].tolist() == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    assert scaled[0, :, 0, 1].tolist() == pytest.approx([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225])


def test_head_normalisation_is_the_same_for_a_scan_of_half_the_contrast():
    rows = torch.arange(64) % 2 * 100  # 0 and 100 in turn, on a head of 50 and 150
    bright = torch.zeros(1, 64, 64, dtype=torch.uint8)
    bright[0, 16:48, 16:48] = (50 + rows[16:48]).to(torch.uint8)
    dim = (bright.float() / 2).to(torch.uint8)
    wanted = network_input(bright, how(normalise="head"))
    torch.testing.assert_close(network_input(dim, how(normalise="head")), wanted, atol=1e-5, rtol=0)
    assert sorted(wanted[0, 0, 16:48, 16:48].unique().tolist()) == pytest.approx(
        [-1, 1]
    )  # 100 -+ 50, deviation 50


def test_an_empty_slice_stays_finite():
    assert torch.isfinite(
        network_input(torch.zeros(1, 64, 64, dtype=torch.uint8), how(normalise="head"))
    ).all()


@pytest.mark.parametrize(
    ("normalise", "black", "white"),
    [  # of the channels red, green, blue; Keras's caffe turns them round
        ("caffe", [-103.939, -116.779, -123.68], [255 - 103.939, 255 - 116.779, 255 - 123.68]),
        ("tf", [-1, -1, -1], [1, 1, 1]),
        (  # what a pretrained EfficientNetB0 of Keras makes of x / 255
            "double_scaled",
            [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
            [(1 / 255 - 0.485) / 0.229, (1 / 255 - 0.456) / 0.224, (1 / 255 - 0.406) / 0.225],
        ),
    ],
)
def test_keras_s_ranges_by_hand(normalise, black, white):
    scaled = network_input(torch.tensor([[[0, 255]]], dtype=torch.uint8), how(normalise=normalise))
    assert scaled[0, :, 0, 0].tolist() == pytest.approx(black)
    assert scaled[0, :, 0, 1].tolist() == pytest.approx(white)
