import pytest

from brainseg.trained import SegmenterModel


@pytest.fixture
def segmenter(small_segmenter):
    """An untrained one of two levels; takes overrides."""
    return lambda *overrides: SegmenterModel.of(small_segmenter(*overrides)).eval()
