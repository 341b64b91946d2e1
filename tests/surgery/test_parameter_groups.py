import pytest
import torch
from torch import nn

import legatee
from legatee.errors import TransferError
from legatee.surgery.applying.parameter_groups import parameter_groups
from surgery_references import bits, scrambled
from surgery_zoo import ZOO, small_resnet


def pair(alpha: float = 1.0, classes: int = 5) -> tuple[nn.Module, legatee.Receipt]:
    source, target = small_resnet(4), scrambled(small_resnet(4, classes=classes), 2)
    return target, legatee.inherit(legatee.plan(source, target, alpha=alpha), source, target)


def named(groups: list, network: nn.Module) -> dict[str, set[str]]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {group["name"]: {names[id(p)] for p in group["params"]} for group in groups}


def test_every_parameter_is_in_one_group_by_what_was_inherited():
    network, receipt = pair()
    groups = parameter_groups(network, receipt, lr=0.1, inherited_lr=0.01)
    found = named(groups, network)
    assert found["fresh"] == {"head.weight", "head.bias"}  # other classes
    assert found["inherited"] == {n for n, _ in network.named_parameters()} - found["fresh"]
    assert [(group["name"], group["lr"]) for group in groups] == [
        ("inherited", 0.01),
        ("fresh", 0.1),
    ]
    torch.optim.AdamW(groups)  # takes them as they are


def test_what_was_inherited_in_part_learns_with_the_fresh_unless_told_otherwise():
    network, receipt = pair(alpha=0.5)
    groups = parameter_groups(network, receipt, lr=0.1, inherited_lr=0.01)
    rates = {group["name"]: group["lr"] for group in groups}
    assert rates == {"partial": 0.1, "fresh": 0.1}  # no tensor is inherited whole
    groups = parameter_groups(network, receipt, lr=0.1, inherited_lr=0.01, partial_lr=0.05)
    assert {group["name"]: group["lr"] for group in groups} == {"partial": 0.05, "fresh": 0.1}


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW], ids=str)
def test_a_rate_of_0_freezes_bit_for_bit(optimizer):
    network, receipt = pair()
    groups = parameter_groups(network, receipt, lr=0.1, inherited_lr=0)
    assert named(groups, network) == {"fresh": {"head.weight", "head.bias"}}
    before = {name: bits(p) for name, p in network.named_parameters()}
    steps = optimizer(groups, weight_decay=0.1)
    for _ in range(2):
        network(torch.randn(4, 3, 16, 16)).square().sum().backward()
        steps.step()
    moved = {name for name, p in network.named_parameters() if bits(p) != before[name]}
    assert moved == {"head.weight", "head.bias"}


def test_parameters_that_need_no_gradient_are_left_out():
    network, receipt = pair()
    network.conv.requires_grad_(False)
    groups = parameter_groups(network, receipt, lr=0.1, inherited_lr=0.01)
    assert "conv.weight" not in named(groups, network)["inherited"]


def test_tied_parameters_are_in_one_group_once():
    source, target = ZOO["tied"](4), ZOO["tied"](4)
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    groups = parameter_groups(target, receipt, lr=0.1, inherited_lr=0.01)
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) == len(list(target.parameters()))


def test_the_network_may_be_wrapped_meanwhile():
    network, receipt = pair()
    groups = parameter_groups(nn.DataParallel(network), receipt, lr=0.1, inherited_lr=0.01)
    assert named(groups, network)["fresh"] == {"head.weight", "head.bias"}


def test_a_receipt_that_was_read_from_a_file_will_do():
    network, receipt = pair()
    read = legatee.Receipt.from_json(receipt.to_json())
    groups = parameter_groups(network, read, lr=0.1, inherited_lr=0.01)
    assert {group["name"] for group in groups} == {"inherited", "fresh"}


@pytest.mark.parametrize("name", ["lr", "inherited_lr", "partial_lr", "weight_decay"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_negative_rate_is_refused_by_the_name_of_its_argument(name, value):
    network, receipt = pair()
    with pytest.raises(TransferError) as refusal:
        parameter_groups(network, receipt, **({"lr": 1.0, "inherited_lr": 0.5} | {name: value}))
    assert str(refusal.value) == f"{name} is {value}; expected 0 or more"


def test_all_groups_have_the_weight_decay_that_was_asked_for_and_else_none():
    network, receipt = pair()
    rates = {"lr": 0.1, "inherited_lr": 0.01}
    groups = parameter_groups(network, receipt, **rates, weight_decay=0.25)
    assert [group["weight_decay"] for group in groups] == [0.25, 0.25]
    optimizer = torch.optim.AdamW(parameter_groups(network, receipt, **rates), weight_decay=0.5)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.5]


def test_another_network_is_refused():
    _, receipt = pair()
    with pytest.raises(TransferError, match=r"stem\.weight"):
        parameter_groups(ZOO["tied"](4), receipt, lr=0.1, inherited_lr=0.1)
