"""The schema's names and the menus in conf/menu/ say the same, and what they name can be built."""

import inspect
import io

import pytest
import torch
from hydra.utils import get_class, get_object, instantiate

from brainseg.config import choices, chosen, plain

LOSSES = (choices.ClassifierLoss, choices.StripperLoss, choices.SegmentationLoss)
EXAMPLES = {  # model, logits and target of each family
    choices.ClassifierLoss: ("classifier", torch.zeros(2, 4), torch.tensor([0, 3])),
    choices.StripperLoss: ("skullstripper", torch.zeros(1, 1, 4, 4, 4), torch.ones(1, 4, 4, 4).long()),
    choices.SegmentationLoss: ("segmenter", torch.zeros(1, 4, 4, 4, 4), torch.ones(1, 4, 4, 4).long()),
}
NOT_A_USERS = {  # parameters that the training fills in, or that change the speed and not the result
    *("params", "optimizer", "last_epoch"),
    *("foreach", "fused", "capturable", "differentiable"),
    "maximize",  # of the objective: a loss is minimised
}
OUR_OWN = ("_target_", "interval")  # keys of an entry that are no parameters


def entries(composed) -> dict[str, dict]:
    menu = plain(composed("model=skullstripper").menu)
    kinds = ("loss", "optimizer", "scheduler")
    return {f"{kind}.{name}": entry for kind in kinds for name, entry in menu[kind].items() if entry}


def parameters_of(entry: dict) -> list[inspect.Parameter]:
    every = inspect.signature(get_object(entry["_target_"])).parameters.values()
    return [one for one in every if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


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
    if name in [choice.name for choice in choices.REGION_LOSSES]:
        logits = logits[:, :3].detach().requires_grad_()
    loss = instantiate(entry)(logits, target)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad.abs().sum() > 0


def test_every_network_that_can_be_chosen_can_be_built():
    from brainseg.nets.menu import VOLUME_NETS

    assert {choice.name for choice in choices.VolumeNet} == set(VOLUME_NETS)


def test_every_parameter_of_every_entry_stands_in_its_yaml(composed):
    """So that menu.KIND.ENTRY.PARAMETER=VALUE is never an unknown key."""
    for name, entry in entries(composed).items():
        parameters = {one.name for one in parameters_of(entry)}
        assert set(entry) - set(OUR_OWN) == parameters - NOT_A_USERS, name


def test_losses_have_the_same_defaults_in_python_as_on_the_menu(composed):
    compared = 0
    for name, entry in entries(composed).items():
        if entry["_target_"].startswith("brainseg.losses."):
            stated = {
                one.name: one.default
                for one in parameters_of(entry)
                if one.default is not inspect.Parameter.empty
            }
            assert {key: entry[key] for key in stated} == stated, name
            compared += len(stated)
    assert compared >= 29


@pytest.mark.parametrize(
    "override",
    [
        "loss.dice_focal.gamma=3",
        "loss.dice_ce.ce_weight=0.5",
        "optimizer.sgd.momentum=0.9",
        "scheduler.cosine.eta_min=1e-6",
    ],
)
def test_a_parameter_is_tuned_from_the_command_line(composed, override):
    path, value = override.split("=")
    kind, name, key = path.split(".")
    assert composed(f"menu.{override}").menu[kind][name][key] == float(value)


def test_a_list_of_class_weights_reaches_the_loss(composed):
    weights = "menu.loss.dice_focal.class_weights=[0.25,0.25,0.25,0.25]"
    cfg = composed("model=segmenter", "segmenter.loss=dice_focal", weights)
    logits = torch.tensor([50.0, 0, 0, 0]).reshape(1, 4, 1, 1, 1)
    loss = instantiate(chosen(cfg, "loss"))(logits, torch.zeros(1, 1, 1, 1).long())
    assert loss.item() == pytest.approx(0.75, abs=1e-6)  # the weights are not normalised


@pytest.mark.parametrize("name", [choice.name for choice in choices.Optimizer])
def test_every_optimizer_is_built_of_plain_values_that_a_checkpoint_can_hold(composed, name):
    from brainseg.tasks import SkullStripper

    small = ["model=skullstripper", "skullstripper.channels=[2,4]", "skullstripper.patch=[8,8,8]"]
    cfg = composed(*small, f"skullstripper.optimizer={name}", "skullstripper.scheduler=constant")
    parts = {kind: chosen(cfg, kind) for kind in ("loss", "optimizer", "scheduler")}
    optimizer = SkullStripper(plain(cfg.skullstripper), **parts).configure_optimizers()
    assert isinstance(optimizer, get_class(parts["optimizer"]["_target_"]))
    torch.save(optimizer.state_dict(), file := io.BytesIO())
    file.seek(0)
    (group,) = torch.load(file, weights_only=True)["param_groups"]
    assert {key: group[key] for key in ("lr", "weight_decay")} == {
        key: parts["optimizer"][key] for key in ("lr", "weight_decay")
    }
