"""Positions along an axis, and boxes of them that must not overlap."""

import time
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legatee.plans.positions import apart, compress, disjoint, expand

POSITIONS = st.lists(st.integers(0, 200), unique=True, max_size=30)
RUN = st.builds(
    lambda start, count, step: range(start, start + count * step, step),
    st.integers(0, 30),
    st.integers(1, 12),
    st.integers(1, 7),
)


@given(POSITIONS)
def test_positions_survive_being_written(positions):
    assert list(expand(compress(positions))) == positions


@given(st.integers(0, 9), st.integers(1, 40), st.integers(1, 7))
def test_evenly_spaced_positions_are_one_run_and_read_as_a_range(start, count, step):
    positions = range(start, start + count * step, step)
    text = compress(positions)
    assert "," not in text
    assert isinstance(expand(text), range)


@pytest.mark.parametrize("text", ["a:b", "1:2:0", "-3:4", "1"])
def test_positions_that_are_none_are_refused(text):
    with pytest.raises((ValueError, TypeError)):
        expand(text)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(RUN, max_size=4))
def test_runs_are_disjoint_if_no_position_is_in_two(runs):
    assert disjoint(runs) == all(not set(a) & set(b) for a, b in combinations(runs, 2))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(RUN, min_size=17, max_size=20))
def test_many_runs_are_disjoint_if_no_position_is_in_two(runs):
    assert disjoint(runs) == all(not set(a) & set(b) for a, b in combinations(runs, 2))


def test_many_runs_that_interleave_without_meeting_are_disjoint():
    assert disjoint([range(n, 2000, 40) for n in range(40)])
    assert not disjoint([*(range(n, 2000, 40) for n in range(40)), range(1999, 2000)])


BOX = st.tuples(RUN, RUN).map(lambda box: tuple(compress(run) for run in box))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(BOX, max_size=5))
def test_boxes_are_apart_if_no_element_is_in_two(boxes):
    elements = [set(product(*map(expand, box))) for box in boxes]
    assert apart(boxes) == all(not a & b for a, b in combinations(elements, 2))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), unique=True, max_size=36))
def test_tiles_are_apart(places):
    tiles = [(f"{3 * i}:{3 * i + 3}", f"{2 * j}:{2 * j + 2}") for i, j in places]
    assert apart(tiles)
    if tiles:
        i, j = places[-1]
        assert not apart([*tiles, (f"{3 * i + 2}:{3 * i + 4}", f"{2 * j + 1}:{2 * j + 2}")])


def test_boxes_without_an_axis_are_one_element():
    assert apart([()])
    assert not apart([(), ()])


def test_boxes_without_elements_are_apart_from_all():
    assert apart([("", "0:3"), ("", "0:3"), ("0:9", "0:3")])


@pytest.mark.parametrize(
    "boxes",
    [
        [(f"{n}:{n + 1}", "0:3") for n in range(3000)],
        [(f"{n % 60}:{n % 60 + 1}", f"{n // 60}:{n // 60 + 1}") for n in range(3000)],
        [(f"{n}:{n + 1}", f"{n}:3000") for n in range(3000)],
    ],
    ids=["rows", "tiles", "stairs"],
)
def test_thousands_of_boxes_are_compared_at_once(boxes):
    start = time.process_time()
    assert apart(boxes)
    assert not apart([*boxes, boxes[1500]])
    assert time.process_time() - start < 1


def test_too_many_boxes_that_interleave_are_refused_at_once():
    crossing = [(f"{n}:{6000 - n}", f"{3000 - n}:{3000 + n + 1}") for n in range(2900)]
    start = time.process_time()
    with pytest.raises(ValueError, match=r"2900 moves interleave; at most 16 are compared"):
        apart(crossing)
    assert time.process_time() - start < 1
