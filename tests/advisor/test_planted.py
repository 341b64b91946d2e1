"""Verdicts that are known beforehand, and the networks that the training function is given."""

import numpy as np
import pytest
import torch
from planted import ALL, DIRECTION, ask, classifier, examples, good_start, random_start
from torch import nn

import legatee
from legatee.advice import ArmStatus, Severity, Verdict
from legatee.intervals import gain_interval
from legatee.methods import Inherit, LinearProbe, Scratch


def test_a_source_that_knows_the_answer_is_inherited():
    advice = ask(classifier(DIRECTION), random_start)
    assert (advice.verdict, advice.best) == (Verdict.INHERIT, "all")
    assert advice.reasons[0].code == "lower-bound-above-zero"
    assert advice.arm("all").score == 1
    assert advice.plan is not None
    assert advice.plan.inherited_fraction == 1


@pytest.mark.parametrize(
    ("factor", "points"), [(1.0, True), (0.5, True), (1.01, False), (-1.0, False)]
)
def test_gains_are_points_where_all_scores_lie_between_0_and_1(factor, points):
    """Right and wrong answers are 0 and 1; what lies beyond has no percentage."""

    def metric(network, data):
        return factor * (network(data.inputs).argmax(1) == data.targets).float()

    advice = ask(classifier(DIRECTION), random_start, metric=metric)
    assert ("points" in advice.reasons[0].text) == points


def test_a_source_that_has_it_all_wrong_is_not():
    advice = ask(classifier(-DIRECTION), good_start)
    assert (advice.verdict, advice.best, advice.plan) == (Verdict.SCRATCH, None, None)
    assert [reason.code for reason in advice.reasons] == [
        "everything-hurts",
        "upper-bounds-below-margin",
    ]
    assert advice.arm("all").score == 0


def test_an_even_case_is_undecided_and_more_data_would_decide_it():
    advice = ask(classifier(DIRECTION + torch.tensor([1.2, 0, 0.8, 0])), good_start, n=40)
    assert advice.verdict is Verdict.UNDECIDED
    assert [reason.code for reason in advice.reasons] == ["intervals-too-wide", "more-data-needed"]
    assert "would decide it" in advice.reasons[1].text


def test_as_many_seeds_as_it_says_do_decide_a_case_that_varies_with_the_seed():
    def start():
        return classifier(DIRECTION, noise=2.0)

    few = ask(classifier(DIRECTION + 0.1), start, seeds=2)
    assert few.verdict is Verdict.UNDECIDED
    assert few.seeds_needed is not None
    assert 2 < few.seeds_needed < 100
    assert ask(classifier(DIRECTION + 0.1), start, seeds=2 * few.seeds_needed).verdict == "inherit"


def test_fit_receives_what_the_plan_says_under_every_seed():
    """Deleting the copy, or copying something else, shows here and nowhere else."""
    received = {}

    def fit(prepared, data, seed):
        key = (seed, prepared.receipt is not None)
        received[key] = (prepared, prepared.network[1].weight.detach().clone())
        return prepared.network

    source = classifier(DIRECTION)
    ask(source, random_start, fit=fit, seeds=[3, 8])
    assert set(received) == {(3, False), (3, True), (8, False), (8, True)}
    for seed in (3, 8):
        torch.manual_seed(seed)
        fresh = random_start()[1].weight
        assert torch.equal(received[seed, False][1], fresh)
        assert torch.equal(received[seed, True][1], source[1].weight)
        prepared = received[seed, True][0]
        assert prepared.receipt.inherited_fraction == 1
        assert [p for g in prepared.parameter_groups for p in g["params"]] == [
            prepared.network[1].weight
        ]


def test_the_level_of_every_interval_is_divided_by_the_number_of_arms():
    arms = [
        legatee.Arm(name="all", method=Inherit()),
        legatee.Arm(name="zeros", method=Rescaled(factor=0.5)),
        legatee.Arm(name="tenth", method=Rescaled(factor=-0.1)),
    ]
    advice = ask(classifier(DIRECTION), good_start, n=50, arms=arms, error_rate=0.09)
    held_out = examples(50, 2)
    scores = []
    for seed in range(6):
        torch.manual_seed(seed)
        scores.append((good_start()(held_out.inputs).argmax(1) == held_out.targets).float().numpy())
    expected = gain_interval(np.ones((6, 50)), np.array(scores), 0.03)
    assert advice.arm("all").gain.lower == pytest.approx(expected.lower, abs=1e-6)
    assert advice.arm("all").gain.upper == pytest.approx(expected.upper, abs=1e-6)
    assert advice.comparisons == 3


