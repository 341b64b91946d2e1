import copy

import pytest
import torch
from torch import nn

import legatee
from legatee.errors import TransferError
from surgery_references import bits, differing, saved, scrambled, snapshot
from surgery_zoo import ZOO, small_resnet


def pair() -> tuple[nn.Module, nn.Module]:
    return scrambled(small_resnet(6), 1), scrambled(small_resnet(4), 2)


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (torch.float32, torch.float16),
        (torch.float32, torch.bfloat16),
        (torch.float64, torch.float32),
        (torch.bfloat16, torch.float16),
        (torch.float16, torch.bfloat16),
    ],
    ids=str,
)
def test_a_copy_that_would_lose_precision_or_range_is_refused(given, wanted):
    source, target = scrambled(mlp(6), 1), mlp(4).to(wanted)
    with torch.no_grad():
        source[0].weight.fill_(70000.1)  # no float16, no bfloat16
        source[0].bias.fill_(1 + 2**-9)  # no bfloat16
        if given is torch.float64:
            source = source.double()
            source[0].bias.fill_(1 + 2**-40)
    source = source.to(given)
    with torch.no_grad():
        if given is torch.float16:
            source[0].weight.fill_(1 + 2**-9)
    before = snapshot(target)
    with pytest.raises(TransferError, match=r"0\.weight|0\.bias"):
        legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(before, snapshot(target)) == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float64),
        (torch.float16, torch.float64),
    ],
    ids=str,
)
def test_a_copy_into_a_wider_type_is_exact(given, wanted):
    source, target = scrambled(mlp(6), 1).to(given), scrambled(mlp(4), 2).to(wanted)
    legatee.inherit(legatee.plan(source, target, rule="first"), source, target)
    assert target[0].weight.dtype == wanted
    assert torch.equal(target[0].weight.double(), source[0].weight[:4].double())


def test_a_fraction_never_becomes_a_whole_number():
    source, target = mlp(4), mlp(4)
    source.register_buffer("level", torch.tensor([0.5, 1.5]))
    target.register_buffer("level", torch.tensor([3, 4]))
    with pytest.raises(TransferError, match=r"'level'.*float32.*int64"):
        legatee.inherit(legatee.plan(source, target), source, target)
    assert target.level.tolist() == [3, 4]


# --- what a network keeps -------------------------------------------------------------------------


def test_the_memory_format_of_the_target_is_kept():
    source, target = pair()
    target = target.to(memory_format=torch.channels_last)
    strides = {name: tensor.stride() for name, tensor in saved(target).items()}
    legatee.inherit(legatee.plan(source, target), source, target)
    assert strides == {name: tensor.stride() for name, tensor in saved(target).items()}


@pytest.mark.parametrize("side", ["source", "target", "both"])
def test_the_memory_format_changes_no_value(side):
    source, target = pair()
    plan, plain = legatee.plan(source, target), copy.deepcopy(target)
    legatee.inherit(plan, source, plain)
    if side != "target":
        source = source.to(memory_format=torch.channels_last)
    if side != "source":
        target = target.to(memory_format=torch.channels_last)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(snapshot(plain), snapshot(target)) == []


def test_tied_weights_stay_tied():
    source, target = scrambled(ZOO["tied"](6), 1), scrambled(ZOO["tied"](4), 2)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert target.one.weight is target.two.weight


def test_tied_weights_are_counted_once():
    source, target = ZOO["tied"](6), ZOO["tied"](4)
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    assert receipt.elements == sum(p.numel() for p in target.parameters())


def test_undo_keeps_tied_weights_tied():
    source, target = ZOO["tied"](6), ZOO["tied"](4)
    legatee.inherit(legatee.plan(source, target), source, target).undo()
    assert target.one.weight is target.two.weight


def test_parameters_stay_the_same_objects_in_the_same_memory():
    source, target = pair()
    before = {name: (id(t), t.data_ptr()) for name, t in saved(target).items()}
    legatee.inherit(legatee.plan(source, target), source, target)
    assert before == {name: (id(t), t.data_ptr()) for name, t in saved(target).items()}


def test_undo_keeps_parameters_the_same_objects_in_the_same_memory():
    source, target = pair()
    before = {name: (id(t), t.data_ptr()) for name, t in saved(target).items()}
    legatee.inherit(legatee.plan(source, target), source, target).undo()
    assert before == {name: (id(t), t.data_ptr()) for name, t in saved(target).items()}


def test_source_and_target_share_no_memory_afterwards():
    source = scrambled(small_resnet(4), 1)
    target = small_resnet(4)
    legatee.inherit(legatee.plan(source, target), source, target)
    before = snapshot(source)
    with torch.no_grad():
        for tensor in saved(target).values():
            tensor.zero_()
    assert differing(before, snapshot(source)) == []


def test_frozen_parameters_inherit_and_stay_frozen():
    source, target = pair()
    target.conv.requires_grad_(False)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert torch.equal(target.conv.weight[0], source.conv.weight[0])
    assert not target.conv.weight.requires_grad
    assert target.norm.weight.requires_grad


def test_gradients_are_left_alone():
    source, target = pair()
    target(torch.randn(2, 3, 16, 16)).sum().backward()
    before = {name: p.grad.clone() for name, p in target.named_parameters()}
    legatee.inherit(legatee.plan(source, target), source, target)
    assert all(torch.equal(p.grad, before[name]) for name, p in target.named_parameters())


def test_no_graph_is_recorded():
    source, target = pair()
    legatee.inherit(legatee.plan(source, target), source, target)
    assert all(t.grad_fn is None and t.is_leaf for t in saved(target).values())


def test_a_frozen_network_that_was_inherited_from_can_be_trained_on():
    source, target = pair()
    optimizer = torch.optim.SGD(target.parameters(), 0.1)
    legatee.inherit(legatee.plan(source, target), source, target)
    before = snapshot(target)
    target(torch.randn(4, 3, 16, 16)).square().sum().backward()
    optimizer.step()
    assert "conv.weight" in differing(before, snapshot(target))


def test_unsaved_buffers_are_left_alone():
    source, target = ZOO["nonpersistent"](6), ZOO["nonpersistent"](4)
    source.grid.fill_(9)
    before = bits(target.grid)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert bits(target.grid) == before


def test_counters_are_copied_whatever_their_type():
    source, target = ZOO["counters"](4), ZOO["counters"](4)
    source.steps.fill_(2**40 + 1)
    source.ready.fill_(False)
    source.norm.num_batches_tracked.fill_(77)
    legatee.inherit(legatee.plan(source, target), source, target)
    copied = target.steps.item(), target.ready.item(), target.norm.num_batches_tracked.item()
    assert copied == (2**40 + 1, False, 77)
