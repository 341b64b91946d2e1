"""Coverage from both sides: an interval that misses too often fails, and one that is too wide."""

import numpy as np
import pytest
from scipy.stats import binom, norm, ttest_1samp
from scipy.stats import t as student

from legatee.intervals import gain_interval, gain_spread, mean_error, mean_interval

TABLES = [  # seeds, examples, and the spread between seeds, between examples, and of the rest
    pytest.param(5, 300, 0.05, 0.2, 0.4, id="everything varies"),
    pytest.param(3, 60, 0.10, 0.1, 0.1, id="seeds matter most"),
    pytest.param(8, 40, 0.00, 0.5, 0.1, id="examples matter most"),
    pytest.param(5, 300, 0.00, 0.0, 0.4, id="nothing but noise"),
]


@pytest.mark.parametrize(("seeds", "examples", "by_seed", "by_example", "rest"), TABLES)
def test_it_misses_no_more_often_and_is_no_wider_than_it_has_to(
    seeds, examples, by_seed, by_example, rest
):
    rng, truth, runs = np.random.default_rng(7), 0.03, 2000
    misses, widths = 0, []
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
        widths.append((found.upper - found.lower) / 2)
    assert misses <= binom.ppf(0.999, runs, 0.05)
    # an oracle that knows all variances, and pays Student's quantile for the seeds alone
    of_seeds = student.ppf(0.975, seeds - 1) ** 2 * (by_seed**2 + rest**2 / examples) / seeds
    oracle = np.sqrt(of_seeds + norm.ppf(0.975) ** 2 * by_example**2 / examples)
    assert np.mean(widths) <= 1.3 * oracle


def draw_scores(rng, seeds, examples, gain, spread=0.5):
    """Return 0/1 scores of two networks whose logits vary with seed, example and both."""
    shared = spread * rng.standard_normal((seeds, 1)) + rng.standard_normal(examples)
    tables = []
    for shift in (gain, 0):
        own = spread * rng.standard_normal((seeds, 1)) + spread * rng.standard_normal(examples)
        logits = 0.8 + shift + shared + own + spread * rng.standard_normal((seeds, examples))
        tables.append((rng.random((seeds, examples)) < 1 / (1 + np.exp(-logits))).astype(float))
    return tables


@pytest.mark.parametrize(("seeds", "examples"), [(2, 12), (2, 100), (3, 40), (5, 200), (8, 100)])
def test_scores_of_right_and_wrong_are_covered_too(seeds, examples):
    """Without a true gain: both networks are drawn alike, so the truth is 0 exactly."""
    rng, runs = np.random.default_rng(11), 600
    found = [gain_interval(*draw_scores(rng, seeds, examples, 0.0), 0.05) for _ in range(runs)]
    assert sum(not x.lower <= 0 <= x.upper for x in found) <= binom.ppf(0.999, runs, 0.05)


def test_a_gain_that_everybody_would_see_is_seen():
    rng = np.random.default_rng(2)
    found = [gain_interval(*draw_scores(rng, 5, 200, 2.0, spread=0.1), 0.05 / 3) for _ in range(50)]
    assert all(interval.lower > 0 for interval in found)


@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_at_a_third_of_the_error_rate_hold_for_three_arms_at_once(seeds):
    rng, runs, misses = np.random.default_rng(13), 1000, 0
    for _ in range(runs):
        effects = 0.3 * rng.standard_normal((4, seeds, 1)) + 0.2 * rng.standard_normal((4, 1, 60))
        tables = effects + 0.5 * rng.standard_normal((4, seeds, 60))
        found = [gain_interval(arm, tables[0], 0.05 / 3) for arm in tables[1:]]
        misses += any(not x.lower <= 0 <= x.upper for x in found)
    assert misses <= binom.ppf(0.999, runs, 0.05)


