from collections.abc import Callable
from functools import lru_cache

import pytest

from brainseg.phantom import make_subject
from brainseg.phantom.subject import PhantomSubject


@pytest.fixture(scope="session")
def subject() -> Callable[..., PhantomSubject]:
    """`make_subject` at 4 mm, each subject made once."""

    @lru_cache(maxsize=64)
    def _subject(seed: int, tumor_type: str, **settings: object) -> PhantomSubject:
        return make_subject(seed, tumor_type=tumor_type, **{"spacing_mm": 4.0, **settings})

    return _subject
