"""Verdicts: right as often as they say, and in words that hold."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from legatee.experiments.verdicts import Claimed, Effect, judged
from legatee.finding import Outcome


def decided(*values, **bounds):
    effects = [
        Effect(what=f"effect {i}", values=np.array(v), **bounds) for i, v in enumerate(values)
    ]
    (claim,) = judged([Claimed(text="It is so.", source="nobody", effects=effects)])
    return claim


ABOVE, BELOW, AROUND = [1.0, 1.1, 0.9, 1.0], [-1.0, -1.1, -0.9, -1.0], [1.0, -1.0, 0.9, -0.8]


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([ABOVE], Outcome.CONFIRMED),
        ([BELOW], Outcome.REFUTED),
        ([AROUND], Outcome.UNDECIDED),
        ([ABOVE, ABOVE], Outcome.CONFIRMED),
        ([ABOVE, AROUND], Outcome.UNDECIDED),
        ([ABOVE, AROUND, BELOW], Outcome.REFUTED),  # one that fails is enough
        ([[1.0]], Outcome.UNDECIDED),  # of one seed nothing follows
        ([[*ABOVE, math.nan]], Outcome.UNDECIDED),  # a seed that diverged counts
        ([[*ABOVE, math.inf]], Outcome.UNDECIDED),
        ([[*BELOW, math.nan]], Outcome.UNDECIDED),
        ([[math.nan, math.nan]], Outcome.UNDECIDED),
        ([ABOVE, [*ABOVE, math.nan]], Outcome.UNDECIDED),
        ([BELOW, [*ABOVE, math.nan]], Outcome.REFUTED),
    ],
)
def test_a_claim_is_what_its_effects_are_together(values, outcome):
    assert decided(*values).outcome is outcome


def test_a_claim_may_say_less_than_or_both():
    assert decided(BELOW, at_least=None, at_most=0.0).outcome is Outcome.CONFIRMED
    assert decided(ABOVE, at_least=None, at_most=0.0).outcome is Outcome.REFUTED
    assert decided(ABOVE, at_least=0.5, at_most=1.5).outcome is Outcome.CONFIRMED
    assert decided(ABOVE, at_least=-0.5, at_most=0.5).outcome is Outcome.REFUTED


def test_intervals_are_students():
    (test,) = decided(ABOVE).tests
    # mean 1, standard deviation 0.0816, four values: 3.182 is the 97.5 % point of t with 3 degrees
    assert test.estimate == pytest.approx(1.0)
    assert test.upper - test.estimate == pytest.approx(3.182 * 0.08165 / 2, rel=1e-3)
    assert test.estimate - test.lower == pytest.approx(test.upper - test.estimate)


def test_all_intervals_of_a_finding_hold_at_once():
    one, two = (
        judged([Claimed(text="", source="", effects=[Effect(what="", values=np.array(ABOVE))] * n)])
        for n in (1, 2)
    )
    # half the level for each: 4.177 is the 98.75 % point of t with 3 degrees of freedom
    ratio = (two[0].tests[0].upper - 1) / (one[0].tests[0].upper - 1)
    assert ratio == pytest.approx(4.177 / 3.182, rel=1e-3)


def test_a_false_claim_is_confirmed_as_seldom_as_it_says():
    # 400 studies of eight seeds each, whose effect lies exactly at the edge of what is claimed:
    # 2.5 % of them may confirm it, 2.5 % refute it; 5 standard errors of a share of 2.5 % are 3.9 %
    values = np.random.default_rng(5).normal(size=(400, 8))
    outcomes = [decided(row).outcome for row in values]
    for outcome in (Outcome.CONFIRMED, Outcome.REFUTED):
        assert 0 < outcomes.count(outcome) < 400 * (0.025 + 0.039)


def test_the_seeds_that_it_says_would_decide_it_do():
    # a tenth of a standard deviation above what is claimed: about (1.96 / 0.1)^2 = 384 are needed
    effect = norm.ppf((np.arange(40) + 0.5) / 40) + 0.1
    claim = decided(effect)
    assert claim.outcome is Outcome.UNDECIDED
    assert claim.tests[0].seeds_needed == pytest.approx(384, rel=0.2)
    assert decided(np.tile(effect, 11)).outcome is Outcome.CONFIRMED


def test_the_sentence_names_what_decides():
    assert decided(ABOVE, [0.2, 0.3, 0.1, 0.2]).because == (
        "the weakest of 2 is effect 1: 0.20 points (0.03 to 0.37); claimed: more than 0.0"
    )


def test_the_sentence_says_how_many_of_how_many_seeds_diverged():
    assert decided([*ABOVE, math.nan, -math.inf]).because == (
        "2 of 6 seeds diverged, so effect 0 is unknown"
    )
    assert decided(ABOVE, [math.nan, 1.0], [math.nan] * 3).because == (
        "effect 0: 1.0 points (0.80 to 1.2); claimed: more than 0.0; "
        "1 of 2 seeds diverged, so effect 1 is unknown; "
        "3 of 3 seeds diverged, so effect 2 is unknown"
    )


def test_seeds_that_diverged_count_as_seeds_and_more_of_them_decide_nothing():
    (test,) = decided([*ABOVE, math.nan]).tests
    assert test.seeds == 5
    assert test.seeds_needed is None
    assert math.isnan(test.estimate)
    assert (test.lower, test.upper) == (-math.inf, math.inf)


def test_one_seed_has_no_interval_and_does_not_say_how_many_would_decide():
    claim = decided([1.5])
    assert claim.because == (
        "effect 0: 1.5 points (no interval from one seed); claimed: more than 0.0"
    )
    assert claim.tests[0].seeds_needed is None


def test_an_effect_exactly_at_the_edge_needs_more_seeds_than_are_counted():
    assert decided([1.0, -1.0]).tests[0].seeds_needed == 10**6
