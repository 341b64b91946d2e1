import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legatee import Grid, LegateeError, Setting, Task

BASE = Setting(
    d=900,
    m=4,
    u_norm=2.0,
    upstream=Task(n=70, v_norm=3.0, sigma_p=0.7),
    downstream=Task(n=20, v_norm=2.0, sigma_p=1.3, steps=9),
    alpha=0.5,
    eta=0.3,
    sigma_0=1e-3,
    steps=30,
)


def read(setting, name):
    """The value of a field by its dotted name."""
    for part in name.split("."):
        setting = getattr(setting, part)
    return setting


AXES = st.dictionaries(
    st.sampled_from(["d", "upstream.n", "downstream.m", "alpha", "u_norm", "downstream.sigma_p"]),
    st.just(None),
    min_size=1,
).flatmap(
    lambda names: st.fixed_dictionaries(
        {
            name: st.lists(
                st.floats(0.1, 1)
                if name in {"alpha", "u_norm", "downstream.sigma_p"}
                # no more filters than the upstream network's four
                else st.integers(3, 4)
                if name == "downstream.m"
                else st.integers(3, 99),
                min_size=1,
                max_size=4,
                unique=True,
            )
            for name in names
        }
    )
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(AXES)
def test_a_grid_is_every_combination_the_last_axis_fastest(axes):
    grid = Grid(base=BASE, axes=axes)
    found = [tuple(read(setting, name) for name in axes) for setting in grid]
    assert found == list(product(*axes.values()))
    assert len(grid) == len(found)
    assert grid.shape == tuple(len(values) for values in axes.values())


def test_what_is_no_axis_stays_as_it_is():
    first, second = Grid(base=BASE, axes={"upstream.n": [10, 20]})
    assert (first.upstream.n, second.upstream.n) == (10, 20)
    assert (second.upstream.sigma_p, second.downstream, second.d) == (0.7, BASE.downstream, 900)


def test_a_grid_can_be_walked_again():
    grid = Grid(base=BASE, axes={"alpha": [0, 1]})
    assert list(grid) == list(grid)


def test_an_axis_may_be_of_numpy_numbers_or_names_and_may_be_an_iterator():
    alphas = Grid(base=BASE, axes={"alpha": np.linspace(0, 1, 5)})
    assert [setting.alpha for setting in alphas] == [0, 0.25, 0.5, 0.75, 1]
    assert Grid(base=BASE, axes={"d": iter([10, 20])}).shape == (2,)
    rules = Grid(base=BASE, axes={"inherit": ["random", "active"]})
    assert [setting.inherit for setting in rules] == ["random", "active"]


def test_a_huge_grid_costs_nothing_until_it_is_walked():
    grid = Grid(base=BASE, axes={"d": range(10, 2010), "u_norm": range(2000), "steps": [1, 2]})
    assert len(grid) == 2000 * 2000 * 2


def test_axes_of_which_filters_are_inherited_cost_no_more_than_others():
    axes = {"alpha": np.linspace(0, 1, 100), "downstream.m": range(1, 101)}
    began = time.process_time()
    grid = Grid(base=BASE, axes={**axes, "upstream.m": range(100, 1100)})
    assert time.process_time() - began < 1
    assert len(grid) == 10**7


def test_fields_that_change_together_are_one_axis():
    pairs = [(0, 2), (1.5, 1.25), (2, 0)]
    grid = Grid(base=BASE, axes={"d": [10, 20], " u_norm , downstream.v_norm": pairs})
    assert (grid.shape, grid.dims) == ((2, 3), ("d", "u_norm"))
    assert list(grid.axes) == ["d", "u_norm,downstream.v_norm"]
    found = [(s.d, s.u_norm, s.downstream.v_norm) for s in grid]
    assert found == [(d, *pair) for d in (10, 20) for pair in pairs]
    assert grid.coords == {
        "d": ("d", (10, 20)),
        "u_norm": ("u_norm", (0, 1.5, 2)),
        "downstream.v_norm": ("u_norm", (2, 1.25, 0)),
    }
    rules = Grid(base=BASE, axes={"inherit,alpha": [["random", 0.5], ["active", 1]]})
    assert [(s.inherit, s.alpha) for s in rules] == [("random", 0.5), ("active", 1)]


def test_equal_grids_are_equal_and_hash_alike():
    one, two = (Grid(base=BASE, axes={"alpha": values}) for values in ([0, 1], (0.0, 1.0)))
    assert (one, hash(one)) == (two, hash(two))
    assert one != Grid(base=BASE, axes={"alpha": [0, 0.5]})


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({}, ["axes"]),
        ({"u_norm,alpha": [(1, 0), (1, 1)]}, ["u_norm,alpha", "twice"]),
        ({"u_norm,alpha": [1, 2]}, ["u_norm,alpha", "2 fields"]),
        ({"u_norm,alpha": [(1, 0, 0)]}, ["u_norm,alpha", "(1, 0, 0)"]),
        ({"u_norm,alpha": [(1, 7)]}, ["alpha is 7"]),
        ({"u_norm,alpha": [(1, 0)], "alpha": [0]}, ["alpha on two axes"]),
        ({"u_norm,alpah": [(1, 0)]}, ["alpah", "alpha"]),
        # alone either pair is fine; together four filters would be taken of two
        ({"d,alpha": [(9, 1)], "u_norm,upstream.m": [(1, 2)]}, ["alpha", "upstream.m"]),
        ({"alpha": []}, ["alpha"]),
        ({"d": [10], "alpha": []}, ["alpha"]),
        ({"alpha": [0.5, 0.25, 0.5]}, ["alpha", "0.5"]),
        ({"alpha": [1, 1.0]}, ["alpha", "1"]),
        ({"d": [10, np.int64(10)]}, ["d", "10"]),
        ({"alpah": [0.5]}, ["alpah", "alpha"]),
        ({"upstream.nn": [5]}, ["upstream.nn", "upstream.n"]),
        ({"upstream": [BASE.upstream]}, ["upstream"]),
        ({"alpha": [0.5, 2]}, ["alpha", "2", "from 0 to 1"]),
        ({"d": [10, "20"]}, ["d", "'20'"]),
        ({"m": [1, True]}, ["m", "True"]),
        ({"u_norm": [1, float("nan")]}, ["u_norm", "nan"]),
        ({"inherit": ["random", "activ"]}, ["activ", "active"]),
        # alone either axis is fine; together four filters would be taken of two
        ({"upstream.m": [2, 4], "alpha": [0.5, 1]}, ["alpha", "upstream.m"]),
        ({"upstream.m": [4, 2, 3], "alpha": [0.5, 1, 0]}, ["alpha", "upstream.m"]),
        ({"downstream.m": [9, 4], "upstream.m": [9, 6], "alpha": [0.8]}, ["alpha", "upstream.m"]),
        ({"m": [4], "upstream.m": [4], "downstream.m": [3]}, ["axis m changes nothing"]),
        ({"u_norm": np.array(3)}, ["u_norm", "array(3)", "list of values"]),
        ({"u_norm": {1: 2}}, ["u_norm", "list of values"]),
        ({"inherit": [np.array([1, 2])]}, ["inherit"]),
        ([("alpha", [1])], ["axes"]),
        ({"d": range(3, 10**9)}, ["axis d", "more than 10,000,000 values"]),
        # agreeing fields too: the number is known before any setting is made
        (
            {name: range(1, 201) for name in ("steps", "upstream.m", "downstream.m", "upstream.n")},
            ["200 x 200 x 200 x 200 = 1,600,000,000 settings", "10,000,000 at most"],
        ),
    ],
)
def test_what_is_no_grid_is_refused_when_it_is_made(axes, words):
    with pytest.raises(LegateeError) as caught:
        Grid(base=BASE, axes=axes)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
