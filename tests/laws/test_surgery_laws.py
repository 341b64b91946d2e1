"""What holds for every pair of networks, whatever they are."""

import copy
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision import models

import legatee
from legatee.surgery.network.catalog import read
from surgery_references import (
    blank,
    cured,
    differing,
    poisoned,
    positions,
    same_bits,
    saved,
    scrambled,
    snapshot,
)
from surgery_zoo import REAL, ZOO, Untraceable, bottleneck, cnn, densenet, small_resnet

LIGHT: dict[str, Callable[[], nn.Module]] = {
    "cnn": lambda: cnn("12-20"),
    "resnet8": lambda: small_resnet(12),
    "densenet": lambda: densenet(6, 12),
    "bottleneck": lambda: bottleneck(8, groups=4),
    "mobilenet": lambda: models.mobilenet_v3_small(width_mult=0.25, num_classes=4),
    **{name: lambda make=make: make(8) for name, make in ZOO.items()},
}

PAIRS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {
    "cnn, narrower": (lambda: cnn("13-20"), lambda: cnn("6-20")),
    "cnn, wider": (lambda: cnn("6-9"), lambda: cnn("8-20")),
    "resnet, deeper": (lambda: small_resnet(8), lambda: small_resnet(8, depth=14)),
    "resnet, shallower, other classes": (
        lambda: small_resnet(9, depth=14),
        lambda: small_resnet(6, classes=3),
    ),
    "densenet, narrower": (lambda: densenet(6, 12), lambda: densenet(4, 6)),
    "squeeze, narrower": (lambda: ZOO["squeeze"](12), lambda: ZOO["squeeze"](8)),
    "tied, narrower": (lambda: ZOO["tied"](12), lambda: ZOO["tied"](8)),
    "gated, narrower": (lambda: ZOO["gated"](12), lambda: ZOO["gated"](8)),
}


@cache
def ready(name: str) -> tuple[nn.Module, legatee.TransferPlan]:
    """A light network with values of its own, and the whole plan into another of its kind."""
    source = scrambled(LIGHT[name](), 1)
    return source, legatee.plan(source, source)


# --- the identity ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_all_of_a_real_network_into_its_own_architecture_is_the_identity(name):
    source = scrambled(blank(REAL[name]), 1)
    target = poisoned(blank(REAL[name]))
    catalog = read(source)
    legatee.inherit(legatee.plan(catalog, catalog), source, target)
    assert differing(dict(saved(source)), dict(saved(target))) == []


@pytest.mark.parametrize("name", LIGHT)
def test_all_of_a_light_network_into_its_own_architecture_is_the_identity(name):
    source, plan = ready(name)
    target = scrambled(copy.deepcopy(source), 2)
    legatee.inherit(plan, source, target)
    assert differing(dict(saved(source)), dict(saved(target))) == []


@pytest.mark.parametrize("name", LIGHT)
def test_all_of_a_network_is_the_share_one(name):
    source, plan = ready(name)
    assert plan.inherited_fraction == 1.0
    assert plan.elements == sum(tensor.numel() for tensor in saved(source).values())


@pytest.mark.parametrize("rule", ["uniform", "first", "random"])
def test_every_rule_gives_the_identity_when_all_is_asked_for(rule):
    source = scrambled(small_resnet(6), 1)
    target = scrambled(small_resnet(6), 2)
    legatee.inherit(legatee.plan(source, target, rule=rule), source, target)
    assert same_bits(snapshot(source), snapshot(target))


@pytest.mark.parametrize("name", ["resnet8", "concat", "nonpersistent"])
def test_a_network_that_inherits_from_itself_stays_what_it_is(name):
    network, plan = ready(name)
    before = snapshot(network)
    legatee.inherit(plan, network, network)
    assert same_bits(before, snapshot(network))


def test_a_network_whose_channels_cannot_be_followed_is_copied_whole():
    source, target = (scrambled(Untraceable(5), seed) for seed in (1, 2))
    legatee.inherit(legatee.plan(source, target), source, target)
    assert same_bits(snapshot(source), snapshot(target))


# --- nothing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(LIGHT) - {"normed", "broadcast"}))
def test_nothing_of_a_network_changes_nothing(name):
    source, _ = ready(name)
    target = scrambled(copy.deepcopy(source), 2)
    before = snapshot(target)
    legatee.inherit(legatee.plan(source, target, alpha=0), source, target)
    assert differing(before, snapshot(target)) == []


# --- partial --------------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=12)
@given(alpha=st.floats(0.1, 1), rule=st.sampled_from(["uniform", "first", "random"]))
def test_a_share_is_that_share_of_every_group_of_channels(alpha, rule):
    source, target = mlp(6, 9), mlp(7, 11)
    plan = legatee.plan(source, target, alpha=alpha, rule=rule, seed=3)
    half_up = [min(int(alpha * k + 0.5), n) for n, k in ((6, 7), (9, 11))]
    one, two = half_up
    expected = {
        "0.weight": 5 * one,
        "0.bias": one,
        "2.weight": one * two,
        "2.bias": two,
        "4.weight": 0,
        "4.bias": 0,
    }
    poisoned(target)
    legatee.inherit(plan, source, target)
    assert {name: cured(tensor) for name, tensor in saved(target).items()} == expected


