"""Nothing is made twice, nothing half-written is ever seen."""

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from brainseg.config.errors import StorageError
from brainseg.data.cache import ArrayCache


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "cache")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scan.bin"
    path.write_bytes(b"voxels")
    return path


def test_an_entry_is_made_once(cache):
    made = []

    def make():
        made.append(1)
        return {"x": np.arange(3)}

    for _ in range(2):
        assert cache.get("key", make)["x"].tolist() == [0, 1, 2]
    assert len(made) == 1


def test_arrays_come_back_as_memory_maps_and_writing_into_one_leaves_the_entry_as_it_is(cache):
    x = cache.get("key", lambda: {"x": np.zeros(3)})["x"]
    assert isinstance(x, np.memmap)
    x[0] = 1
    x.flush()
    assert cache.get("key", dict)["x"].tolist() == [0, 0, 0]


def test_the_key_follows_the_content_and_the_settings(cache, file):
    before = cache.key([file], size=64)
    assert cache.key([file], size=64) == before
    assert cache.key([file], size=32) != before
    file.write_bytes(b"other voxels")
    assert cache.key([file], size=64) != before


def test_the_same_content_under_another_name_has_the_same_key(cache, file, tmp_path):
    copy = tmp_path / "copy.bin"
    copy.write_bytes(file.read_bytes())
    assert cache.key([file], size=64) == cache.key([copy], size=64)


def test_a_failure_while_making_leaves_nothing_behind(cache):
    def fail():
        raise OSError("unreadable")

    with pytest.raises(OSError, match="unreadable"):
        cache.get("key", fail)
    assert cache.get("key", lambda: {"x": np.ones(1)})["x"].tolist() == [1]


def test_a_full_disk_while_writing_leaves_nothing_behind(cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", full)
        with pytest.raises(StorageError, match="no space left"):
            cache.get("key", lambda: {"x": np.ones(1)})
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]


def test_processes_that_ask_at_once_all_get_a_whole_entry(cache):
    barrier = threading.Barrier(4)
    seen, made = [], []

    def make():
        made.append(1)  # by one; the others wait
        return {"x": np.arange(10)}

    def ask():
        barrier.wait()
        seen.append(cache.get("key", make)["x"].tolist())

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert seen == [list(range(10))] * 4
    assert made == [1]
    assert not list(cache.folder.rglob(".*"))


class Finalised:
    """Garbage whose collection runs Python, so that another thread may have its turn."""

    def __init__(self):
        self.me = self

    def __del__(self):
        for _ in range(50):
            pass


def test_threads_open_entries_at_once_while_garbage_is_collected(cache):
    """Unguarded, about one in a hundred raised SystemError in Python 3.11.7."""
    cache.get("key", lambda: {"x": np.zeros(3)})

    def opened(_):
        [Finalised() for _ in range(3)]
        return cache.get("key", dict)["x"].shape

    switch, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(3, 5, 5)
    try:
        with ThreadPoolExecutor(8) as pool:
            shapes = list(pool.map(opened, range(2000)))
    finally:
        sys.setswitchinterval(switch)
        gc.set_threshold(*thresholds)
    assert set(shapes) == {(3,)}
