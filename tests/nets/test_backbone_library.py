"""timm is loaded without W&B and without torch's compiler, and both can be used afterwards."""

import subprocess
import sys

HEAD = """
import sys
import torch
from brainseg.nets.slice_classifier import SliceClassifier
def said():
    torch.manual_seed(0)
    net = SliceClassifier("mobilenetv2_100", 4).eval()
    with torch.inference_mode():
        print(net(torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)).tolist())
"""


def printed(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", HEAD + program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_backbone_waits_neither_for_wandb_nor_for_the_compiler_and_answers_the_same():
    ours = printed("said(); print([one for one in ('wandb', 'torch._dynamo') if one in sys.modules])")
    theirs = printed("import timm, torch._dynamo; said()")
    assert ours == [*theirs, "[]"]


def test_the_compiler_and_wandb_are_there_afterwards():
    assert printed(
        "SliceClassifier('mobilenetv2_100', 4)\n"
        "import torchvision\n"
        "images, boxes = torch.ones(1, 1, 8, 8), [torch.tensor([[0., 0., 4., 4.]])]\n"
        "print(torchvision.ops.roi_align(images, boxes, 2).sum().item())\n"
        "print(torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item())\n"
        "print(torchvision.ops.roi_align.__globals__['is_compile_supported']('cpu') in (True, False))\n"
        "import torch._dynamo.utils, wandb\n"
        "print(type(torch._dynamo.utils).__name__, hasattr(wandb, 'init'))"
    ) == ["4.0", "2.0", "True", "module True"]


def test_a_network_on_paper_needs_no_compiler_and_has_the_shapes_of_a_real_one():
    assert printed(
        "from brainseg.nets.planned import on_paper\n"
        "real = SliceClassifier('resnet18', 4).state_dict()\n"
        "with on_paper():\n"
        "    plan = SliceClassifier('resnet18', 4).state_dict()\n"
        "print({name: w.shape for name, w in real.items()} == {name: w.shape for name, w in plan.items()})\n"
        "print({w.device.type for w in plan.values()})\n"
        "print([one for one in ('sympy', 'torch._dynamo') if one in sys.modules])"
    ) == ["True", "{'meta'}", "[]"]
