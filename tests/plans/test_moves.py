"""What a move says as an index of a tensor."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from legatee.plans.moves import Blend, Move
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


@pytest.mark.parametrize(
    ("how", "lead", "taken", "filled", "can"),
    [
        ("cycle", 0, 1, 3, True),
        ("cycle", 0, 3, 4, True),
        ("cycle", 0, 0, 3, False),
        ("cycle", 0, 3, 0, False),
        ("sum", 0, 3, 1, True),
        ("sum", 0, 1, 1, True),
        ("sum", 0, 3, 2, False),
        ("pad", 0, 1, 3, True),
        ("pad", 0, 1, 1, True),
        ("pad", 0, 1, 2, False),
        ("pad", 0, 3, 1, False),
        ("bicubic", 0, 16, 9, True),
        ("bicubic", 1, 17, 10, True),
        ("bicubic", 1, 16, 9, False),
        ("bicubic", 0, 16, 8, False),
        ("bicubic", 1, 1, 10, False),
        ("bicubic", 1, 10, 1, False),
    ],
)
def test_a_blend_makes_only_what_its_rule_can_make(how, lead, taken, filled, can):
    assert Blend(axis=1, how=how, lead=lead).makes(taken, filled) is can


@pytest.mark.parametrize(
    ("how", "covered"), [("cycle", [1]), ("sum", [1]), ("bicubic", [1]), ("pad", [1, 2, 3])]
)
def test_a_padded_kernel_is_computed_along_all_later_axes_and_others_along_one(how, covered):
    assert [axis for axis in range(4) if Blend(axis=1, how=how).covers(axis)] == covered
