import copy
import json
from contextlib import suppress

import pytest
import torch
from torch import nn

import legatee
from legatee.errors import LegateeError, TransferRefused
from surgery_zoo import (
    ZOO,
    bits,
    cnn,
    differing,
    saved,
    scrambled,
    small_resnet,
    snapshot,
)


def pair() -> tuple[nn.Module, nn.Module]:
    return scrambled(small_resnet(6), 1), scrambled(small_resnet(4), 2)


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


# --- the plan must fit ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        lambda: small_resnet(8),
        lambda: small_resnet(4, classes=7),
        lambda: small_resnet(4, depth=14),
        lambda: small_resnet(4).double(),
        lambda: cnn("4-6"),
    ],
    ids=["width", "classes", "depth", "type", "kind"],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_plan_for_another_architecture_is_refused(side, other):
    same = small_resnet(4)
    plan = legatee.plan(same, small_resnet(4))
    networks = (other(), same) if side == "source" else (same, other())
    before = snapshot(networks[1])
    with pytest.raises(TransferRefused, match=side):
        legatee.inherit(plan, *networks)
    assert differing(before, snapshot(networks[1])) == []


def test_source_and_target_cannot_be_swapped():
    source, target = pair()
    with pytest.raises(TransferRefused):
        legatee.inherit(legatee.plan(source, target), target, source)


def test_a_plan_applies_to_any_network_of_its_architecture():
    plan = legatee.plan(*pair())
    source, target = scrambled(small_resnet(6), 3), scrambled(small_resnet(4), 4)
    legatee.inherit(plan, source, target)
    assert torch.equal(target.norm.running_mean[0], source.norm.running_mean[0])


def test_a_plan_from_a_file_does_the_same():
    source, target = pair()
    plan, again = legatee.plan(source, target), copy.deepcopy(target)
    legatee.inherit(plan, source, target)
    legatee.inherit(legatee.TransferPlan.from_json(plan.to_json()), source, again)
    assert differing(snapshot(target), snapshot(again)) == []


def test_inheriting_twice_is_inheriting_once():
    source, target = pair()
    plan = legatee.plan(source, target, alpha=0.5)
    legatee.inherit(plan, source, target)
    once = snapshot(target)
    legatee.inherit(plan, source, target)
    assert differing(once, snapshot(target)) == []


@pytest.mark.parametrize(
    "forged",
    [
        {"take": ["0:99", "0:5"]},
        {"take": ["0:8", "0:5"], "put": ["0:8", "0:5"]},
        {"put": ["96:100", "0:5"]},
        {"take": ["0:3", "0:5"]},
        {"take": ["0:4"], "put": ["0:4"]},
        {"put": ["0:1,0:1,0:1,0:1", "0:5"]},
        {"source_shape": [5, 6]},
        {"target_shape": [5, 4]},
    ],
    ids=str,
)
def test_a_forged_plan_is_refused_and_nothing_is_written(forged):
    source, target = mlp(6), mlp(4)
    document = json.loads(legatee.plan(source, target).to_json())
    last = document["entries"].pop(0)
    document["entries"].append(last | forged)  # late: the earlier moves are in order
    before = snapshot(target)
    with pytest.raises(LegateeError):
        legatee.inherit(legatee.TransferPlan.from_json(json.dumps(document)), source, target)
    assert differing(before, snapshot(target)) == []


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
    with pytest.raises(TransferRefused, match=r"0\.weight|0\.bias"):
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
    with suppress(LegateeError):  # it may be refused, aloud
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


# --- what is not finite ---------------------------------------------------------------------------


def test_a_target_that_is_not_finite_may_inherit():
    source, target = pair()
    with torch.no_grad():
        target.conv.weight.fill_(float("nan"))
    legatee.inherit(legatee.plan(source, target), source, target)
    assert bool(target.conv.weight.isfinite().all())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_refusal_names_the_tensor_that_is_not_finite(value):
    source, target = pair()
    plan = legatee.plan(source, target)
    with torch.no_grad():
        source.blocks[1].conv1.weight.fill_(value)
    with pytest.raises(TransferRefused, match=r"blocks\.1\.conv1\.weight"):
        legatee.inherit(plan, source, target)


# --- undo -----------------------------------------------------------------------------------------


def test_undo_works_once():
    source, target = pair()
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    receipt.undo()
    with pytest.raises(TransferRefused):
        receipt.undo()


def test_a_refused_second_undo_changes_nothing():
    source, target = pair()
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    receipt.undo()
    scrambled(target, 5)
    before = snapshot(target)
    with pytest.raises(TransferRefused):
        receipt.undo()
    assert differing(before, snapshot(target)) == []


def test_two_transfers_are_undone_in_reverse():
    source, target = pair()
    before = snapshot(target)
    first = legatee.inherit(legatee.plan(source, target, alpha=0.5), source, target)
    between = snapshot(target)
    second = legatee.inherit(legatee.plan(source, target, rule="first"), source, target)
    second.undo()
    assert differing(between, snapshot(target)) == []
    first.undo()
    assert differing(before, snapshot(target)) == []


def test_undo_still_works_after_training():
    source, target = pair()
    plan = legatee.plan(source, target)
    inherited = {move.target for move in plan.moves}
    before = snapshot(target)
    receipt = legatee.inherit(plan, source, target)
    with torch.no_grad():
        for tensor in target.parameters():
            tensor.mul_(1.5)
    receipt.undo()
    assert not inherited & set(differing(before, snapshot(target)))


def test_a_receipt_names_the_plan_it_answers():
    source, target = pair()
    plan = legatee.plan(source, target)
    assert legatee.inherit(plan, source, target).plan_digest == plan.digest


def test_a_receipt_names_the_sources_of_each_tensor():
    source, target = mlp(6), mlp(4)
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    named = {account.target: account.sources for account in receipt.tensors}
    assert named == {
        "0.weight": ("0.weight",),
        "0.bias": ("0.bias",),
        "2.weight": (),
        "2.bias": (),
    }


def test_a_receipt_counts_by_hand():
    """4 of 6 channels: 4 x 5 weights and 4 biases of 24 + 15 elements."""
    source, target = mlp(6), mlp(4)
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    assert receipt.elements == 39
    assert receipt.inherited == pytest.approx(24 / 39)
