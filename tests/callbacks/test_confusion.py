import numpy as np
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from brainseg.callbacks import ConfusionMatrix
from brainseg.callbacks import confusion as module


def test_the_confusion_of_the_test_split_is_drawn(tmp_path, tiny, batches, make_trainer, monkeypatch):
    seen = {}
    monkeypatch.setattr(module, "draw_confusion", lambda m, names, png: seen.update(m=m, names=names))
    tiny.test_confusion = MulticlassConfusionMatrix(2)
    # All 8 samples are gliomas; the model calls one of each batch of two healthy.
    tiny.test_step = lambda batch: tiny.test_confusion.update(torch.tensor([0, 1]), torch.tensor([0, 0]))
    make_trainer(ConfusionMatrix(tmp_path / "confusion.png")).test(tiny, batches, verbose=False)
    np.testing.assert_array_equal(seen["m"], [[4, 4], [0, 0]])
    assert seen["names"] == ["glioma", "notumor"]


def test_a_module_without_confusion_gets_no_picture(tmp_path, tiny, batches, make_trainer):
    make_trainer(ConfusionMatrix(tmp_path / "confusion.png")).test(tiny, batches, verbose=False)
    assert not (tmp_path / "confusion.png").exists()
