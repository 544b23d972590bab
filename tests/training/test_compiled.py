"""trainer.compile: when a network is compiled, and that its weights keep their names and their values."""

import pytest
import torch

from brainseg.callbacks.compiled import LEAST_STEPS, is_wanted
from brainseg.config.errors import ConfigError
from brainseg.tasks import TaskModule
from brainseg.training.train import train

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("choice", "device", "steps", "wanted"),
    [
        (True, CPU, 1, True),
        (False, GPU, 10**6, False),
        ("auto", CPU, 10**6, False),
        ("auto", GPU, LEAST_STEPS, True),
        ("auto", GPU, LEAST_STEPS - 1, False),
        ("auto", GPU, None, True),  # as long as its time allows
    ],
)
def test_it_is_compiled_where_that_pays_or_is_asked_for(choice, device, steps, wanted):
    assert is_wanted(choice, device, steps) is wanted


@pytest.fixture
def stored(composed, tiny, tmp_path):
    """The state of last.ckpt after a tiny training."""

    def _stored(folder, *overrides, task="segmenter"):
        cfg = composed(*tiny(task), "trainer.limit_train_batches=3", "test=false", *overrides)
        cfg.paths.run = str(tmp_path / folder)
        train(cfg)
        path = tmp_path / folder / "checkpoints" / "last.ckpt"
        return torch.load(path, weights_only=True)["state_dict"]

    return _stored


@pytest.fixture
def compiled_parts(monkeypatch):
    """Compile without translating, and keep each part that comes to be translated."""
    whole, parts = TaskModule.compile_net, []

    def kept(graph, inputs):
        parts.append(graph)
        return graph.forward

    monkeypatch.setattr(TaskModule, "compile_net", lambda self: whole(self, kept))
    return parts


@pytest.mark.parametrize("task", ["segmenter", "classifier"])
def test_weights_keep_their_names_and_values(stored, compiled_parts, task, caplog):
    caplog.set_level("INFO", "brainseg")
    plain = stored("plain", task=task)
    assert not compiled_parts
    compiled = stored("compiled", "trainer.compile=true", task=task)
    assert compiled_parts
    assert "compiling the network for a training of " in caplog.text
    assert plain.keys() == compiled.keys()
    assert all(torch.equal(plain[name], compiled[name]) for name in plain)


@pytest.mark.slow
def test_torch_s_own_compiler_learns_the_same_but_for_rounding(stored):
    plain, compiled = stored("plain"), stored("compiled", "trainer.compile=true")
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=0.05, atol=0.01)


def test_without_a_compiler_it_is_said_how_to_go_on(stored, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match="no-such-compiler is not there; install it"):
        stored("none", "trainer.compile=true")
