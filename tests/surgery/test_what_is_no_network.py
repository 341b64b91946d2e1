"""What is given in place of two networks is refused in one sentence that says what to do."""

import pytest
import torch
from torch import nn

import legatee
from legatee.errors import TransferError
from legatee.surgery.network.catalog import read


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def lazy() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2))


def test_a_layer_that_has_no_shape_yet_is_named():
    for door in (
        lambda: read(lazy()),
        lambda: legatee.plan(lazy(), network()),
        lambda: legatee.plan(network(), lazy()),
        lambda: legatee.inherit(legatee.plan(network(), network()), network(), lazy()),
    ):
        with pytest.raises(
            TransferError, match=r"'2\.weight' has no shape yet.* run the network once"
        ):
            door()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_network_without_weights_is_refused(side, alpha):
    given = {"source": network(), "target": network(), side: nn.Sequential()}
    with pytest.raises(TransferError, match=f"the {side} has no weights"):
        legatee.plan(**given, alpha=alpha)


@pytest.mark.parametrize("side", ["source", "target"])
def test_weights_alone_are_refused_with_what_to_do(side):
    given = {"source": network(), "target": network(), side: network().state_dict()}
    with pytest.raises(
        TransferError, match=rf"the {side} is a OrderedDict.*legatee\.catalog\(network\)"
    ):
        legatee.plan(**given)


def test_weights_alone_are_inherited_by_a_plan_from_a_catalogue():
    source, target = network(), network()
    plan = legatee.plan(read(source), target)
    legatee.inherit(plan, source.state_dict(), target)
    assert torch.equal(target[2].weight, source[2].weight)


@pytest.mark.parametrize("side", ["source", "target"])
def test_the_name_of_a_file_is_no_network_to_inherit_from_or_into(side):
    given = {"source": network(), "target": network(), side: "weights.pt"}
    with pytest.raises(TransferError, match="a network is expected, not a str"):
        legatee.inherit(legatee.plan(network(), network()), **given)
