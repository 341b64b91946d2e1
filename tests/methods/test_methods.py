"""What each method copies and trains, and that methods survive being written down."""

import pytest
import torch
from torch import nn

import legatee
from legatee.advisor.race import Race
from legatee.errors import LegateeError, TransferError
from legatee.methods import Inherit, LinearProbe, Scratch
from legatee.methods.linear_probe import head_of
from legatee.methods.read import read_method
from legatee.plans.options import PlanOptions


def network(seed, width=8):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 3),
    )


def values(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_scratch_leaves_the_network_alone_and_trains_everything():
    target = network(1)
    before = values(target)
    prepared = Scratch().prepare(target, network(2), seed=0)
    assert prepared.network is target
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())
    (group,) = prepared.parameter_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in target.parameters()]
    assert (group["lr_scale"], prepared.receipt, prepared.penalty) == (1, None, None)


def test_inherit_copies_what_its_plan_says_and_trains_everything():
    source, target = network(2, width=16), network(1)
    method = Inherit(alpha=0.5, rule="first")
    plan = method.plan(target, source, seed=0)
    before = values(target)
    prepared = method.prepare(target, source, seed=0)
    assert torch.equal(target[0].weight[:4], source[0].weight[:4])
    assert torch.equal(target[0].weight[4:], before["0.weight"][4:])
    assert prepared.receipt.plan_digest == plan.digest
    assert prepared.receipt.inherited_fraction == plan.inherited_fraction
    assert sum(len(group["params"]) for group in prepared.parameter_groups) == 6
    assert [group["lr_scale"] for group in prepared.parameter_groups] == [1]
    assert (prepared.network, prepared.penalty) == (target, None)


def test_parameters_that_need_no_gradient_are_in_no_group():
    target = network(1)
    target[0].requires_grad_(False)
    for method in (Scratch(), Inherit(rule="first")):
        (group,) = method.prepare(target, network(2), seed=0).parameter_groups
        expected = [*target[1].parameters(), *target[6].parameters()]
        assert [id(p) for p in group["params"]] == [id(p) for p in expected]


def test_a_plan_traces_with_the_data_where_no_input_can_be_guessed():
    def of_twenty_pixels(width):
        return nn.Sequential(
            nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(width * 18 * 18, 3)
        )

    source, target = of_twenty_pixels(8), of_twenty_pixels(4)
    with pytest.raises(TransferError):
        Inherit().plan(target, source, 0)
    inputs = torch.rand(5, 1, 20, 20)
    made = Inherit().plan(target, source, 0, (inputs, torch.tensor([0, 1, 2, 0, 1])))
    assert made.entries == legatee.plan(source, target, example_inputs=inputs[:1]).entries
    parameters = sum(p.numel() for p in target.parameters())
    assert made.inherited_fraction == (4 * 9 + 4) / parameters  # the convolution and its bias


def by_hand(network, catalog, data):
    return None


@pytest.mark.parametrize(
    ("rule", "needs_data", "depends_on_seed"),
    [
        ("active", True, False),
        ("signal", True, False),
        ("uniform", False, False),
        ("largest", False, False),
        ("random", False, True),
        ({"0.weight": (0, 1)}, False, False),
        (by_hand, True, True),  # nobody knows what it does, so it may do both
    ],
)
def test_methods_say_what_their_rule_looks_at(rule, needs_data, depends_on_seed):
    for method in (Inherit(rule=rule), LinearProbe(rule=rule)):
        assert (method.needs_data, method.depends_on_seed) == (needs_data, depends_on_seed)


def test_scratch_looks_at_nothing_and_has_no_plan_and_no_options():
    scratch = Scratch()
    assert (scratch.needs_data, scratch.depends_on_seed) == (False, False)
    assert scratch.plan(network(1), network(2), seed=0) is None
    assert scratch.with_options(alpha=0.5) is scratch


def test_other_options_are_added_to_those_there_are():
    method = Inherit(alpha=0.5, rule="first")
    assert method.with_options(head=False) == Inherit(alpha=0.5, rule="first", head=False)
    assert method == Inherit(alpha=0.5, rule="first")


def test_a_linear_probe_copies_all_but_the_head_and_trains_nothing_else():
    source, target = network(2), network(1)
    head = target[6].weight.detach().clone()
    prepared = LinearProbe().prepare(target, source, seed=0)
    assert torch.equal(target[0].weight, source[0].weight)
    assert torch.equal(target[6].weight, head)
    trained = [p for group in prepared.parameter_groups for p in group["params"]]
    assert [id(p) for p in trained] == [id(target[6].weight), id(target[6].bias)]
    assert [group["lr_scale"] for group in prepared.parameter_groups] == [1]
    assert prepared.network is target
    assert [group["lr_scale"] for group in prepared.parameter_groups] == [1]
    assert prepared.network is target
    assert {n for n, p in target.named_parameters() if p.requires_grad} == {"6.weight", "6.bias"}


