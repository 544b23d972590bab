"""Packed models: the same answers as the checkpoint, and nothing that was changed is loaded."""

import json
import stat

import pytest
import torch

from brainseg.checkpoint import load_model, read_checkpoint
from brainseg.config.errors import CheckpointError
from brainseg.runs.packed_file import contract_of, write_packed


@pytest.fixture(params=["skullstripper", "classifier", "segmenter", "volume_classifier"])
def packed(request, trained, volume_classifier, tmp_path):
    of_volumes = request.param == "volume_classifier"
    checkpoint = volume_classifier() if of_volumes else trained(request.param)[1]
    path = tmp_path / "models" / "model.safetensors"
    write_packed(read_checkpoint(checkpoint), path, {"licence": "CC0-1.0"})
    return checkpoint, path


def test_the_network_is_that_of_the_checkpoint_to_half_precision(packed):
    checkpoint, path = packed
    ours, theirs = load_model(path), load_model(checkpoint)
    assert ours.config == theirs.config
    assert ours.fitted == theirs.fitted
    assert ours.facts == theirs.facts
    for name, weights in theirs.net.state_dict().items():
        found = ours.net.state_dict()[name]
        assert found.dtype == weights.dtype
        assert torch.equal(
            found, weights.half().to(weights.dtype) if weights.is_floating_point() else weights
        )


def test_single_precision_is_kept_to_the_last_bit(trained, tmp_path):
    checkpoint = trained("skullstripper")[1]
    write_packed(read_checkpoint(checkpoint), tmp_path / "m.safetensors", {}, half=False)
    ours, theirs = (load_model(path).net.state_dict() for path in (tmp_path / "m.safetensors", checkpoint))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_number_that_half_precision_does_not_hold_stays_in_single(trained, tmp_path):
    stored = read_checkpoint(trained("skullstripper")[1])
    name = next(name for name, one in stored["state_dict"].items() if one.is_floating_point())
    stored["state_dict"][name].fill_(70_000.0)
    write_packed(stored, tmp_path / "m.safetensors", {})
    assert load_model(tmp_path / "m.safetensors").net.state_dict()[name[4:]].flatten()[0] == 70_000.0


def test_it_names_no_folder_of_the_machine_and_others_may_read_it(packed):
    checkpoint, path = packed
    text = contract_of(path).read_text()
    assert str(checkpoint.parents[2]) not in text
    assert "default_root_dir" not in text
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(contract_of(path).stat().st_mode)


def test_changed_weights_are_refused(packed):
    _, path = packed
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors has changed since it was packed"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda contract: contract.update(schema=2), "no contract of a packed model that this"),
        (lambda contract: contract.pop("weights"), "no contract of a packed model that this"),
        (lambda contract: contract.update(task="painter"), "another task than brainseg's"),
        (lambda contract: contract.update(config=None), "has no 'hyper_parameters'"),
        (lambda contract: contract["weights"].update(sha256=1), "has changed since it was packed"),
    ],
)
def test_a_contract_that_does_not_fit_is_refused_in_one_line(packed, change, said):
    _, path = packed
    contract = json.loads(contract_of(path).read_text())
    change(contract)
    contract_of(path).write_text(json.dumps(contract))
    with pytest.raises(CheckpointError, match=said) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_weights_without_their_contract_are_refused(packed):
    _, path = packed
    contract_of(path).unlink()
    with pytest.raises(CheckpointError, match=r"to which model\.json belongs"):
        load_model(path)
