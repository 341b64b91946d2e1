"""Channels that change places, or become one, between the layers that make and read them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import legatee
from surgery_references import differing, outputs, positions, scrambled, silence, snapshot


class Between(nn.Module):
    """Two convolutions with something between them."""

    def __init__(
        self, between: Callable[["Between", Tensor], Tensor], width: int = 12, read: int = 12
    ):
        super().__init__()
        self.one = nn.Conv2d(3, width, 3)
        self.two = nn.Conv2d(read, 5, 1)
        self.between = between
        self.register_buffer("order", torch.arange(width).flip(0))

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.between(self, self.one(x).relu())).mean((2, 3))


def turned(net: Between, x: Tensor) -> Tensor:
    """Channels in an order that is written down."""
    return x[:, torch.arange(x.shape[1]).roll(5)]


def by_buffer(net: Between, x: Tensor) -> Tensor:
    """Channels in an order that is a buffer."""
    return x[:, net.order]


def pooled(net: Between, x: Tensor) -> Tensor:
    """Neighbouring channels pooled."""
    flat = F.max_pool1d(x.flatten(2).transpose(1, 2), 2)
    return flat.transpose(1, 2).unflatten(2, x.shape[2:])


def maxout(net: Between, x: Tensor) -> Tensor:
    """The larger one of each pair of channels."""
    return x.unflatten(1, (-1, 2)).amax(2)


def kept(plan: legatee.TransferPlan) -> dict[str, list[list[int]]]:
    """Filled positions of the first two axes of each weight."""
    return {m.target: [positions(p) for p in m.put[:2]] for m in plan.moves if len(m.put) > 1}


def test_channels_that_are_turned_by_a_plain_index_are_followed():
    network = Between(turned)
    filled = kept(legatee.plan(network, network, alpha=0.5, rule="first"))
    assert filled["one.weight"][0] == [0, 1, 2, 3, 4, 5]
    assert sorted(filled["two.weight"][1]) == [5, 6, 7, 8, 9, 10]  # where they lie after the turn


def test_turned_channels_compute_what_they_computed():
    source, target = scrambled(Between(turned), 1), scrambled(Between(turned), 2)
    plan = legatee.plan(source, target, alpha=0.5)
    legatee.inherit(plan, source, target)
    moves = {move.target: move for move in plan.moves}
    silence(source, {"one": positions(moves["one.weight"].take[0])})
    silence(target, {"one": positions(moves["one.weight"].put[0])})
    rows = [positions(side[0]) for side in (moves["two.weight"].take, moves["two.weight"].put)]
    given, expected = (outputs(n.double(), (3, 8, 8)) for n in (target, source))
    assert torch.allclose(given[:, rows[1]], expected[:, rows[0]])


@pytest.mark.parametrize("between", [by_buffer, pooled])
def test_channels_that_cannot_be_followed_are_inherited_all_together(between):
    read = 12 if between is by_buffer else 6
    network = Between(between, read=read)
    plan = legatee.plan(network, network, alpha=0.5)
    moves = {move.target: move for move in plan.moves}
    assert positions(moves["one.weight"].take[0]) == list(range(12))
    assert positions(moves["two.weight"].take[1]) == list(range(read))
    (warning,) = plan.warnings
    assert "the channels of 'one.weight' go through" in warning
    assert "they are inherited only all together" in warning


@pytest.mark.parametrize("between", [by_buffer, pooled])
def test_channels_that_cannot_be_followed_are_inherited_whole(between):
    read = 12 if between is by_buffer else 6
    source, target = (scrambled(Between(between, read=read), seed) for seed in (1, 2))
    legatee.inherit(legatee.plan(source, target), source, target)
    assert not differing(snapshot(source), snapshot(target))


def test_channels_that_are_reduced_to_one_stand_or_fall_together():
    network = Between(maxout, 24, 12)
    plan = legatee.plan(network, network, alpha=0.5)
    moves = {move.target: move for move in plan.moves}
    pairs = positions(moves["two.weight"].take[1])
    assert len(pairs) == 6
    expected = [channel for pair in pairs for channel in (2 * pair, 2 * pair + 1)]
    assert positions(moves["one.weight"].take[0]) == expected


class Placed(nn.Module):
    """Learned places along both sides of an image that is halved later on."""

    def __init__(self, width: int):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 1)
        self.places = nn.Parameter(torch.zeros(1, width, 8, 8))
        self.rows = nn.Parameter(torch.zeros(1, width, 8, 1))
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.stem(x) + self.places + self.rows, 2)
        return self.head(x.mean((2, 3)))


def test_places_may_be_pooled():
    plan = legatee.plan(Placed(12), Placed(8), example_inputs=torch.zeros(2, 3, 8, 8))
    assert {"places", "rows", "stem.weight"} < {move.target for move in plan.moves}
