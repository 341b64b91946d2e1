import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import legatee
from legatee.errors import TraceError, TransferError, UnknownNameError
from legatee.surgery.network.catalog import read
from surgery_references import positions, scrambled
from surgery_zoo import Untraceable, cnn, small_resnet


def mlp(width: int, classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, classes))


def taken(plan: legatee.TransferPlan) -> set[str]:
    return {move.target for move in plan.moves}


# --- what was asked for ---------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_share_outside_0_to_1_is_refused(alpha):
    with pytest.raises(TransferError, match="alpha"):
        legatee.plan(mlp(6), mlp(4), alpha=alpha)


def test_an_unknown_rule_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'randon'.*random"):
        legatee.plan(mlp(6), mlp(4), rule="randon")


def test_a_plan_carries_what_was_asked_for():
    plan = legatee.plan(mlp(6), mlp(4), alpha=0.5, rule="random", seed=7)
    assert (plan.options.alpha, plan.options.rule, plan.options.seed) == (0.5, "random", 7)


def test_catalogues_give_the_plan_that_their_networks_give():
    source, target = small_resnet(6), small_resnet(4)
    plan = legatee.plan(source, target)
    assert legatee.plan(read(source), read(target)).entries == plan.entries
    assert plan.moves


def test_the_values_of_the_weights_do_not_matter():
    source, target = small_resnet(6), small_resnet(4)
    plan = legatee.plan(source, target)
    assert legatee.plan(scrambled(source, 1), scrambled(target, 2)) == plan


@pytest.mark.parametrize("items", [1, 2, 5])
def test_the_batch_does_not_matter(items):
    source, target = small_resnet(6), small_resnet(4)
    data = torch.randn(items, 3, 16, 16)
    assert legatee.plan(source, target, example_inputs=data) == legatee.plan(source, target)


def test_a_batch_is_not_changed():
    data = torch.randn(2, 3, 16, 16)
    before = data.clone()
    legatee.plan(small_resnet(6), small_resnet(4), example_inputs=data)
    assert torch.equal(data, before)


# --- rules ----------------------------------------------------------------------------------------


def test_the_random_rule_repeats_itself():
    plans = [legatee.plan(small_resnet(9), small_resnet(6), rule="random", seed=4) for _ in "ab"]
    assert plans[0] == plans[1]


def test_the_random_rule_does_not_depend_on_the_global_generator():
    source, target = small_resnet(9), small_resnet(6)
    torch.manual_seed(1)
    one = legatee.plan(source, target, rule="random", seed=4)
    torch.manual_seed(2)
    assert legatee.plan(source, target, rule="random", seed=4) == one


def test_seeds_draw_different_channels():
    source, target = small_resnet(9), small_resnet(6)
    plans = [legatee.plan(source, target, rule="random", seed=seed) for seed in range(6)]
    assert len({plan.moves for plan in plans}) == 6


def test_groups_are_drawn_independently():
    """Of 24 channels 12 are kept in two groups; drawn alike they would be the same."""
    source, target = cnn("24-24"), cnn("12-12")
    plan = legatee.plan(source, target, rule="random", seed=0)
    norms = {m.target: m.take for m in plan.moves if m.target.endswith("running_mean")}
    assert len(set(norms.values())) == 4


def test_other_rules_ignore_the_seed():
    source, target = mlp(9), mlp(6)
    for rule in ("uniform", "first"):
        moves = {legatee.plan(source, target, rule=rule, seed=s).moves for s in (0, 1)}
        assert len(moves) == 1


# --- the head -------------------------------------------------------------------------------------

HEAD = {"head.weight", "head.bias"}


def test_the_head_is_inherited_within_the_same_architecture():
    assert taken(legatee.plan(small_resnet(4), small_resnet(4))) >= HEAD


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (lambda: small_resnet(4, classes=5), lambda: small_resnet(4, classes=4)),
        (lambda: small_resnet(4, classes=4), lambda: small_resnet(4, classes=5)),
        (lambda: small_resnet(6, classes=4), lambda: small_resnet(4, classes=4)),
        (lambda: small_resnet(4, classes=4), lambda: small_resnet(6, classes=4)),
        (lambda: small_resnet(4, depth=14), lambda: small_resnet(4, depth=8)),
    ],
    ids=["fewer classes", "more classes", "narrower", "wider", "shallower"],
)
def test_the_head_is_not_inherited_between_architectures(source, target):
    assert taken(legatee.plan(source(), target())).isdisjoint(HEAD)


def test_the_head_is_not_inherited_if_it_is_switched_off():
    plan = legatee.plan(small_resnet(4), small_resnet(4), head=False)
    assert {entry.target for entry in plan.untouched} == HEAD


def test_the_head_is_not_inherited_by_an_explicit_match_of_other_class_counts():
    source, target = mlp(6, classes=5), mlp(6, classes=3)
    plan = legatee.plan(source, target, match={"0": "0", "2": "2"})
    assert taken(plan) == {"0.weight", "0.bias"}


def test_what_is_left_of_the_head_has_a_reason():
    plan = legatee.plan(small_resnet(6), small_resnet(4))
    reasons = {e.target: e.reason for e in plan.untouched if e.target in HEAD}
    assert set(reasons) == HEAD
    assert all("head" in reason for reason in reasons.values())


