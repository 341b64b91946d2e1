"""What may pass from a source into a target, and what is refused before a bit has changed."""

import copy

import pytest
import torch
from torch import nn

import legatee
from edited_plans import with_options
from legatee.errors import TransferError
from legatee.plans.plan import TransferPlan
from surgery_references import bits, differing, scrambled, snapshot
from surgery_zoo import ZOO, small_resnet


def mlp(width: int, classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, classes))


def refused(plan, source, target, match: str, **allowed: bool) -> str:
    before = snapshot(target)
    with pytest.raises(TransferError, match=match) as refusal:
        legatee.inherit(plan, source, target, **allowed)
    assert differing(before, snapshot(target)) == []
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# --- types and numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [torch.float16, torch.bfloat16], ids=str)
def test_rounding_passes_where_it_is_allowed(wanted):
    source, target = scrambled(mlp(6), 1), scrambled(mlp(4), 2).to(wanted)
    plan = legatee.plan(source, target, rule="first")
    refused(plan, source, target, r"pass allow_rounding=True \(--allow-rounding\)")
    legatee.inherit(plan, source, target, allow_rounding=True)
    assert target[0].weight.dtype == wanted
    assert torch.equal(target[0].weight, source[0].weight[:4].to(wanted))


def test_numbers_beyond_the_range_are_refused_even_where_rounding_is_allowed():
    source, target = scrambled(mlp(6), 1), scrambled(mlp(4), 2).half()
    with torch.no_grad():
        source[0].bias[2] = 70000.0  # the largest float16 is 65504
    plan = legatee.plan(source, target, rule="first")
    refused(
        plan, source, target, r"0\.bias.*beyond the range of torch.float16", allow_rounding=True
    )
    legatee.inherit(plan, source, target, allow_rounding=True, allow_nonfinite=True)
    assert target[0].bias[2] == float("inf")


def test_large_numbers_are_no_infinities():
    """Their sum overflows, they do not."""
    source, target = mlp(6), mlp(4)
    with torch.no_grad():
        source[0].weight.fill_(torch.finfo(torch.float32).max)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert bool((target[0].weight == torch.finfo(torch.float32).max).all())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_passes_where_it_is_allowed(value):
    source, target = scrambled(mlp(4), 1), scrambled(mlp(4), 2)
    with torch.no_grad():
        source[0].weight[1, 3] = value
    plan = legatee.plan(source, target)
    refused(
        plan,
        source,
        target,
        r"repair the source, or pass allow_nonfinite=True \(--allow-nonfinite\)",
    )
    legatee.inherit(plan, source, target, allow_nonfinite=True)
    assert bits(target[0].weight) == bits(source[0].weight)


def test_opposite_infinities_do_not_cancel():
    source, target = scrambled(mlp(4), 1), scrambled(mlp(4), 2)
    with torch.no_grad():
        source[0].weight[0, :2] = torch.tensor([float("inf"), float("-inf")])
    refused(legatee.plan(source, target), source, target, r"0\.weight")


def test_weights_that_are_not_taken_may_be_anything():
    source, target = scrambled(mlp(8), 1), scrambled(mlp(4), 2)
    with torch.no_grad():
        source[0].weight[1::2] = float("nan")  # the uniform rule takes 0, 2, 4, 6
    legatee.inherit(legatee.plan(source, target), source, target)
    assert torch.equal(target[0].weight, source[0].weight[::2])


def test_whole_numbers_that_a_float_does_not_hold_are_refused():
    source, target = mlp(4), mlp(4)
    source.register_buffer("steps", torch.tensor([2**24 + 1]))  # float32 has 24 bits
    target.register_buffer("steps", torch.tensor([0.5]))
    plan = legatee.plan(mlp_with(0.5), target)
    plan = plan.model_copy(update={"source_digest": legatee.plan(source, source).source_digest})
    for allowed in ({}, {"allow_rounding": True, "allow_nonfinite": True}):
        refused(plan, source, target, r"'steps'.*integers exactly", **allowed)
    source.steps.fill_(2**24)
    legatee.inherit(plan, source, target)
    assert target.steps.tolist() == [2.0**24]


def test_fractions_never_become_whole_numbers_whatever_is_allowed():
    source, target = mlp_with(0.5), mlp(4)
    target.register_buffer("steps", torch.tensor([7]))
    plan = legatee.plan(source, mlp_with(0.5))
    plan = plan.model_copy(update={"target_digest": legatee.plan(target, target).target_digest})
    refused(plan, source, target, "'steps'", allow_rounding=True, allow_nonfinite=True)


def mlp_with(level: float) -> nn.Module:
    network = mlp(4)
    network.register_buffer("steps", torch.tensor([level]))
    return network


# --- memory ---------------------------------------------------------------------------------------


