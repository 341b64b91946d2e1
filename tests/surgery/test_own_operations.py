"""Operations of a user's own: a channel rule for each, for one call."""

import pytest
import torch
from torch import Tensor, nn

import legatee
from legatee.errors import TraceError, TransferError
from legatee.surgery.network.operations import pointwise
from surgery_references import spread


@torch.library.custom_op("legatee_tests::swish", mutates_args=())
def swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


@swish.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Own(nn.Module):
    """A network with an operation that nobody else knows."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.head = nn.Linear(4, width), nn.Linear(width, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one score for each class [b, 2]."""
        return self.head(torch.ops.legatee_tests.swish(self.first(inputs)))


RULES = {torch.ops.legatee_tests.swish: pointwise}


def test_an_unknown_operation_is_named_with_the_rule_to_add():
    hint = r"pass operations={torch\.ops\.legatee_tests\.swish: pointwise}"
    with pytest.raises(TransferError, match=hint):
        legatee.plan(Own(9), Own(4), alpha=0.5)


def test_what_an_unknown_operation_may_mix_is_inherited_all_together():
    plan = legatee.plan(Own(9), Own(9), alpha=0.5)
    moves = {move.target: move for move in plan.moves}
    assert moves["first.weight"].take[0] == moves["head.weight"].take[1] == "0:9"
    assert "which may mix them" in plan.warnings[0]


@pytest.mark.parametrize(
    "key",
    [torch.ops.legatee_tests.swish, torch.ops.legatee_tests.swish.default],
    ids=["operation", "overload"],
)
def test_a_rule_follows_channels_through_an_operation(key):
    plan = legatee.plan(Own(9), Own(4), operations={key: pointwise})
    moves = {move.target: move for move in plan.moves}
    kept = "0:1,3:4,5:6,8:9"
    assert spread(9, 4) == [0, 3, 5, 8]
    assert moves["first.weight"].take[0] == kept
    assert plan.warnings == ()
    groups = legatee.catalog(Own(4), operations={key: pointwise}).groups
    (hidden,) = [group for group in groups if group.role == "hidden"]
    assert set(hidden.members) == {("first.weight", 0), ("first.bias", 0), ("head.weight", 1)}


def test_a_rule_holds_for_one_call():
    legatee.plan(Own(9), Own(4), operations=RULES)
    with pytest.raises(TransferError, match="swish"):
        legatee.plan(Own(9), Own(4), alpha=0.5)


def test_a_mistake_in_a_rule_of_ones_own_is_told():
    def mistaken(call):
        return call.no_such_method()

    with pytest.raises(TraceError, match="no_such_method"):
        legatee.catalog(Own(4), operations={torch.ops.legatee_tests.swish: mistaken})

    def indexing(call):
        return [call.args[7]]

    with pytest.raises(TraceError, match="out of range"):
        legatee.catalog(Own(4), operations={torch.ops.legatee_tests.swish: indexing})


def test_a_rule_of_ones_own_takes_the_place_of_a_built_in_one():
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    plain = legatee.catalog(network)

    def forget(call: object) -> list:
        return [[]]

    cut = legatee.catalog(network, operations={torch.ops.aten.relu: forget})
    shared = [("0.weight", 0), ("2.weight", 1)]
    assert any(all(axis in group.members for axis in shared) for group in plain.groups)
    assert not any(all(axis in group.members for axis in shared) for group in cut.groups)
    assert legatee.catalog(network) is plain  # what is remembered was not touched
