"""Whatever happens to the cache of prepared scans, no scan is taken for another one or called bad for it."""

import errno
import logging
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from brainseg.config.errors import StorageError
from brainseg.data.cache import ArrayCache
from brainseg.phantom import write_cohort

ENTRY = {"image": np.arange(60, dtype=np.float16).reshape(3, 4, 5), "truth": np.ones((4, 5), np.uint8)}


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "cache")


@pytest.fixture
def entry(cache):
    """The folder of a whole entry."""
    cache.get("key", lambda: ENTRY)
    return cache.folder / "ke" / "key"


@contextmanager
def largest_file(size: int):
    """No file may grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only(monkeypatch):
    """No file can be moved into place, whoever asks: root may write where others may not."""

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        yield


def same(arrays) -> bool:
    return arrays.keys() == ENTRY.keys() and all(np.array_equal(arrays[name], ENTRY[name]) for name in ENTRY)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


DAMAGES = {
    "a truncated array": lambda entry: cut(entry / "image.npy"),
    "an empty array": lambda entry: (entry / "truth.npy").write_bytes(b""),
    "a missing array": lambda entry: (entry / "truth.npy").unlink(),
    "an array of garbage": lambda entry: (entry / "image.npy").write_bytes(bytes(range(256))),
    "an array of another shape": lambda entry: np.save(entry / "image.npy", np.zeros((3, 5, 4), np.float16)),
    "an array of another type": lambda entry: np.save(entry / "image.npy", np.zeros((3, 4, 5), np.int16)),
    "a truncated manifest": lambda entry: cut(entry / "manifest.json"),
    "a manifest of zeros": lambda entry: (entry / "manifest.json").write_bytes(b"\0" * 80),
    "no manifest": lambda entry: (entry / "manifest.json").unlink(),
    "a very deep manifest": lambda entry: (entry / "manifest.json").write_text("[" * 100_000),
    "an empty folder": lambda entry: [path.unlink() for path in entry.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_made_again(cache, entry, damage):
    damage(entry)
    made = []
    assert same(cache.get("key", lambda: made.append(1) or ENTRY))
    assert made == [1]
    assert same(cache.get("key", dict))


def test_no_flipped_bit_of_a_header_or_a_manifest_is_believed(cache, entry):
    rng = np.random.default_rng(0)
    for path, length in ((entry / "image.npy", 128), (entry / "manifest.json", None)):
        good = path.read_bytes()
        for place in rng.choice(len(good[:length]), 40, replace=False):
            bad = bytearray(good)
            bad[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(bad)
            assert same(cache.get("key", lambda: ENTRY)), (path.name, place)


def test_what_lies_in_an_entry_beside_its_arrays_stays_there_and_is_not_taken_for_one(cache, entry):
    np.save(entry / "mine.npy", np.zeros(2))
    cut(entry / "image.npy")
    assert same(cache.get("key", lambda: ENTRY))
    assert (entry / "mine.npy").exists()


@pytest.mark.parametrize("digest", [b"", b"\0" * 64, b"0" * 63, b"F" * 64, b"\xff\xfe", b"a" * 64 + b"\n"])
def test_a_remembered_digest_that_is_none_is_computed_again(cache, tmp_path, digest):
    """Empty ones gave every scan the same key, and training went on with one scan for all."""
    scans = [tmp_path / "a", tmp_path / "b"]
    for scan in scans:
        scan.write_text(scan.name)
    keys = [cache.key([scan]) for scan in scans]
    for memo in (cache.folder / "digests").iterdir():
        memo.write_bytes(digest)
    assert [cache.key([scan]) for scan in scans] == keys
    assert all(len(memo.read_text()) == 64 for memo in (cache.folder / "digests").iterdir())


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (errno.ENOSPC, "make room there"),
        (errno.EDQUOT, "make room there"),
        (errno.EROFS, "make it writable"),
        (errno.EACCES, "make it writable"),
        (None, "make room there"),
    ],
)
def test_a_cache_that_cannot_be_written_is_named_with_its_room_and_the_mend(cache, monkeypatch, code, mend):
    def fail(*_):
        raise OSError(code, os.strerror(code)) if code else OSError("3000 requested and 0 written")  # NumPy's

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(
        StorageError, match=rf"cache: cannot be written, .* MB free\); {mend}, or set paths\.cache=DIR"
    ) as told:
        cache.get("key", lambda: ENTRY)
    assert "\n" not in str(told.value)


def test_a_file_that_the_system_cuts_short_is_no_entry(cache):
    big = {"image": np.zeros(100_000, np.uint8)}
    with largest_file(50_000), pytest.raises(StorageError):
        cache.get("key", lambda: big)
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]
    assert cache.get("key", lambda: big)["image"].shape == (100_000,)


def test_a_read_only_cache_serves_what_it_holds_and_says_once_that_it_cannot_remember(
    cache, entry, monkeypatch, caplog, tmp_path
):
    scans = [tmp_path / "a", tmp_path / "b"]
    for scan in scans:
        scan.write_text(scan.name)
    with read_only(monkeypatch), caplog.at_level(logging.WARNING, "brainseg"):
        assert same(cache.get("key", dict))
        assert len({cache.key([scan]) for scan in scans}) == 2
        with pytest.raises(StorageError, match="read-only file system"):
            cache.get("other", lambda: ENTRY)
    assert [record.message.count("read-only file system") for record in caplog.records] == [1]


@pytest.fixture
def segmenter(composed, tmp_path):
    """A data module of four BraTS phantoms, which would leave bad scans out."""
    from brainseg.data import composed_data

    write_cohort(tmp_path / "brats", layout="brats", subjects=4, seed=1, spacing_mm=8.0)
    cfg = composed(
        "model=segmenter", f"data.root={tmp_path}/brats", "data.workers=0", "data.skip_bad=true",
        "segmenter.preprocess.spacing_mm=[8,8,8]",
    )  # fmt: skip
    return composed_data(cfg)


def test_a_full_disk_in_the_middle_of_preparing_is_no_bad_scan_even_where_bad_scans_may_be_left_out(
    segmenter, monkeypatch
):
    saved, save = [], np.save

    def fill_up(path, array):
        saved.append(path)
        if len(saved) > 8:  # after the label values of all and two of the scans
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(path, array)

    monkeypatch.setattr(np, "save", fill_up)
    with pytest.raises(StorageError, match=r"no space left on device .*paths\.cache=DIR"):
        segmenter.prepare_data()
    monkeypatch.undo()
    segmenter.prepare_data()
    assert len(segmenter.arrays) == 4


def test_too_many_open_files_are_no_bad_scan(segmenter, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    segmenter.prepare_data()
    monkeypatch.setattr(np.lib.format, "open_memmap", refuse)
    with pytest.raises(StorageError, match="too many open files; raise the limit of open files"):
        segmenter.prepare_data()


def test_scans_of_a_damaged_cache_are_prepared_as_they_were(segmenter):
    segmenter.prepare_data()
    before = {name: np.array(arrays["image"]) for name, arrays in segmenter.arrays.items()}
    for number, path in enumerate(sorted(segmenter.cache.folder.rglob("*"))):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: [0, 64, -1][number % 3]])
    shutil.rmtree(next(segmenter.cache.folder.glob("[!d]*")))
    segmenter.prepare_data()
    assert before.keys() == segmenter.arrays.keys()
    assert all(np.array_equal(segmenter.arrays[name]["image"], before[name]) for name in before)


def test_a_slice_that_could_not_be_read_for_a_while_is_not_left_out_for_ever(composed, tmp_path, monkeypatch):
    """Nothing that the cache keeps says that a slice is bad when it can be read."""
    from brainseg.config.errors import ImageError
    from brainseg.data import composed_data, kaggle

    write_cohort(tmp_path / "set", layout="kaggle", subjects=4, seed=1, spacing_mm=8.0, slices_per_subject=3)
    about = ["data=kaggle", "data.split=random", "data.skip_bad=true", "classifier.preprocess.size=32"]
    data = composed_data(composed(*about, f"data.root={tmp_path}/set"))
    read = kaggle.read_slice

    def fail_for_one(path):
        if path.name == "Tr-gl_0001.jpg":
            raise ImageError(f"{path}: too many open files")
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(kaggle, "read_slice", fail_for_one)
        data.prepare_data()
        assert "Training/glioma/Tr-gl_0001.jpg" not in data._slices()["Training"].names
    assert "Training/glioma/Tr-gl_0001.jpg" in data._slices()["Training"].names
