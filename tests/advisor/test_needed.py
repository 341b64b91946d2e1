"""How much more would decide a case, where the answer can be worked out by hand."""

import pytest
from scipy.stats import t

from legatee.advisor.needed import needed
from legatee.intervals import GainSpread


def spread(mean, seeds=5, between_seeds=0.0, between_examples=0.0):
    return GainSpread(
        mean=mean,
        seeds=seeds,
        examples=100,
        between_seeds=between_seeds,
        residual=0.0,
        between_examples=between_examples,
        bound=1.0,
    )


@pytest.mark.parametrize(
    ("mean", "margin", "whole", "decided"),
    [
        pytest.param(0.0, 0.0, ["all"], False, id="no gain, no loss, and a margin of nothing"),
        pytest.param(1e-9, 0.0, [], True, id="some gain"),
        pytest.param(-1e-9, 0.0, [], True, id="less than the margin"),
        pytest.param(-0.1, -0.2, [], False, id="a loss, but above the margin"),
        pytest.param(-0.1, -0.2, ["all"], True, id="the loss of everything"),
        pytest.param(-0.1, -0.1, [], False, id="exactly the margin"),
    ],
)
def test_without_any_variance_the_mean_alone_decides(mean, margin, whole, decided):
    """A lower bound must be above 0, an upper bound below the margin: equal is neither."""
    more = needed({"all": spread(mean)}, margin, 0.05, whole)
    assert (more.seeds is not None, more.examples is not None) == (decided, decided)


def test_more_is_at_least_one_more():
    more = needed({"all": spread(0.5, seeds=60)}, 0.0, 0.05)
    assert (more.seeds, more.examples) == (61, 101)


def test_the_first_number_of_seeds_that_is_enough_is_said():
    """One more than 60: the half-width is Student's quantile times the error of the mean."""
    half = [float(t.ppf(0.975, n - 1) * (60 / n) ** 0.5) for n in (60, 61)]
    variance = (0.1 / (sum(half) / 2)) ** 2
    assert needed({"all": spread(0.1, 60, variance)}, 0.0, 0.05).seeds == 61


@pytest.mark.parametrize(("mean", "seeds"), [(0.1, 1000), (0.0999, None)])
def test_a_thousand_seeds_are_still_said_and_more_are_not(mean, seeds):
    variance = (0.09995 / float(t.ppf(0.975, 999)) * (1000 / 5) ** 0.5) ** 2
    assert needed({"all": spread(mean, 5, variance)}, 0.0, 0.05).seeds == seeds


@pytest.mark.parametrize(("mean", "examples"), [(0.1, 100_000), (0.0999, None)])
def test_a_hundred_thousand_examples_are_still_said_and_more_are_not(mean, examples):
    variance = (0.09995 / float(t.ppf(0.975, 99_999)) * (100_000 / 100) ** 0.5) ** 2
    more = needed({"all": spread(mean, between_examples=variance)}, 0.0, 0.05)
    assert more.examples == examples


def test_one_arm_whose_loss_is_shown_decides_nothing_while_another_may_gain():
    arms = {"all": spread(-0.1), "half": spread(0.2, between_examples=1.0)}
    assert needed(arms, 0.01, 0.05).seeds is None
    assert needed(arms, 0.01, 0.05, whole=["all"]).seeds == 6
    assert needed(arms, 0.01, 0.05, whole=["half", "other"]).seeds is None
