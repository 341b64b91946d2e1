import pytest
import torch
from torch import nn

import legatee
from legatee.errors import TransferError
from surgery_references import differing, scrambled, snapshot
from surgery_zoo import small_resnet


def pair() -> tuple[nn.Module, nn.Module]:
    return scrambled(small_resnet(6), 1), scrambled(small_resnet(4), 2)


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


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
    with pytest.raises(TransferError, match=r"blocks\.1\.conv1\.weight"):
        legatee.inherit(plan, source, target)


# --- undo -----------------------------------------------------------------------------------------


def test_undo_works_once():
    source, target = pair()
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    receipt.undo()
    with pytest.raises(TransferError):
        receipt.undo()


def test_a_refused_second_undo_changes_nothing():
    source, target = pair()
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    receipt.undo()
    scrambled(target, 5)
    before = snapshot(target)
    with pytest.raises(TransferError):
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
    assert receipt.inherited_fraction == pytest.approx(24 / 39)