class Rescaled(Scratch.__base__):
    """A method of the caller's own: the source's weights times a factor."""

    kind: str = "rescaled"
    factor: float

    def apply(self, plan, network, source):
        with torch.no_grad():
            network[1].weight.copy_(self.factor * source[1].weight)
        return Scratch().apply(plan, network, source)


def test_a_method_of_the_callers_own_takes_part():
    arms = [legatee.Arm(name="flipped", method=Rescaled(factor=-1.0))]
    advice = ask(classifier(-DIRECTION), random_start, arms=arms)
    assert advice.verdict is Verdict.INHERIT
    assert advice.arm("flipped").method == {"kind": "rescaled", "factor": -1.0}


def test_a_linear_probe_is_compared_like_any_arm():
    def fit(prepared, data, seed):
        names = {name for name, p in prepared.network.named_parameters() if p.requires_grad}
        trained.append(names)
        return prepared.network

    def deep():
        return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))

    trained = []
    arms = [legatee.Arm(name="probe", method=LinearProbe())]
    ask(deep(), deep, fit=fit, arms=arms, seeds=2)
    assert trained == 2 * [{"0.weight", "0.bias", "2.weight", "2.bias"}, {"2.weight", "2.bias"}]


def nan_for(condition):
    """A training that ends with weights that are not finite, where the condition holds."""

    def fit(prepared, data, seed):
        if condition(prepared, seed):
            with torch.no_grad():
                prepared.network[1].weight[0, 0] = float("nan")
        return prepared.network

    return fit


def test_an_arm_that_diverged_is_not_recommended_however_good_the_others_are():
    fit = nan_for(lambda prepared, seed: prepared.receipt is not None and seed == 4)
    arms = [*ALL, legatee.Arm(name="same", method=Rescaled(factor=1.0))]
    advice = ask(classifier(DIRECTION), random_start, fit=fit, arms=arms)
    everything = advice.arm("all")
    assert (everything.status, everything.diverged_seeds) == (ArmStatus.DIVERGED, 1)
    assert everything.gain is None
    assert (advice.verdict, advice.best) == (Verdict.INHERIT, "same")
    warning = next(reason for reason in advice.reasons if reason.code == "arm-diverged")
    assert "1 of its trainings" in warning.text
    assert warning.severity is Severity.WARNING
    assert warning.numbers == {"diverged": 1}


def test_where_scratch_diverged_nothing_is_decided():
    fit = nan_for(lambda prepared, seed: prepared.receipt is None)
    advice = ask(classifier(DIRECTION), random_start, fit=fit)
    assert (advice.verdict, advice.best) == (Verdict.UNDECIDED, None)
    assert [reason.code for reason in advice.reasons] == ["scratch-diverged"]
    assert advice.arm("scratch").diverged_seeds == 6
    assert advice.arm("all").gain is None


def test_a_metric_that_is_not_finite_is_a_divergence_too():
    def metric(network, data):
        return torch.full((len(data),), torch.nan)

    advice = ask(classifier(DIRECTION), random_start, metric=metric)
    assert advice.verdict is Verdict.UNDECIDED
    assert all(arm.status is ArmStatus.DIVERGED for arm in advice.arms)


def test_scratch_that_only_guesses_is_called_so_and_the_good_arm_recommended_all_the_same():
    advice = ask(classifier(DIRECTION), random_start)
    guess = next(reason for reason in advice.reasons if reason.code == "scratch-at-chance")
    assert "of 2 classes" in guess.text
    assert "train longer" in guess.text


def test_where_every_arm_only_guesses_nothing_is_decided():
    advice = ask(classifier(torch.tensor([0.0, 1.0, 0.0, 1.0])), random_start)
    assert (advice.verdict, advice.best) == (Verdict.UNDECIDED, None)
    assert [reason.code for reason in advice.reasons] == ["scratch-at-chance"]


def test_classes_are_counted_on_both_sides():
    advice = ask(classifier(DIRECTION), random_start, n=80)
    for counts, data in (
        (advice.train_counts, examples(60, 1)),
        (advice.held_out_counts, examples(80, 2)),
    ):
        right = int(data.targets.sum())
        assert counts == {"left": len(data) - right, "right": right}


def test_a_random_rule_draws_channels_anew_for_each_seed_and_the_interval_sees_it():
    """Everything else is the same under all seeds: only the draw of channels can vary."""

    def two_layers(width, seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))

    def widths(rule):
        arms = [legatee.Arm(name="half", method=Inherit(rule=rule, alpha=0.5))]
        advice = ask(two_layers(40, 1), lambda: two_layers(8, 2), arms=arms)
        gain = advice.arm("half").gain
        return gain.upper - gain.lower

    assert widths("random") > 1.3 * widths("uniform")
