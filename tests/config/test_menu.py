"""The schema's names and the menus in conf/menu/ say the same, and what they name can be built."""

import pytest
import torch
from hydra.utils import get_class, instantiate

from brainseg.config import choices, chosen, plain

LOSSES = (choices.ClassifierLoss, choices.StripperLoss, choices.SegmentationLoss)
EXAMPLES = {  # model, logits and target of each family
    choices.ClassifierLoss: ("classifier", torch.zeros(2, 4), torch.tensor([0, 3])),
    choices.StripperLoss: ("skullstripper", torch.zeros(1, 1, 4, 4, 4), torch.ones(1, 4, 4, 4).long()),
    choices.SegmentationLoss: ("segmenter", torch.zeros(1, 4, 4, 4, 4), torch.ones(1, 4, 4, 4).long()),
}


def test_every_choice_is_on_the_menu_and_every_entry_can_be_chosen(composed):
    menu = composed().menu
    assert {choice.name for kind in LOSSES for choice in kind} == set(menu.loss)
    assert {choice.name for choice in choices.Optimizer} == set(menu.optimizer)
    assert {choice.name for choice in choices.Scheduler} == set(menu.scheduler)


@pytest.mark.parametrize(
    ("family", "name"), [(kind, choice.name) for kind in LOSSES for choice in kind], ids=lambda x: str(x)
)
def test_every_loss_is_a_finite_number_with_a_gradient(composed, family, name):
    model, logits, target = EXAMPLES[family]
    logits = logits.clone().requires_grad_()
    entry = chosen(composed(f"model={model}", f"{model}.loss={name}"), "loss")
    if name.startswith("region_"):
        logits = logits[:, :3].detach().requires_grad_()
    loss = instantiate(entry)(logits, target)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad.abs().sum() > 0


def test_every_network_that_can_be_chosen_can_be_built():
    from brainseg.nets.menu import VOLUME_NETS

    assert {choice.name for choice in choices.VolumeNet} == set(VOLUME_NETS)


def test_every_optimizer_takes_its_settings(composed):
    for entry in plain(composed().menu.optimizer).values():
        assert isinstance(
            instantiate(entry, params=[torch.nn.Parameter(torch.ones(1))]), get_class(entry["_target_"])
        )
