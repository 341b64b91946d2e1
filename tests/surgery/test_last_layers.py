"""The last layer of one network where it is, or is not, a layer like others in another one."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import legatee
from surgery_references import outputs, saved, scrambled, spread


def body(width: int) -> nn.Sequential:
    """A backbone whose last layer, with its norm, nothing reads."""
    layers = [nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, width, 3), nn.BatchNorm2d(width), nn.ReLU())


class Whole(nn.Module):
    """The backbone with a head behind it."""

    def __init__(self, width: int):
        super().__init__()
        self.backbone = body(width)
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        return self.head(self.backbone(x).mean((2, 3)))


class Other(nn.Module):
    """Another network that calls its last layer, or its hidden one, ``fc``."""

    def __init__(self, stem: str, inner: int, more: bool):
        super().__init__()
        self.add_module(stem, nn.Conv2d(3, 8, 3))
        self.stem_name = stem
        self.fc = nn.Linear(8, inner)
        self.out = nn.Linear(inner, 5) if more else nn.Identity()

    def forward(self, x):
        return self.out(self.fc(self.get_submodule(self.stem_name)(x).relu().mean((2, 3))))


def taken(plan: legatee.TransferPlan) -> set[str]:
    return {move.target for move in plan.moves}


@pytest.mark.parametrize("match", [None, "roles"])
def test_the_last_layer_of_a_backbone_is_inherited_where_it_is_read_on(match):
    source, target = scrambled(body(8), 1), scrambled(Whole(8), 2)
    plan = legatee.plan(source, target, match=match)
    assert taken(plan) == {name for name in saved(target) if name.startswith("backbone")}
    legatee.inherit(plan, source, target)
    assert torch.equal(outputs(source, (3, 8, 8)), outputs(target.backbone, (3, 8, 8)))


def test_a_plan_says_that_what_the_source_shows_is_read_on():
    (warning,) = legatee.plan(body(8), Whole(8)).warnings
    assert warning == (
        "'backbone.3.weight' is the source's output layer but a hidden layer of the target; "
        "check that it is not a classification head"
    )


def test_a_narrower_backbone_takes_evenly_spread_channels_of_the_last_layer():
    source, target = scrambled(body(12), 1), scrambled(Whole(8), 2)
    legatee.inherit(legatee.plan(source, target), source, target)
    kept = spread(12, 8)
    assert torch.equal(target.backbone[3].weight, source[3].weight[kept][:, kept])
    assert torch.equal(target.backbone[4].running_var, source[4].running_var[kept])


def test_a_layer_that_is_hidden_in_the_source_shows_no_classes_of_a_target():
    plan = legatee.plan(Whole(8), body(8))
    assert taken(plan) == {name for name in saved(body(8)) if name[0] in "01"}
    reasons = {entry.target: entry.reason for entry in plan.untouched}
    assert reasons["3.weight"] == (
        "it is an output layer in one network and a hidden layer in the other"
    )


def test_a_head_is_read_on_where_the_target_puts_a_layer_behind_it():
    source, target = Other("stem", 7, more=False), Other("stem", 7, more=True)
    plan = legatee.plan(source, target)
    assert taken(plan) == {"stem.weight", "stem.bias", "fc.weight", "fc.bias"}
    assert "'fc.weight'" in plan.warnings[0]


def test_a_head_fills_no_hidden_layer_that_only_has_its_name():
    with pytest.raises(legatee.LegateeError, match=r"fc\.weight: it is an output layer"):
        legatee.plan(Other("stem", 7, more=False), Other("trunk", 9, more=True))


def test_a_head_fills_no_hidden_layer_that_only_has_its_role():
    source = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    source.append(nn.Linear(8, 7))
    target = Other("stem", 7, more=True)
    assert taken(legatee.plan(source, target, match="roles")) == {"stem.weight", "stem.bias"}


def test_a_head_fills_no_hidden_layer_that_only_has_its_place_in_a_row():
    def network(width: int, head: nn.Sequential) -> nn.Module:
        features = nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        parts = {"features": features, "flat": nn.Flatten(), "classifier": head}
        return nn.Sequential(OrderedDict(parts))

    source = network(8, nn.Sequential(nn.Dropout(), nn.Linear(8, 7)))
    target = network(8, nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Dropout(), nn.Linear(9, 5)))
    assert taken(legatee.plan(source, target)) == {"features.0.weight", "features.0.bias"}
