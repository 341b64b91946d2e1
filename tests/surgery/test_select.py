import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legatee.errors import UnknownNameError
from legatee.surgery.planning.select import select
from surgery_references import spread

SIZES = st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(SIZES)
def test_the_uniform_rule_is_the_published_formula(sizes):
    assert select("uniform", *sizes, rng()) == spread(*sizes)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(SIZES)
def test_the_uniform_rule_stays_within_half_a_channel_of_even_spacing(sizes):
    available, wanted = sizes
    step = available / wanted if available % wanted == 0 else (available - 1) / (wanted - 1)
    picked = select("uniform", *sizes, rng())
    assert all(abs(channel - i * step) <= 0.5 + 1e-3 for i, channel in enumerate(picked))


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [(8, 4, [0, 2, 4, 6]), (7, 3, [0, 3, 6]), (5, 4, [0, 1, 3, 4]), (10, 1, [0]), (6, 5, None)],
)
def test_the_uniform_rule_by_hand(available, wanted, expected):
    expected = expected or [0, 1, 2, 4, 5]  # 0, 1.25, 2.5 (to even: 2), 3.75, 5
    assert select("uniform", available, wanted, rng()) == expected


@settings(derandomize=True, deadline=None, max_examples=50)
@given(SIZES)
def test_the_first_rule_takes_the_first(sizes):
    assert select("first", *sizes, rng()) == list(range(sizes[1]))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(SIZES, st.integers(0, 5), st.sampled_from(["uniform", "first", "random"]))
def test_every_rule_picks_so_many_different_channels_in_order(sizes, seed, rule):
    available, wanted = sizes
    picked = select(rule, available, wanted, rng(seed))
    assert picked == sorted(set(picked))
    assert len(picked) == wanted
    assert set(picked) <= set(range(available))


def test_the_random_rule_reaches_every_channel_equally_often():
    """40,000 draws of 3 among 8: each share 3/8 within five standard errors."""
    source, draws = rng(1), 40_000
    counts = np.zeros(8)
    for _ in range(draws):
        counts[select("random", 8, 3, source)] += 1
    error = np.sqrt(3 / 8 * 5 / 8 / draws)
    assert np.abs(counts / draws - 3 / 8).max() < 5 * error


def test_an_unknown_rule_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="uniform"):
        select("unifrom", 4, 2, rng())