@pytest.mark.parametrize("seeds", [3, 6, 8])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.2, 0.2, 0.2, 0.2, 0.2)])
def test_networks_that_predict_one_class_for_everything_are_covered(seeds, shares):
    rng, runs, misses = np.random.default_rng(5), 500, 0
    for _ in range(runs):
        labels = rng.choice(len(shares), 60, p=shares)
        arm, scratch = (labels == rng.integers(len(shares), size=(2, seeds, 1))).astype(float)
        found = gain_interval(arm, scratch, 0.05)
        misses += not found.lower <= 0 <= found.upper
    assert misses <= binom.ppf(0.999, runs, 0.05)


def test_an_interaction_without_effects_of_seeds_and_examples_is_not_certainty():
    arm = np.array([[1] * 50 + [0] * 50, [0] * 50 + [1] * 50] * 3)
    found = gain_interval(1 - arm, arm, 0.05 / 3)
    # every difference is 1 or -1, and all of it is residual: 600 / (5 * 99) over 600 scores
    standard_error = np.sqrt(600 / (5 * 99) / 600)
    assert found.estimate == 0
    assert found.upper >= 0.99 * norm.ppf(1 - 0.05 / 6) * standard_error
    assert found.upper <= 3 * standard_error
    assert found.lower == -found.upper


def test_with_seeds_alone_it_is_the_paired_t_interval():
    rng = np.random.default_rng(3)
    by_seed = rng.normal(0.1, 0.05, (6, 1))
    wide = np.repeat(by_seed, 4000, axis=1)  # no variation over examples at all
    found = gain_interval(2 + wide, np.full_like(wide, 2), 0.05)
    expected = ttest_1samp(by_seed[:, 0], 0).confidence_interval(0.95)
    assert (found.lower, found.upper) == pytest.approx(expected, rel=0.01)


def test_with_examples_alone_it_is_the_paired_t_interval_over_examples():
    by_example = np.random.default_rng(4).normal(0.1, 0.5, (1, 4000))
    tall = np.repeat(by_example, 3, axis=0)  # every seed gives the same
    found = gain_interval(2 + tall, np.full_like(tall, 2), 0.05)
    expected = ttest_1samp(by_example[0], 0).confidence_interval(0.95)
    assert (found.lower, found.upper) == pytest.approx(expected, rel=0.01)


def slow_half_width(difference, most, error_rate):
    """Return the half-width from sums over single cells, as a textbook writes them."""
    table = [[*row, most, -most] for row in difference.tolist()]
    rows, columns = len(table), len(table[0])
    mean = sum(map(sum, table)) / (rows * columns)
    by_row = [sum(row) / columns for row in table]
    by_column = [sum(row[c] for row in table) / rows for c in range(columns)]
    ss_rows = columns * sum((x - mean) ** 2 for x in by_row)
    ss_columns = rows * sum((x - mean) ** 2 for x in by_column)
    ss_rest = sum((x - mean) ** 2 for row in table for x in row) - ss_rows - ss_columns
    ms_rows, ms_columns = ss_rows / (rows - 1), ss_columns / (columns - 1)
    ms_rest = ss_rest / (rows - 1) / (columns - 1)
    by_seed = student.ppf(1 - error_rate / 2, rows - 1)
    by_example = student.ppf(1 - error_rate / 2, columns - 2 - 1)  # pseudo-examples do not count
    of_seeds = max(by_seed**2 * ms_rows, by_example**2 * ms_rest)
    of_examples = by_example**2 * max(ms_columns - ms_rest, 0)
    return ((of_seeds + of_examples) / (rows * columns)) ** 0.5


@pytest.mark.parametrize("by_example", [0.0, 2.0])
@pytest.mark.parametrize("by_seed", [0.0, 2.0])
def test_it_is_what_a_textbook_would_compute(by_seed, by_example):
    rng = np.random.default_rng(6)
    difference = (
        by_seed * rng.standard_normal((4, 1))
        + by_example * rng.standard_normal((1, 9))
        + rng.standard_normal((4, 9))
    )
    found = gain_interval(difference, np.zeros((4, 9)), 0.02)
    half = slow_half_width(difference, np.abs(difference).max(), 0.02)
    assert found.estimate == pytest.approx(difference.mean())
    assert found.upper - found.estimate == pytest.approx(half)
    assert found.estimate - found.lower == pytest.approx(half)


