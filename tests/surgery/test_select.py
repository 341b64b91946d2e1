import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legatee.surgery.planning.select import evenly, highest
from surgery_references import spread

SIZES = st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(SIZES)
def test_even_selection_is_the_published_formula(sizes):
    assert evenly(*sizes) == spread(*sizes)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(SIZES)
def test_even_selection_stays_within_half_a_position_of_even_spacing(sizes):
    available, wanted = sizes
    step = available / wanted if available % wanted == 0 else (available - 1) / (wanted - 1)
    picked = evenly(*sizes)
    assert all(abs(channel - i * step) <= 0.5 + 1e-3 for i, channel in enumerate(picked))


@pytest.mark.parametrize(
    ("available", "wanted", "expected"),
    [
        (8, 4, [0, 2, 4, 6]),
        (7, 3, [0, 3, 6]),
        (5, 4, [0, 1, 3, 4]),
        (10, 1, [0]),
        (6, 5, [0, 1, 2, 4, 5]),  # 0, 1.25, 2.5 (to even: 2), 3.75, 5
    ],
)
def test_even_selection_by_hand(available, wanted, expected):
    assert evenly(available, wanted) == expected


@pytest.mark.parametrize(
    ("scores", "wanted", "expected"),
    [
        ([1.0, 9.0, 3.0, 2.0], 2, [1, 2]),
        ([5.0, 5.0, 5.0, 7.0], 2, [0, 3]),  # of equal scores the first
        ([np.nan, 1.0, np.nan, 0.0], 3, [1, 3]),  # no score, not selected
        ([np.nan, np.nan], 1, []),
        ([0.0, np.inf, -np.inf], 2, [0, 1]),
        ([2.0, 1.0], 2, [0, 1]),
    ],
)
def test_the_highest_scores_by_hand(scores, wanted, expected):
    assert highest(np.array(scores), wanted) == expected
