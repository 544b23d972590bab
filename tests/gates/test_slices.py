"""Lost, shuffled and damaged slices; and what is none of these."""

import numpy as np
import pytest

from brainseg.gates.slices import head_slices, lost_slices, slice_jump, slice_order


@pytest.fixture
def ball() -> np.ndarray:
    """A head of a kind: 100 in a ball of 40 voxels, a little structure in it, 0 around it."""
    axes = np.meshgrid(*(np.arange(64) - 31.5,) * 3, indexing="ij")
    inside = sum(a**2 for a in axes) < 20**2
    ripple = 10 * np.sin(axes[0] / 2) * np.sin(axes[1] / 2) * np.sin(axes[2] / 2)
    return (inside * (100 + ripple)).astype(np.float32)


def test_empty_and_repeated_slices_between_others_are_lost(ball):
    assert lost_slices(head_slices(ball)) == 0
    gone = ball.copy()
    gone[:, 30:33] = 0
    assert lost_slices(head_slices(gone)) == 3
    gone[:, :, 20] = gone[:, :, 21]
    assert lost_slices(head_slices(gone)) == 3  # the worst axis counts, 1 along the other
    gone[:, :, 22:25] = gone[:, :, 21:22]
    assert lost_slices(head_slices(gone)) == 4


@pytest.mark.parametrize("axis", range(3))
def test_padding_beyond_the_head_with_a_speck_in_it_is_no_lost_slice(ball, axis):
    """As in a T1 that FreeSurfer has conformed to 256 cubed."""
    padded = np.pad(ball, [(30, 30) if a == axis else (0, 0) for a in range(3)])
    for at in (0, 9, -1):
        np.moveaxis(padded, axis, 0)[at, 5, 5] = 3
    assert lost_slices(head_slices(padded)) == 0


def test_padding_that_repeats_a_slice_is_no_lost_slice(ball):
    faint = 1 + np.random.default_rng(0).random((64, 64, 1)).astype(np.float32)
    padded = np.concatenate([np.repeat(faint, 8, axis=2), ball], axis=2)
    assert lost_slices(head_slices(padded)) == 0


def test_slices_that_are_more_like_the_next_but_one_lie_in_a_wrong_order(ball):
    assert slice_order(head_slices(ball)) > 0.02
    order = np.arange(64).reshape(2, 32).T.ravel()  # 0, 32, 1, 33, ...
    assert slice_order(head_slices(ball[:, :, order])) < 0


def test_one_wrong_slice_is_a_jump(ball):
    assert slice_jump(head_slices(ball)) < 3
    ball[:, :, 30] = 0
    assert slice_jump(head_slices(ball)) > 10


def test_a_bright_outermost_slice_and_padding_are_no_jump(ball):
    """The blood that flows into the first slice of a stack, and a head that ends in padding."""
    head = ball[:, :, 20:44].copy()
    usual = slice_jump(head_slices(head))
    head[:, :, 0] *= 2
    assert slice_jump(head_slices(head)) == pytest.approx(usual, rel=0.1)
    assert slice_jump(head_slices(np.pad(head, ((0, 0), (0, 0), (9, 9))))) == pytest.approx(usual, rel=0.1)


def test_an_empty_scan_has_no_lost_slices_and_no_jump():
    rows = head_slices(np.zeros((9, 9, 9), np.float32))
    assert (lost_slices(rows), slice_jump(rows), slice_order(rows)) == (27 // 3, 0.0, 1.0)
