"""What a move says as an index of a tensor."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from legatee.plans.moves import Move
from legatee.plans.positions import compress

AXIS = st.integers(1, 9).flatmap(
    lambda size: st.tuples(
        st.just(size), st.lists(st.integers(0, size - 1), unique=True, min_size=1)
    )
)


def copied(move: Move, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Element by element, the naive way."""
    result = target.copy()
    take, put = (
        [[int(n) for r in text.split(",") for n in range(*map(int, r.split(":")))] for text in side]
        for side in (move.take, move.put)
    )
    for place in np.ndindex(*map(len, take)):
        read = tuple(axis[i] for axis, i in zip(take, place, strict=True))
        written = tuple(axis[i] for axis, i in zip(put, place, strict=True))
        result[written] = source[read]
    return result


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.lists(AXIS, max_size=3), st.randoms(use_true_random=False))
def test_indices_copy_what_the_move_says(axes, random):
    take = [list(positions) for _, positions in axes]
    put = [random.sample(range(size), len(positions)) for size, positions in axes]
    move = Move(
        source="a",
        target="b",
        source_shape=tuple(size for size, _ in axes),
        target_shape=tuple(size for size, _ in axes),
        take=tuple(map(compress, take)),
        put=tuple(map(compress, put)),
    )
    source = np.arange(1, 1 + np.prod(move.source_shape, dtype=int)).reshape(move.source_shape)
    expected = copied(move, source, np.zeros(move.target_shape, dtype=int))
    target = np.zeros(move.target_shape, dtype=int)
    target[move.target_index] = source[move.source_index]
    assert (target == expected).all()
    tensor = torch.zeros(move.target_shape, dtype=torch.int64)
    tensor[move.target_index] = torch.from_numpy(source)[move.source_index]
    assert (tensor.numpy() == expected).all()


def test_single_runs_are_slices():
    move = Move(
        source="a",
        target="b",
        source_shape=(9, 3),
        target_shape=(4, 3),
        take=("1:8:2", "0:3"),
        put=("0:4", "0:3"),
    )
    assert move.source_index == (slice(1, 8, 2), slice(0, 3, 1))
    assert move.target_index == (slice(0, 4, 1), slice(0, 3, 1))
