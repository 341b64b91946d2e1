"""Why a tensor is not inherited: the plainest reason, with the numbers of both networks."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import legatee
from legatee.errors import TransferError
from surgery_references import positions


def reasons(plan):
    return {entry.target: entry.reason for entry in plan.untouched}


class Branches(nn.Module):
    """Two convolutions whose outputs are added, or read by layers of their own."""

    def __init__(self, kernel=1, added=False):
        super().__init__()
        self.added = added
        self.one = nn.Conv2d(3, 4, 1, bias=False)
        self.two = nn.Conv2d(3, 4, kernel, padding=kernel // 2, bias=False)
        self.three, self.four = nn.Conv2d(4, 5, 1, bias=False), nn.Conv2d(4, 6, 1, bias=False)

    def forward(self, x):
        one, two = self.one(x), self.two(x)
        if self.added:
            one = two = one + two
        return torch.cat([self.three(one.relu()), self.four(two.relu())], 1).mean((2, 3))


def test_an_axis_that_does_not_fit_is_a_plainer_reason_than_coupled_channels():
    """The second convolution's channels are another group's in the source, too."""
    plan = legatee.plan(Branches(1), Branches(3, added=True))
    assert reasons(plan)["two.weight"] == (
        "its kernel has size 3 in the target and 1 in the source; pass pad_kernels=True "
        "(--pad-kernels) to surround it by zeros"
    )
    shrinks = legatee.plan(Branches(3), Branches(1, added=True))
    assert reasons(shrinks)["two.weight"] == (
        "axis 2 has 1 positions in the target and 3 in the source"
    )
    coupled = legatee.plan(Branches(1), Branches(1, added=True))
    assert reasons(coupled)["one.weight"] == (  # the other branch has more to inherit
        "its channels are coupled to another group of source channels"
    )


class Sum(nn.Module):
    """Convolutions whose outputs are added up, or read by a layer of their own each."""

    def __init__(self, count, added):
        super().__init__()
        self.added = added
        self.ones = nn.ModuleList(nn.Conv2d(3, 4, 1, bias=False) for _ in range(count))
        self.twos = nn.ModuleList(nn.Conv2d(4, 2, 1, bias=False) for _ in range(count))

    def forward(self, x):
        ones = [one(x) for one in self.ones]
        if self.added:
            ones = [sum(ones)] * len(ones)
        twos = [two(one.relu()) for one, two in zip(ones, self.twos, strict=True)]
        return torch.cat(twos, 1).mean((2, 3))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_by_roles_a_group_says_from_how_many_groups_it_inherits(count):
    plan = legatee.plan(Sum(count, added=False), Sum(count, added=True), match="roles")
    (note,) = [warning for warning in plan.warnings if "not consistent" in warning]
    assert (
        f"groups inherit from several source groups, that of 'ones.0.weight' from {count};" in note
    )


def test_another_number_of_axes_is_a_reason():
    class Ends(nn.Module):
        def __init__(self, last):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 1), last

        def forward(self, x):
            x = self.first(x).relu().mean((2, 3), keepdim=True)
            return self.last(x if isinstance(self.last, nn.Conv2d) else x.flatten(1)).flatten(1)

    plan = legatee.plan(Ends(nn.Conv2d(4, 2, 1)), Ends(nn.Linear(4, 2)), class_map={0: 0})
    assert reasons(plan)["last.weight"] == "it has 2 axes in the target and 4 in the source"


def test_a_tensor_without_a_partner_says_what_was_looked_for():
    layers = {"one": nn.Linear(3, 4), "act": nn.ReLU(), "two": nn.Linear(4, 2)}
    source = nn.Sequential(OrderedDict(layers))
    norm = {"one": layers["one"], "norm": nn.LayerNorm(4)}
    target = nn.Sequential(OrderedDict(norm | layers))
    assert reasons(legatee.plan(source, target))["norm.weight"] == "no source tensor of that name"
    by_role = legatee.plan(source, target, match="roles")
    assert reasons(by_role)["norm.weight"] == (
        "no source tensor of that role: kind of layer, kernel size and stage"
    )


def flattening(side, width=4):
    return nn.Sequential(
        nn.Conv2d(1, width, 1),
        nn.AdaptiveAvgPool2d(side),
        nn.Flatten(),
        nn.Linear(width * side**2, 2),
    )


def test_a_channel_of_more_positions_is_a_reason_with_both_counts():
    plan = legatee.plan(flattening(3), flattening(2), class_map={0: 0})
    assert reasons(plan)["3.weight"] == (
        "a channel covers 4 positions in the target, 9 in the source"
    )


def words(tokens):
    return nn.Sequential(nn.Embedding(tokens, 4), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


def test_another_number_of_tokens_is_a_reason_with_both_numbers():
    plan = legatee.plan(words(11), words(9))
    assert reasons(plan)["0.weight"] == "the target has 9 input channels or tokens, the source 11"


def test_too_small_a_share_is_a_reason():
    def mlp(width):
        return nn.Sequential(nn.Linear(5, 40), nn.ReLU(), nn.Linear(40, width), nn.Linear(width, 3))

    plan = legatee.plan(mlp(6), mlp(4), alpha=0.1)
    assert reasons(plan)["2.weight"] == "alpha is too small to inherit a single channel"
    assert {move.target for move in plan.moves} == {"0.weight", "0.bias"}
    nothing = legatee.plan(mlp(6), mlp(4), alpha=0)
    assert set(reasons(nothing).values()) == {"alpha is too small to inherit a single channel"}


# --- a plan by which nothing would be inherited ---------------------------------------------------


def strangers():
    """Networks without a tensor that fits."""
    return nn.Sequential(nn.Linear(3, 4)), nn.Sequential(nn.Linear(5, 4))


def test_a_plan_of_nothing_names_tensors_with_their_reasons_and_another_way():
    with pytest.raises(
        TransferError, match=r"nothing would be inherited \(0\.weight: .*match='roles'"
    ):
        legatee.plan(*strangers())
    with pytest.raises(TransferError, match=r"nothing would be inherited \(0\.weight: ") as refused:
        legatee.plan(*strangers(), match="roles")
    assert "(--match roles)" not in str(refused.value)


def test_the_running_statistics_of_a_norm_alone_are_nothing_to_inherit():
    """Numbers that no training changes are no parameters."""

    class Normed(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm, self.head = nn.BatchNorm1d(3, affine=False), nn.Linear(3, width)

        def forward(self, x):
            return self.head(self.norm(x))

    with pytest.raises(TransferError, match="nothing would be inherited"):
        legatee.plan(Normed(2), Normed(4))


# --- whole tensors where channels are unknown -----------------------------------------------------


class Opaque(nn.Module):
    """Layers that no trace can follow, because the forward pass looks at the values."""

    def __init__(self, width=4, classes=2, opaque=True):
        super().__init__()
        self.one, self.two = nn.Linear(3, width), nn.Linear(width, classes)
        self.opaque = opaque

    def forward(self, x):
        if self.opaque and x.detach().numpy().sum() > 1e9:
            return x
        return self.two(self.one(x).relu())


def moved(plan):
    return {move.target for move in plan.moves}


@pytest.mark.parametrize(("source", "target"), [(True, False), (False, True)])
def test_of_one_network_that_cannot_be_traced_the_head_is_still_known(source, target):
    plan = legatee.plan(Opaque(opaque=source), Extended(target))
    assert moved(plan) == {"one.weight", "one.bias"}
    assert "the classification head" in reasons(plan)["two.weight"]


class Extended(Opaque):
    """The same with one parameter more, so that the architectures differ."""

    def __init__(self, opaque):
        super().__init__(opaque=opaque)
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return super().forward(x) * self.scale


def test_of_two_networks_that_cannot_be_traced_whole_modules_are_inherited():
    plan = legatee.plan(Opaque(), Extended(opaque=True))
    assert moved(plan) == {"one.weight", "one.bias", "two.weight", "two.bias"}
    (note,) = [warning for warning in plan.warnings if "cannot be traced" in warning]
    assert note.endswith("their channels agree, and which layer is the classification head")
    assert "the channels of the source" in note
    assert "the channels of the target" in note


def test_what_has_another_length_is_not_taken_whole():
    plan = legatee.plan(Opaque(classes=2), Opaque(classes=3))
    assert reasons(plan)["two.weight"] == "axis 0 has 3 positions in the target and 2 in the source"
    assert moved(plan) == {"one.weight", "one.bias"}


def test_equal_networks_that_cannot_be_traced_are_inherited_without_a_warning():
    plan = legatee.plan(Opaque(), Opaque())
    assert plan.inherited_fraction == 1
    assert plan.warnings == ()


# --- kernels and inputs ---------------------------------------------------------------------------


def test_all_positions_of_a_channel_are_taken_together():
    """Three of six channels of four positions each."""
    plan = legatee.plan(flattening(2, 6), flattening(2, 3), class_map={0: 0, 1: 1})
    (move,) = [move for move in plan.moves if move.target == "3.weight"]
    assert positions(move.take[1]) == [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19]
    assert positions(move.put[1]) == list(range(12))