def test_shares_count_an_example_as_one_and_no_gain_goes_beyond_one():
    arm, scratch = np.array([[0.9] * 6, [0.2] * 6]), np.array([[0.1] * 6, [0.3] * 6])
    half = slow_half_width(arm - scratch, 1.0, 0.3)
    found = gain_interval(arm, scratch, 0.3)
    assert found.estimate - found.lower == pytest.approx(half)
    wide = gain_interval(arm, scratch, 0.05)
    assert (wide.lower, wide.upper) == (-1, 1)
    beyond = gain_interval(10 * arm, 10 * scratch, 0.05)
    assert beyond.lower < -1 < 1 < beyond.upper


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


@pytest.mark.parametrize(
    ("by_seed", "by_example", "more"),
    [(1.0, 0.1, {"seeds": 24}), (0.1, 1.0, {"examples": 240}), (0.1, 0.1, {"seeds": 24})],
)
def test_what_more_data_would_give_is_what_more_data_give(by_seed, by_example, more):
    """Large tables: half-widths foretold from a small part agree with those of the whole."""
    rng, foretold, measured = np.random.default_rng(8), [], []
    for _ in range(200):
        table = (
            by_seed * rng.standard_normal((24, 1))
            + by_example * rng.standard_normal((1, 240))
            + 0.5 * rng.standard_normal((24, 240))
        )
        small = table[: 24 if "examples" in more else 12, : 240 if "seeds" in more else 120]
        spread = gain_spread(small, np.zeros_like(small))
        foretold.append(spread.half_width(0.05, **more))
        whole = gain_spread(table, np.zeros_like(table))
        measured.append(whole.half_width(0.05))
    assert np.mean(foretold) == pytest.approx(np.mean(measured), rel=0.05)


def test_more_examples_do_not_help_against_seeds():
    table = np.random.default_rng(9).standard_normal((5, 1)) + np.zeros((5, 50))
    spread = gain_spread(table, np.zeros_like(table))
    assert spread.half_width(0.05, examples=10**6) == pytest.approx(
        student.ppf(0.975, 4) * table[:, 0].std(ddof=1) / np.sqrt(5), rel=0.06
    )


def test_mean_error_of_independent_examples_is_the_binomial_one():
    scores = (np.random.default_rng(5).random((1, 4000)) < 0.3).repeat(4, axis=0)
    assert mean_error(scores) == pytest.approx(np.sqrt(0.3 * 0.7 / 4000), rel=0.05)


def test_mean_error_of_noise_is_that_of_all_scores():
    scores = np.random.default_rng(5).standard_normal((200, 300))
    assert mean_error(scores) == pytest.approx(1 / np.sqrt(200 * 300), rel=0.15)


def test_mean_error_of_an_interaction_alone_is_not_zero():
    scores = np.array([[1, 0], [0, 1]] * 20).repeat(50, axis=1)
    assert mean_error(scores) == pytest.approx(0.5 / np.sqrt(40 * 100), rel=0.05)


def test_the_mean_of_seeds_has_students_interval():
    values = np.random.default_rng(3).normal(0.1, 0.05, 6)
    found = mean_interval(values, 0.1)
    expected = ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.lower, found.upper) == pytest.approx(expected)


def test_a_single_value_has_no_bounds_and_a_diverged_one_no_mean():
    assert mean_interval(np.array([2.0]), 0.05).model_dump() == {
        "estimate": 2.0,
        "lower": -np.inf,
        "upper": np.inf,
    }
    diverged = mean_interval(np.array([2.0, np.nan, 1.0]), 0.05)
    assert np.isnan(diverged.estimate)
    assert (diverged.lower, diverged.upper) == (-np.inf, np.inf)
