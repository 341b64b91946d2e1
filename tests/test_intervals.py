import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp

from legatee.intervals import gain_interval, mean_error

TABLES = [  # seeds, examples, and the spread between seeds, between examples, and of the rest
    pytest.param(5, 300, 0.05, 0.2, 0.4, id="everything varies"),
    pytest.param(3, 60, 0.10, 0.1, 0.1, id="seeds matter most"),
    pytest.param(8, 40, 0.00, 0.5, 0.1, id="examples matter most"),
    pytest.param(5, 300, 0.00, 0.0, 0.4, id="nothing but noise"),
]


@pytest.mark.parametrize(("seeds", "examples", "by_seed", "by_example", "rest"), TABLES)
def test_the_interval_misses_no_more_often_than_it_says(seeds, examples, by_seed, by_example, rest):
    rng, truth, runs = np.random.default_rng(7), 0.03, 2000
    misses = 0
    for _ in range(runs):
        gain = (
            truth
            + by_seed * rng.standard_normal((seeds, 1))
            + by_example * rng.standard_normal((1, examples))
            + rest * rng.standard_normal((seeds, examples))
        )
        scratch = rng.standard_normal((seeds, examples))
        found = gain_interval(scratch + gain, scratch, 0.05)
        misses += not found.lower <= truth <= found.upper
    assert misses <= binom.ppf(0.999, runs, 0.05)


def test_with_seeds_alone_it_is_the_paired_t_interval():
    rng = np.random.default_rng(3)
    by_seed = rng.normal(0.1, 0.05, (6, 1))
    wide = np.repeat(by_seed, 4000, axis=1)  # no variation over examples at all
    found = gain_interval(2 + wide, np.full_like(wide, 2), 0.05)
    expected = ttest_1samp(by_seed[:, 0], 0).confidence_interval(0.95)
    assert (found.lower, found.upper) == pytest.approx(expected, rel=0.01)


def test_a_table_without_a_single_difference_is_not_certainty():
    same = np.ones((3, 20))
    found = gain_interval(same, same, 0.05)
    assert found.estimate == 0
    # the rule of three: 20 examples without an event leave a rate of 3 / 20 possible
    assert 0.05 < found.upper < 0.3
    assert found.lower == -found.upper


def test_wider_when_more_is_compared():
    rng = np.random.default_rng(1)
    arm, scratch = (rng.random((2, 5, 100)) < 0.5).astype(float)
    one, three = (gain_interval(arm, scratch, rate) for rate in (0.05, 0.05 / 3))
    assert three.lower < one.lower < one.estimate < one.upper < three.upper


def test_mean_error_of_independent_examples_is_the_binomial_one():
    scores = (np.random.default_rng(5).random((1, 4000)) < 0.3).repeat(4, axis=0)
    assert mean_error(scores) == pytest.approx(np.sqrt(0.3 * 0.7 / 4000), rel=0.05)


def test_mean_error_of_noise_is_that_of_all_scores():
    scores = np.random.default_rng(5).standard_normal((200, 300))
    assert mean_error(scores) == pytest.approx(1 / np.sqrt(200 * 300), rel=0.15)
