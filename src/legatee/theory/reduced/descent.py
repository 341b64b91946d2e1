"""Gradient descent on a reduced task, for networks that share their patches."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from legatee.theory.reduced.table import (
    EXACT_STEPS,
    GROWTH,
    Array,
    Normals,
    Number,
    Reduced,
    Single,
    compiled,
)


class Patches(NamedTuple):
    """Noise patches of a reduced task.

    Attributes:
        gram: Their inner products ``[n, n]``.
        span: Coordinates along the filters that they meet first ``[filter, n]``.
        rest: Coordinates elsewhere, a triangle ``[n, n]``.
    """

    gram: Array
    span: Array
    rest: Array


@compiled
def draw_patches(task: Reduced, normals: Normals, pair: int, sign: float, filters: int) -> Patches:
    """Draw the noise patches of a task from the table.

    Source: *Ours*, docs/theory.md, section 4.
    """
    n, sigma = task.kept, Single(task.sigma)
    freedom = max(task.d * n / task.n - filters, n)
    span = np.empty((filters, n), np.float32)
    across = np.empty((n, filters), np.float32)
    for r in range(filters):
        for i in range(n):
            span[r, i] = across[i, r] = sigma * sign * normals.span[pair, r, i]
    rest = np.zeros((n, n), np.float32)
    down = np.zeros((n, n), np.float32)
    for i in range(n):
        for k in range(i):
            rest[i, k] = down[k, i] = sigma * sign * normals.rest[pair, i, k]
        part = 2 / (9 * (freedom - i))  # a chi-square variable is nearly the cube of a normal one
        length = (freedom - i) * (1 - part + sign * normals.rest[pair, i, i] * sqrt(part)) ** 3
        rest[i, i] = down[i, i] = sigma * sqrt(max(length, 0.0))
    return Patches(np.dot(across, span) + np.dot(rest, down), span, rest)


@compiled
def signal_response(a: Array, sides: Array, shares: Array) -> tuple[Number, Number]:
    """Return what a network says of the signal patch and of its negative.

    Source: *Ours*, docs/theory.md, section 4.
    """
    plus = minus = Single(0)
    for r in range(a.size):
        if a[r] > 0:
            plus += sides[r] * shares[r] * a[r]
        else:
            minus -= sides[r] * shares[r] * a[r]
    return plus, minus


@compiled
def descend(
    B: Array, a: Array, gram: Array, sides: Array, shares: Array, imbalance: float, task: Reduced
) -> Array:
    """Train networks that share their patches, in place; return their coefficients.

    ``B [networks * filters, n]`` and ``a [networks * filters]`` are pre-activations on noise and
    signal patches; half of the samples have either label, and weigh as much as their class.

    Source: *Ours*, docs/theory.md, section 4.
    """
    networks, filters = shares.shape
    n = task.kept
    C, change, moved = np.zeros_like(B), np.zeros_like(B), np.zeros_like(B)
    weights = np.empty(n, np.float32)
    for i in range(n):
        weights[i] = 1 + imbalance if 2 * i < n else imbalance - 1
    rate, taken, time = task.eta / (n * task.m), 0, 0.0
    while time < task.steps - 0.5:
        step = 1.0 if taken < EXACT_STEPS else max(1.0, GROWTH * time)
        step = min(step, task.steps - time)
        for k in range(networks):
            own = slice(k * filters, (k + 1) * filters)
            _respond(
                B[own], moved[own], change[own], C[own], a[own], sides, shares[k], weights,
                Single(rate * step), Single(task.norm),
            )  # fmt: skip
        np.dot(change, gram, moved)
        time += step
        taken += 1
    return C


@compiled
def _respond(
    B: Array,
    moved: Array,
    change: Array,
    C: Array,
    a: Array,
    sides: Array,
    shares: Array,
    weights: Array,
    rate: Number,
    norm: Number,
) -> None:
    """Let one network take a step: ``change`` is what its filters learn of the noise patches."""
    filters, n = B.shape
    zero, one = Single(0), Single(1)
    q = np.empty(n, np.float32)
    plus, minus = signal_response(a, sides, shares)
    for i in range(n):
        q[i] = plus if weights[i] > zero else minus
    for r in range(filters):
        row, by = B[r], moved[r]
        share = sides[r] * shares[r]
        for i in range(n):
            h = row[i] + by[i]
            row[i] = h
            q[i] += share * (h if h > zero else zero)
    for i in range(n):
        q[i] = rate * weights[i] / (one + np.exp(q[i] if weights[i] > zero else -q[i]))
    shown = hidden = zero
    for i in range(n):
        shown += q[i] if weights[i] > zero else zero
        hidden -= q[i] if weights[i] < zero else zero
    for r in range(filters):
        row, now, total = B[r], change[r], C[r]
        side = sides[r]
        for i in range(n):
            learned = side * q[i] if row[i] > zero else zero
            now[i] = learned
            total[i] += learned
        if a[r] > zero:
            a[r] += side * shown * norm
        elif a[r] < zero:
            a[r] += side * hidden * norm
