"""How a sweep is cut into parts and blocks."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sweep_cases import SMALL, sweep_of

from legatee import Grid, LegateeError
from legatee.simulator.batch import seconds_of
from legatee.sweep.block import Block
from legatee.sweep.declare import BLOCK_SECONDS, Sweep, block_of, dims_of, layout_of
from legatee.sweep.parts import _without

VALUES = st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True).map(tuple)
BOXES = st.fixed_dictionaries({name: VALUES for name in ("a", "b", "seed")})


def cells(box):
    return list(product(*(box[name] for name in ("a", "b", "seed"))))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(BOXES, BOXES)
def test_what_is_left_of_a_box_is_every_other_cell_once(box, other):
    left = [cell for piece in _without(box, other) for cell in cells(piece)]
    assert len(left) == len(set(left))
    assert set(left) == set(cells(box)) - set(cells(other))


AXES = {
    "upstream.n": st.integers(10, 1000),
    "d": st.integers(3, 10**6),
    "steps": st.integers(1, 2000),
    "u_norm": st.floats(0, 5),
}


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {}, optional={k: st.sets(v, min_size=1, max_size=9) for k, v in AXES.items()}
    ),
    st.integers(1, 300),
)
def test_every_cell_is_in_one_block_and_every_chunk_is_one_block(axes, seeds):
    assume(axes)
    sweep = Sweep(
        grid=Grid(base=SMALL, axes={k: sorted(v) for k, v in axes.items()}), seeds=range(seeds)
    )
    block = block_of(sweep)
    assert list(block) == list(dims_of(sweep))
    layout = layout_of(sweep, block)
    blocks, _ = layout.arrays["done"]
    units = [dict(zip(block, at, strict=True)) for at in np.ndindex(blocks)]
    every = [Block(path="", part=sweep, block=block, unit=unit, device="cpu") for unit in units]
    held = [cell for one in every for cell in product(*one.spans.values())]
    assert len(held) == len(set(held)) == sweep.cells
    for name, variable in layout.variables.items():
        shape, chunks = layout.arrays[name]
        divided = len(block)
        assert variable.dims[:divided] == tuple(block)
        assert chunks[:divided] == tuple(block.values())
        assert chunks[divided:] == shape[divided:]


def test_a_block_is_ten_seconds_of_a_long_sweep_and_less_of_a_short_one():
    def seconds(sweep):
        number = int(np.prod(list(block_of(sweep).values())))
        return number * seconds_of(sweep.grid.base, sweep.records, sweep.test_draws)

    assert BLOCK_SECONDS / 2 < seconds(sweep_of(100_000)) <= BLOCK_SECONDS
    assert 0.5 < seconds(sweep_of(2_000)) <= 1
    many = Sweep(grid=Grid(base=SMALL, axes={"sigma_0": np.geomspace(1e-5, 1e-3, 40)}), seeds=(0,))
    assert block_of(many) == {"sigma_0": 40, "seed": 1}


def test_no_axis_hides_from_the_estimate():
    """A cost that changes along the last axis only, whose length divides every stride."""
    axes = {
        "u_norm": np.linspace(0, 3, 64),
        "upstream.n": [10] + [1000] * 0 + list(range(900, 963)),
    }
    sweep = Sweep(grid=Grid(base=SMALL, axes=axes), seeds=tuple(range(8)))
    cost = [seconds_of(setting, 2, 500) for setting in list(sweep.grid)[:64]]
    held = int(np.prod(list(block_of(sweep).values())))
    assert held * np.mean(cost) < 2 * BLOCK_SECONDS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "twice"),
        ({"seeds": (-1,)}, "-1"),
        ({"seeds": (0.5,)}, "0.5"),
        ({"seeds": range(10**9)}, "1,000,000 at most"),
        ({"record_steps": 1}, "record_steps is 1"),
        ({"record_steps": (1, -2)}, "record_steps is -2"),
        ({"test_draws": 0}, "test_draws is 0"),
        ({"dtype": "float16"}, "float32"),
    ],
)
def test_what_is_no_sweep_is_refused_when_it_is_made(options, words):
    with pytest.raises(LegateeError, match=words):
        Sweep(grid=sweep_of(1).grid, **{"seeds": (0,), **options})