def test_a_linear_probe_keeps_statistics_and_dropout_as_they_were():
    source, target = network(2), network(1)
    prepared = LinearProbe().prepare(target, source, seed=0)
    body = prepared.network[:6]
    inputs = torch.randn(9, 1, 8, 8)
    expected = source.eval()[:6](inputs)
    prepared.network.train()
    assert torch.equal(body(inputs), expected)
    assert torch.equal(target[1].running_mean, source[1].running_mean)


def test_a_linear_probe_learns_only_its_head():
    source, target = network(2), network(1)
    prepared = LinearProbe().prepare(target, source, seed=0)
    before = values(target)
    data = legatee.load_data("digits:classes=0-2,n=60")
    trained = legatee.TrainingLoop(epochs=2, device="cpu")(prepared, data, 0)
    changed = {n for n, value in trained.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {"6.weight", "6.bias"}


def test_a_linear_probe_never_takes_a_head():
    probe = LinearProbe(head=True)
    assert probe.options.head is False
    assert probe.with_options(head=True, class_names=("a", "b", "c")).options == probe.options
    assert probe.with_options(alpha=0.5).options.alpha == 0.5


def test_a_network_without_a_head_of_its_own_has_no_probe():
    class Free(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 4, 3)

        def forward(self, x):
            return self.layer(x).flatten(1).mean(1, keepdim=True)

    with pytest.raises(LegateeError):
        head_of(Free())


@pytest.mark.parametrize(
    "method",
    [
        Scratch(),
        Inherit(alpha=0.5, rule="random", exclude="layer4"),
        Inherit(PlanOptions(class_map={"cat": 2})),
        LinearProbe(match="first:2"),
    ],
    ids=lambda method: method.kind,
)
def test_methods_survive_json(method):
    assert type(method).model_validate_json(method.model_dump_json()) == method
    assert read_method(method.model_dump(mode="json")) == method


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"kind": "prayer"}, "this is no method"),
        ({"kind": "scratch", "alpha": 1}, "this is no method: scratch.alpha"),
        ("inherit", "this is no method: the method: "),
        ({"kind": "inherit", "options": {"alpha": 2}}, "alpha=2"),
        ({"kind": "inherit", "options": {"colour": 2}}, "no option 'colour'"),
    ],
)
def test_what_is_no_method_is_refused(content, words):
    with pytest.raises(LegateeError, match=words):
        read_method(content)


def test_options_are_checked_where_they_are_given():
    with pytest.raises(TransferError, match=r"alpha=1\.5"):
        Inherit(alpha=1.5)


def test_a_random_rule_draws_other_channels_under_another_seed():
    source, target = network(2, width=32), network(1)
    method = Inherit(rule="random")
    taken = {
        seed: next(
            m for m in method.plan(target, source, seed).moves if m.target == "0.weight"
        ).take
        for seed in (0, 1, 0)
    }
    assert len({taken[0], taken[1]}) == 2
    again = Inherit(rule="random", seed=1).plan(target, source, 0)
    assert next(m for m in again.moves if m.target == "0.weight").take == taken[1]
    assert method.depends_on_seed
    assert not Inherit(rule="uniform").depends_on_seed


def race(method, fit=None, **changes):
    data = legatee.load_data("digits:classes=0-2,n=45")
    arms = (legatee.Arm(name="scratch", method=Scratch()), legatee.Arm(name="x", method=method))
    fields = {
        "source": network(2, width=16),
        "make_target": lambda: network(1),
        "train": data,
        "held_out": data,
        "arms": arms,
        "seeds": (0, 1),
        "fit": fit,
        "metric": None,
    }
    return Race(**(fields | changes))


@pytest.mark.parametrize("rule", ["active", "signal"])
def test_rules_that_look_at_data_see_all_training_examples(rule):
    """By hand: the channels that a call of plan() with all the data takes."""
    data = legatee.load_data("digits:classes=0-2,n=45")
    one = race(Inherit(rule=rule, alpha=0.5))
    plan = one.plans["x"]
    expected = legatee.plan(
        one.source,
        network(1),
        alpha=0.5,
        rule=rule,
        data=(data.inputs.float() / (255 if data.inputs.dtype == torch.uint8 else 1), data.targets),
    )
    assert plan.entries == expected.entries


def test_rules_that_look_at_data_refuse_to_do_without():
    with pytest.raises(TransferError, match=r"'active' looks at training data; pass data="):
        Inherit(rule="active").plan(network(1), network(2), 0)


def test_a_race_plans_once_unless_the_rule_is_random(monkeypatch):
    calls = []
    for method in (Inherit(), Inherit(rule="random")):
        one = race(method)
        plan = type(method).plan
        monkeypatch.setattr(
            type(method),
            "plan",
            lambda self, *given, _plan=plan: calls.append(1) or _plan(self, *given),
        )
        for seed in (0, 1, 2):
            one.plan(one.arms[1], one.start(seed), seed)
        monkeypatch.undo()
    assert len(calls) == 1 + 3
