import pytest

from brainseg.tasks import Segmenter


@pytest.fixture
def segmenter(small_segmenter):
    """An untrained one of two levels; takes overrides."""
    return lambda *overrides: Segmenter(small_segmenter(*overrides)).eval()