def mlp(one: int, two: int) -> nn.Module:
    layers = [nn.Linear(5, one), nn.ReLU(), nn.Linear(one, two), nn.ReLU(), nn.Linear(two, 3)]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("name", ["cnn", "resnet8", "densenet", "mobilenet", "concat", "squeeze"])
def test_a_larger_share_inherits_more(name):
    catalog = read(ready(name)[0])
    shares = [
        legatee.plan(catalog, catalog, alpha=a).inherited_fraction for a in (0, 0.25, 0.5, 0.75, 1)
    ]
    assert shares == sorted(set(shares))


# --- the account ----------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.3, 1.0])
@pytest.mark.parametrize("pair", PAIRS)
def test_the_receipt_counts_just_the_elements_that_were_written(pair, alpha):
    source, target = (make() for make in PAIRS[pair])
    scrambled(source, 1)
    plan = legatee.plan(source, target, alpha=alpha)
    poisoned(target)
    receipt = legatee.inherit(plan, source, target)
    written = {name: cured(tensor) for name, tensor in saved(target).items()}
    assert {account.target: account.inherited_elements for account in receipt.tensors} == written
    assert receipt.inherited_fraction == pytest.approx(sum(written.values()) / receipt.elements)


@pytest.mark.parametrize("pair", PAIRS)
def test_inherited_and_untouched_are_all_elements(pair):
    source, target = (make() for make in PAIRS[pair])
    receipt = legatee.inherit(legatee.plan(source, target, alpha=0.6), source, target)
    counted = {a.target: (a.shape, a.inherited_elements + a.untouched) for a in receipt.tensors}
    assert counted == {
        name: (tuple(tensor.shape), tensor.numel()) for name, tensor in saved(target).items()
    }


@pytest.mark.parametrize("pair", PAIRS)
def test_what_is_not_inherited_keeps_its_own_value(pair):
    source, target = (make() for make in PAIRS[pair])
    scrambled(source, 1)
    scrambled(target, 2)
    plan = legatee.plan(source, target, alpha=0.6)
    before = snapshot(target)
    mask = poisoned(copy.deepcopy(target))
    legatee.inherit(plan, source, target)
    legatee.inherit(plan, source, mask)
    for name, tensor in saved(mask).items():
        left = tensor.isnan() if tensor.is_floating_point() else tensor == -7
        assert torch.equal(saved(target)[name][left], before[name][left]), name


@pytest.mark.parametrize("pair", PAIRS)
def test_every_written_element_is_the_source_element_that_the_plan_names(pair):
    source, target = (make() for make in PAIRS[pair])
    scrambled(source, 1)
    plan = legatee.plan(source, target, alpha=0.6)
    legatee.inherit(plan, source, target)
    given_, taken = saved(source), saved(target)
    for move in plan.moves:
        take, put = (np.ix_(*map(positions, side)) for side in (move.take, move.put))
        theirs, ours = taken[move.target].detach().numpy(), given_[move.source].detach().numpy()
        assert np.array_equal(theirs[put], ours[take]), move.target


@pytest.mark.parametrize("pair", PAIRS)
def test_the_source_is_only_read(pair):
    source, target = (make() for make in PAIRS[pair])
    before = snapshot(scrambled(source, 1))
    legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(before, snapshot(source)) == []


# --- modes and generators -------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIGHT)
def test_planning_changes_neither_weights_nor_statistics_nor_modes(name):
    network = scrambled(LIGHT[name](), 1).train()
    for module in list(network.modules())[1::3]:
        module.training = False
    before = snapshot(network), [module.training for module in network.modules()]
    legatee.plan(network, network)
    assert differing(before[0], snapshot(network)) == []
    assert before[1] == [module.training for module in network.modules()]


def test_inheriting_changes_no_mode():
    source, target = small_resnet(6).eval(), small_resnet(4).train()
    target.norm.eval()
    before = [module.training for module in (*source.modules(), *target.modules())]
    legatee.inherit(legatee.plan(source, target), source, target)
    assert before == [module.training for module in (*source.modules(), *target.modules())]


@pytest.mark.parametrize("rule", ["uniform", "random"])
def test_the_global_generator_is_left_as_it_was(rule):
    source, target = (
        nn.Sequential(nn.Linear(5, width), nn.Dropout(), nn.ReLU(), nn.Linear(width, 3))
        for width in (8, 6)
    )
    before = torch.get_rng_state()
    legatee.inherit(legatee.plan(source, target, rule=rule), source, target)
    assert torch.equal(before, torch.get_rng_state())
