import copy
import json

import pytest
import torch
from torch import nn

import legatee
from edited_plans import editable
from legatee.errors import LegateeError, TransferError
from surgery_references import differing, scrambled, snapshot
from surgery_zoo import cnn, small_resnet


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
    with pytest.raises(TransferError, match=side):
        legatee.inherit(plan, *networks)
    assert differing(before, snapshot(networks[1])) == []


def test_source_and_target_cannot_be_swapped():
    source, target = pair()
    with pytest.raises(TransferError):
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
    document = editable(legatee.plan(source, target))
    last = document["entries"].pop(0)
    document["entries"].append(last | forged)  # late: the earlier moves are in order
    before = snapshot(target)
    with pytest.raises(LegateeError):
        legatee.inherit(legatee.TransferPlan.from_json(json.dumps(document)), source, target)
    assert differing(before, snapshot(target)) == []
