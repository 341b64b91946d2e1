"""From what filters have learned to the accuracy on fresh samples."""

from math import sqrt

import numpy as np

from legatee.theory.reduced.descent import Patches, signal_response
from legatee.theory.reduced.table import Array, Number, Single, compiled

JITTER, TINY = 1e-10, 1e-300  # what lifts inner products without full rank: a share, or a hair


@compiled
def inner_products(start: Array, C: Array, patches: Patches) -> Array:
    """Return the inner products of filters that began as ``start [R, R]`` and learned ``C``.

    Source: *Ours*, docs/theory.md, section 4.
    """
    filters, n = C.shape
    along = np.dot(C, np.ascontiguousarray(patches.span.T))
    across = np.dot(C, patches.rest)
    both = np.empty((filters, filters + n))
    for r in range(filters):
        for k in range(filters):
            both[r, k] = start[r, k] + along[r, k]
        for k in range(n):
            both[r, filters + k] = across[r, k]
    return np.dot(both, np.ascontiguousarray(both.T))


@compiled
def means_first(filters: int) -> Array:
    """Return orthonormal rows: the mean filter of each sign, then ever finer differences.

    Source: *Ours*, docs/theory.md, section 4.
    """
    half = filters // 2
    rows = np.zeros((filters, filters))
    for side in range(2):
        first = side * half
        rows[side, first : first + half] = 1 / sqrt(half)
        for r in range(1, half):
            size = sqrt(r * (r + 1.0))
            rows[2 * r + side, first : first + r] = 1 / size
            rows[2 * r + side, first + r] = -r / size
    return rows


@compiled
def root_of(products: Array, basis: Array) -> Array:
    """Return a root of inner products, which need not have full rank.

    Its first columns say how the filters of a sign move together. They matter most, and the first
    coordinates of the test points are the most evenly spread.

    Source: *Ours*, docs/theory.md, section 4.
    """
    turned = np.dot(np.dot(basis, products), np.ascontiguousarray(basis.T))
    lift = JITTER * np.trace(products) / len(products) + TINY
    for r in range(len(products)):
        turned[r, r] += lift
    root = np.linalg.cholesky(turned)
    return np.dot(np.ascontiguousarray(basis.T), root).astype(np.float32)


@compiled
def accuracy(root: Array, a: Array, sides: Array, shares: Array, points: Array) -> Number:
    """Return the share of fresh samples that a network gets right.

    ``root`` is that of its pre-activations' covariance on noise patches. A point stands for four
    samples: itself and its negative, with either label.

    Source: *Ours*, docs/theory.md, section 4.
    """
    n = points.shape[1]
    zero = Single(0)
    plus, minus = signal_response(a, sides, shares)
    heard = np.dot(root, points)
    noise, odd = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for r in range(len(root)):
        row, share = heard[r], sides[r] * shares[r]
        for i in range(n):
            noise[i] += share * (row[i] if row[i] > zero else zero)
            odd[i] += share * row[i]  # relu(-x) = relu(x) - x
    right = zero
    for i in range(n):
        there, back = noise[i], noise[i] - odd[i]
        right += _positive(plus + there) + _positive(plus + back)
        right += _positive(-minus - there) + _positive(-minus - back)
    return right / (4 * n)


@compiled
def _positive(margin: Number) -> Number:
    """Return 1 for a sample that is classified right, half for one that is not classified."""
    return Single(1) if margin > 0 else (Single(0.5) if margin == 0 else Single(0))