@settings(derandomize=True, deadline=None, max_examples=10)
@given(alpha=st.floats(0.1, 1))
def test_weight_and_bias_of_a_head_go_together(alpha):
    plan = legatee.plan(mlp(6), mlp(6), alpha=alpha)
    rows = {m.target: (m.take[0], m.put[0]) for m in plan.moves if m.target.startswith("2.")}
    assert set(rows) == {"2.weight", "2.bias"}  # one of six hidden channels at least is inherited
    assert rows["2.weight"] == rows["2.bias"]


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.8])
def test_class_rows_are_never_cropped(alpha):
    plan = legatee.plan(mlp(6, classes=10), mlp(6, classes=10), alpha=alpha)
    rows = [positions(m.put[0]) for m in plan.moves if m.target.startswith("2.")]
    assert rows == [list(range(10))] * 2


# --- what is refused ------------------------------------------------------------------------------


def test_networks_that_share_nothing_are_refused_with_reasons():
    source = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten())
    with pytest.raises(TransferError, match=r"0\.weight") as error:
        legatee.plan(source, mlp(4))
    assert str(error.value).count(".weight: ") <= 3
    assert str(error.value).endswith("pairs layers without regard to their names")


def test_a_kernel_of_another_size_is_not_inherited():
    source, target = (
        nn.Sequential(
            nn.Conv2d(3, 4, side), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)
        )
        for side in (5, 3)
    )
    plan = legatee.plan(source, target)
    assert {"0.weight", "0.bias"} & set(taken(plan)) == set()
    assert "2.weight" in taken(plan)


def test_inputs_of_another_number_of_channels_are_summed_rather_than_cropped():
    source, target = (scrambled(cnn_of(channels), channels) for channels in (3, 1))
    plan = legatee.plan(source, target)
    assert plan.warnings == ("'0.weight': 3 input channels are summed to one",)
    legatee.inherit(plan, source, target)
    assert torch.equal(target[0].weight, source[0].weight.sum(1, keepdim=True))


def cnn_of(channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3))


def test_a_share_of_channels_that_cannot_be_followed_is_refused_aloud():
    with pytest.raises(TraceError, match="alpha=1"):
        legatee.plan(Untraceable(5), Untraceable(5), alpha=0.5)


def test_of_channels_that_cannot_be_followed_whole_modules_are_inherited_aloud():
    source, target = Untraceable(5), Untraceable(5)
    target.extra, source.extra = nn.Linear(2, 3), nn.Linear(4, 3)
    plan = legatee.plan(source, target)
    assert taken(plan) == {"layer.weight", "layer.bias", "head.weight", "head.bias"}
    assert "the channels of the source cannot be traced" in plan.warnings[0]
    assert "the channels of the target cannot be traced" in plan.warnings[0]
    assert {entry.target: entry.reason for entry in plan.untouched} == {
        "extra.weight": "axis 1 has 2 positions in the target and 4 in the source",
        "extra.bias": "'extra.weight' of the same module is not inherited",
    }


class Spare(nn.Module):
    """A network with a parameter that its forward pass does not use."""

    def __init__(self, width: int):
        super().__init__()
        self.layer, self.head = nn.Linear(5, width), nn.Linear(width, 3)
        self.spare = nn.Parameter(torch.ones(3))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one score for each class [b, 3]."""
        return self.head(torch.relu(self.layer(inputs)))


def test_a_parameter_that_no_operation_uses_is_inherited_by_the_same_architecture_only():
    plan = legatee.plan(Spare(6), Spare(4))
    (reason,) = [entry.reason for entry in plan.untouched if entry.target == "spare"]
    assert reason == "no operation uses it in a forward pass, so its channels are unknown"
    assert "spare" in taken(legatee.plan(Spare(4), Spare(4)))


def test_nothing_is_inherited_of_modules_that_fit_in_parts():
    with pytest.raises(
        TransferError, match="axis 0 has 6 positions in the target and 5 in the source"
    ):
        legatee.plan(Untraceable(5), Untraceable(6))


def test_a_network_that_needs_another_input_than_guessed_takes_a_batch():
    class Sized(nn.Module):
        def __init__(self, width: int):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, width, 3), nn.Linear(width * 25, 2)

        def forward(self, x):
            return self.head(self.conv(x).relu().flatten(1))

    plan = legatee.plan(Sized(6), Sized(4), example_inputs=torch.zeros(2, 3, 7, 7))
    assert taken(plan) == {"conv.weight", "conv.bias"}


def test_planning_leaves_no_hooks_behind():
    network = small_resnet(4)
    legatee.plan(network, small_resnet(4))
    hooks = [
        (*module._forward_hooks, *module._forward_pre_hooks, *module._backward_hooks)
        for module in network.modules()
    ]
    assert not any(hooks)


def test_planning_leaves_a_network_that_trains():
    network = small_resnet(4)
    legatee.plan(network, small_resnet(4))
    network(torch.randn(2, 3, 16, 16)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_planning_under_no_grad_is_planning():
    source, target = small_resnet(6), small_resnet(4)
    expected = legatee.plan(source, target)
    with torch.no_grad():
        assert legatee.plan(source, target) == expected
