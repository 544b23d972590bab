import gzip

import pytest

from brainseg.files.packed import packed, packing, unpacked


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 4000])
def test_what_is_packed_is_read_by_pythons_gzip_and_comes_back(content, tmp_path):
    assert gzip.decompress(packed(content)) == content
    assert unpacked(gzip.compress(content)) == content
    with packing(tmp_path / "a.gz") as file:
        file.write(content)
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == content


CUT_OFF = packed(b"abc" * 999)[:-9]


@pytest.mark.parametrize("content", [b"no gzip", CUT_OFF, CUT_OFF + bytes(9)])
def test_damage_is_one_kind_of_error(content):
    with pytest.raises(ValueError, match="damaged"):
        unpacked(content)
