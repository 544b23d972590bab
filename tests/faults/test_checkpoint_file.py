"""A checkpoint is whole or the one before it, and a changed byte is noticed before it is used."""

import errno
import hashlib
import os
import random
import zipfile

import pytest
import torch

from brainseg.checkpoint import load_model, read_checkpoint
from brainseg.config import UserError
from brainseg.config.errors import CheckpointError, ImageError
from brainseg.files import atomic as files
from brainseg.runs import checkpoint_file
from brainseg.runs.checkpoint_file import load_checkpoint, write_checkpoint


def content(value):
    return {"value": value, "weights": torch.full((64,), float(value))}


def test_the_sum_beside_a_checkpoint_is_that_of_its_content(tmp_path):
    write_checkpoint(content(1), tmp_path / "last.ckpt")
    digest = hashlib.sha256((tmp_path / "last.ckpt").read_bytes()).hexdigest()
    assert (tmp_path / "last.ckpt.sha256").read_text() == f"{digest}  last.ckpt\n"


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "best.ckpt"
    write_checkpoint(content(1), path)

    def half(_content, file):
        file.write(b"half")
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # noqa: B904  (as PyTorch's writer ends then)

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(ImageError, match=r"best\.ckpt: not written, no space left on device"):
        write_checkpoint(content(2), path)
    assert load_checkpoint(path)["value"] == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.ckpt", "best.ckpt.sha256"]


def test_a_kill_at_any_step_of_replacing_leaves_one_that_can_be_read(tmp_path, monkeypatch):
    """Each step that changes what lies on the disk is the last one in turn."""
    steps = ["save", "fsync", "replace"]
    read = []
    for last_step in range(20):
        folder = tmp_path / str(last_step)
        write_checkpoint(content(1), folder / "last.ckpt")
        with monkeypatch.context() as patch:
            left = iter(range(last_step))

            def counted(original, left=left):
                def step(*arguments):
                    if next(left, None) is None:
                        raise KeyboardInterrupt
                    return original(*arguments)

                return step

            patch.setattr(torch, "save", counted(torch.save))
            patch.setattr(os, "fsync", counted(os.fsync))
            patch.setattr(os, "replace", counted(os.replace))
            try:
                write_checkpoint(content(2), folder / "last.ckpt")
                break
            except KeyboardInterrupt:
                pass
        read.append(load_checkpoint(folder / "last.ckpt")["value"])
    assert len(read) > len(steps)
    assert read == sorted(read)  # the old one, and from some step on the new one
    assert set(read) == {1, 2}


def test_checkpoints_need_no_room_but_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tempfile.tempdir", None)
    write_checkpoint(content(3), tmp_path / "last.ckpt")
    assert load_checkpoint(tmp_path / "last.ckpt")["value"] == 3


def test_what_a_killed_process_left_is_swept_up_and_nothing_else(tmp_path):
    dead = tmp_path / f".writing-{files.host()}-999999999-0123abcd.last.ckpt"
    mine = tmp_path / f".writing-{files.host()}-{os.getpid()}-0123abcd.last.ckpt"
    far = tmp_path / ".writing-elsewhere-1-0123abcd.last.ckpt"
    for path in (dead, mine, far, tmp_path / "last.ckpt"):
        path.write_text("")
    assert files.sweep_files(tmp_path) == [dead]
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, far.name, "last.ckpt"}
    os.utime(far, (0, 0))
    assert files.sweep_files(tmp_path) == [far]


def flipped(source, target, bit):
    data = bytearray(source.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    target.write_bytes(data)


@pytest.mark.parametrize("with_sum", [True, False])
def test_no_flipped_bit_gives_other_weights(trained, tmp_path, with_sum):
    source = trained("segmenter")[1]
    before = load_checkpoint(source)["state_dict"]
    bits = random.Random(0).sample(range(8 * source.stat().st_size), 60)
    damaged = tmp_path / "best.ckpt"
    if with_sum:
        sums = source.with_name("best.ckpt.sha256")
        damaged.with_name(sums.name).write_bytes(sums.read_bytes())
    found = []
    for bit in bits:
        flipped(source, damaged, bit)
        found.append(weights_or_refusal(damaged))
    refusals = [one for one in found if isinstance(one, str)]
    assert all("best.ckpt" in one and "\n" not in one for one in refusals)
    assert len(refusals) == 60 if with_sum else len(refusals) > 30
    for weights in found:
        assert isinstance(weights, str) or all(
            torch.equal(weights[name], one) for name, one in before.items()
        )


def weights_or_refusal(path):
    try:
        return read_checkpoint(path)["state_dict"]
    except UserError as error:
        return str(error)


def test_a_sum_that_is_none_is_said_and_not_gone_by(tmp_path):
    write_checkpoint(content(1), tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt.sha256").write_text("")
    with pytest.raises(CheckpointError, match=r"last\.ckpt\.sha256: holds no sha256.*; remove"):
        load_checkpoint(tmp_path / "last.ckpt")
    (tmp_path / "last.ckpt.sha256").unlink()
    assert load_checkpoint(tmp_path / "last.ckpt")["value"] == 1


def test_a_checkpoint_that_would_swell_when_it_is_unpacked_is_refused(tmp_path):
    bomb = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(CheckpointError, match=r"its part archive/data\.pkl is compressed"):
        load_model(bomb)


def test_removing_a_checkpoint_removes_its_sum_and_nothing_else(tmp_path):
    write_checkpoint(content(1), tmp_path / "last.ckpt")
    write_checkpoint(content(1), tmp_path / "best.ckpt")
    checkpoint_file.remove_checkpoint(tmp_path / "last.ckpt")
    assert {path.name for path in tmp_path.iterdir()} == {"best.ckpt", "best.ckpt.sha256"}


@pytest.mark.parametrize(
    "form", ["{sum}", "{sum} *last.ckpt", "{upper}  last.ckpt", "\ufeff{sum}  last.ckpt\r"]
)
def test_a_sum_of_another_tool_is_read_too(tmp_path, form):
    write_checkpoint(content(1), tmp_path / "last.ckpt")
    digest = hashlib.sha256((tmp_path / "last.ckpt").read_bytes()).hexdigest()
    text = form.format(sum=digest, upper=digest.upper())
    (tmp_path / "last.ckpt.sha256").write_text(text + "\n", encoding="utf-8")
    assert load_checkpoint(tmp_path / "last.ckpt")["value"] == 1


@pytest.mark.parametrize("beginning", ["version https://git-lfs.github.com/spec/v1", "<!DOCTYPE html>"])
def test_a_file_that_is_no_checkpoint_is_not_accused_of_code(tmp_path, beginning):
    (tmp_path / "best.ckpt").write_text(beginning + " and more")
    with pytest.raises(CheckpointError, match=rf"is no checkpoint: it begins with b'{beginning[:10]}"):
        load_model(tmp_path / "best.ckpt")