def test_a_state_dict_is_as_good_a_source_as_its_network():
    source, (one, two) = scrambled(small_resnet(6), 1), (small_resnet(4) for _ in "ab")
    plan = legatee.plan(source, one)
    legatee.inherit(plan, source, one)
    legatee.inherit(plan, source.state_dict(), two)
    assert differing(snapshot(one), snapshot(two)) == [] or plan.inherited_fraction < 1
    inherited = {move.target for move in plan.moves}
    full = {m.target for m in plan.moves if m.inherited_elements == m.size} & inherited
    assert not full & set(differing(snapshot(one), snapshot(two)))


def test_the_state_dict_of_tied_weights_is_a_source():
    source, target = scrambled(ZOO["tied"](6), 1), scrambled(ZOO["tied"](4), 2)
    plan, other = legatee.plan(source, target), copy.deepcopy(target)
    legatee.inherit(plan, source, target)
    legatee.inherit(plan, source.state_dict(), other)
    assert differing(snapshot(target), snapshot(other)) == []


def test_a_network_may_inherit_from_itself_in_another_order():
    """The channels of the first half take the places of all: read before they are written."""
    network = nn.Sequential(nn.Linear(2, 4, bias=False))
    plan = legatee.plan(network, network)
    move = plan.moves[0].model_copy(update={"take": ("3:4,2:3,1:2,0:1", "0:2")})
    plan = plan.model_copy(update={"entries": (move,)})
    before = network[0].weight.detach().clone()
    legatee.inherit(plan, network, network)
    assert torch.equal(network[0].weight, before.flip(0))


def test_parameters_that_share_memory_without_being_one_are_refused():
    source, target = scrambled(ZOO["twice"](6), 1), scrambled(ZOO["twice"](4), 2)
    target.head.weight = nn.Parameter(target.again.weight.detach().reshape(4, -1)[:, :4])
    plan = legatee.plan(source, target)
    refused(plan, source, target, "share memory without being one parameter")


@pytest.mark.parametrize("side", ["source", "target"])
def test_networks_without_weights_are_refused(side):
    source, target = mlp(6), mlp(4)
    plan = legatee.plan(source, target)
    source, target = (
        network.to("meta") if side == name else network
        for name, network in (("source", source), ("target", target))
    )
    with pytest.raises(TransferError, match="meta device"):
        legatee.inherit(plan, source, target)


# --- plans for others -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "sizes", "sentence"),
    [
        ("target", (6, 5), "'0.weight' has shape (5, 5), and the plan expects (4, 5)"),
        ("source", (7, 4), "'0.weight' has shape (7, 5), and the plan expects (6, 5)"),
    ],
)
def test_a_plan_for_other_widths_names_the_first_tensor_that_differs(side, sizes, sentence):
    plan = legatee.plan(mlp(6), mlp(4))
    message = refused(plan, *map(mlp, sizes), f"another {side}")
    assert message == (
        f"the plan was made for another {side}: {sentence}; make a plan for this {side}, or give "
        f"the {side} that the plan was made for"
    )


def test_a_plan_that_was_edited_by_hand_says_what_differs_and_not_that_equal_things_do():
    """Its digests are those of the networks, the shapes in it are not."""
    source, target = mlp(6), mlp(4)
    plan = legatee.plan(source, target)
    entry = plan.entries[0].model_copy(update={"source_shape": (9, 5)})
    plan = plan.model_copy(update={"entries": (entry, *plan.entries[1:])})
    message = refused(plan, source, target, "another source")
    assert "'0.weight' has shape (6, 5), and the plan expects (9, 5)" in message
    assert plan.source_digest not in message


def test_a_plan_for_other_classes_names_the_head():
    source, target = mlp(6), mlp(4)
    refused(legatee.plan(source, target), source, mlp(4, 2), r"'2\.weight' has shape \(2, 4\)")


def test_a_plan_for_other_layers_names_what_is_missing():
    source, target = mlp(6), mlp(4)
    plan = legatee.plan(source, target)
    refused(plan, source, nn.Sequential(target[0]), r"it has no tensor '2\.weight'")
    longer = nn.Sequential(*target, nn.Linear(3, 3))
    refused(plan, source, longer, r"does not account for its tensor '3\.weight'")


def test_a_plan_for_other_types_says_so():
    source, target = mlp(6), mlp(4)
    refused(
        legatee.plan(source, target), source, target.double(), "its tensors differ in their types"
    )


def test_an_empty_plan_is_refused_with_its_reasons():
    source, target = mlp(6), mlp(4)
    plan = legatee.plan(source, target, alpha=0)
    legatee.inherit(plan, source, target)  # scratch was asked for
    empty = with_options(plan, alpha=0.5)
    refused(empty, source, target, r"nothing would be inherited \(0\.weight: ")
    none = TransferPlan.from_json(empty.to_json()).model_copy(update={"entries": ()})
    refused(none, source, target, "nothing would be inherited")
