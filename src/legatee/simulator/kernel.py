"""Gradient descent on the CPU, one run after another, compiled: a fast version of `train.py`.

Two things make it fast. Samples are split into blocks so small that OpenBLAS multiplies them as
they lie, instead of first copying them into an order of its own, which for 40 filters costs as
much as multiplying. And a block goes from its product through the network's response to its next
coefficients while it is in the innermost cache.
"""

import numpy as np

from legatee.compiling import compiled

Array = np.ndarray

# Reordering is allowed; ignoring NaN and infinity is not: a run that overflows must say so.
FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}
MULTIPLIED_AS_IT_LIES = 10**6  # rows times columns times depth, in OpenBLAS
WIDEST, NARROWEST = 128, 64  # samples in a block [count]

_compiled = compiled(fastmath=FAST, error_model="numpy", nogil=True)


def block_width(samples: int, filters: int) -> int:
    """Return how many samples go into a block.

    Args:
        samples: Training samples [count].
        filters: Filters of both signs [count].

    Returns:
        Samples in each of the fewest blocks of even size that are small enough [count].
    """
    most = min(WIDEST, max(NARROWEST, int((MULTIPLIED_AS_IT_LIES / filters) ** 0.5)))
    blocks = -(-samples // most)
    return -(-samples // blocks)


@_compiled
def descend(
    B: Array,
    C: Array,
    a: Array,
    c: Array,
    gram: Array,
    patches: Array,
    along: Array,
    labels: Array,
    signs: Array,
    norm: Array,
    rate: Array,
    keep: Array,
    B_back: Array,
    a_back: Array,
    steps: int,
) -> None:
    """Take steps of gradient descent in every run of a batch, in place.

    All arrays are of one floating type; samples come in ``K`` blocks of ``n``, padded with
    samples of label 0, which teach nothing. ``R`` filters, those of the positive sign first.

    Args:
        B: Pre-activations on the training noise patches ``[S, K, R, n]``; updated.
        C: Coefficients of the filters on these patches ``[S, K, R, n]``; updated.
        a: Pre-activations on the signal patch ``[S, R]``; updated.
        c: Coefficients of the filters on the signal patch ``[S, R]``; updated.
        gram: Inner products of the patches ``[S, K, K, n, n]``, or empty.
        patches: The patches themselves ``[S, n, D]`` (then ``K`` is 1), or empty ``[S, 0, 0]``.
        along: Inner products of patches and signal ``[S, K, n]``.
        labels: Labels, -1, 0 or 1 ``[S, K, n]``.
        signs: Whether a sample shows the signal or its negative, -1 or 1 ``[S, K, n]``.
        norm: Squared norm of the signal ``[S]``.
        rate: Learning rate divided by samples and filters per sign ``[S]``.
        keep: What a step leaves of a weight ``[S]``.
        B_back: What the pull towards the start adds to ``B`` in every step, or empty.
        a_back: What it adds to ``a``, or empty.
        steps: Steps to take [count].
    """
    for s in range(B.shape[0]):
        _descend(
            B[s],
            C[s],
            a[s],
            c[s],
            gram[s],
            patches[s],
            along[s],
            labels[s],
            signs[s],
            norm[s],
            rate[s],
            keep[s],
            B_back[s],
            a_back[s],
            steps,
        )


@_compiled
def _descend(
    B: Array,
    C: Array,
    a: Array,
    c: Array,
    gram: Array,
    patches: Array,
    along: Array,
    labels: Array,
    signs: Array,
    norm: float,
    rate: float,
    keep: float,
    B_back: Array,
    a_back: Array,
    steps: int,
) -> None:
    """Take ``steps`` steps of one run, in place."""
    blocks = B.shape[0]
    change, ahead = np.zeros_like(B), np.zeros_like(B)
    product, part = np.zeros_like(B[0]), np.zeros_like(B[0])
    through = np.zeros((B.shape[1], patches.shape[1]), B.dtype)
    transposed = np.ascontiguousarray(patches.T)
    f, q = np.zeros_like(B[0, 0]), np.zeros_like(B[0, 0])
    learned = np.zeros_like(a)
    shown = hidden = a.dtype.type(0)
    for step in range(steps + 1):
        if step:
            _learn_signal(a, c, learned, shown, hidden, norm, keep)
            _hear_signal(a, change, along)
            if a_back.size:
                a += a_back
        plus, minus = _signal_response(a)
        shown = hidden = a.dtype.type(0)
        for b in range(blocks):
            if step:
                if patches.size:
                    np.dot(change[0], patches, through)
                    np.dot(through, transposed, product)
                else:
                    np.dot(change[0], gram[b, 0], product)
                    for e in range(1, blocks):
                        np.dot(change[e], gram[b, e], part)
                        _add(product, part)
                _move(B[b], product, learned, along[b], keep)
                if B_back.size:
                    _add(B[b], B_back[b])
            if step < steps:
                p, h = _respond(
                    B[b], ahead[b], C[b], labels[b], signs[b], f, q, plus, minus, rate, keep
                )
                shown += p
                hidden += h
        change, ahead = ahead, change


@_compiled
def _signal_response(a: Array) -> tuple[float, float]:
    """Return what the network says of the signal patch, and of its negative (times m)."""
    zero = a.dtype.type(0)
    plus = minus = zero
    for r in range(a.size):
        sign = a.dtype.type(1 if 2 * r < a.size else -1)
        if a[r] > zero:
            plus += sign * a[r]
        else:
            minus -= sign * a[r]
    return plus, minus


@_compiled
def _learn_signal(
    a: Array, c: Array, learned: Array, shown: float, hidden: float, norm: float, keep: float
) -> None:
    """Take what filters hold of the signal one step on; ``learned`` receives the step."""
    zero = a.dtype.type(0)
    for r in range(a.size):
        sign = a.dtype.type(1 if 2 * r < a.size else -1)
        learned[r] = zero
        if a[r] > zero:
            learned[r] = sign * shown
        elif a[r] < zero:
            learned[r] = sign * hidden
        c[r] = keep * c[r] + learned[r]
        a[r] = keep * a[r] + learned[r] * norm


@_compiled
def _hear_signal(a: Array, change: Array, along: Array) -> None:
    """Add what filters learned of noise to what they say of the signal, if these are correlated."""
    if not along.any():
        return
    for b in range(change.shape[0]):
        for r in range(a.size):
            for i in range(along.shape[1]):
                a[r] += change[b, r, i] * along[b, i]


@_compiled
def _add(total: Array, part: Array) -> None:
    """Add in place, row by row, which vectorises."""
    for r in range(total.shape[0]):
        row, more = total[r], part[r]
        for i in range(row.size):
            row[i] += more[i]


@_compiled
def _move(B: Array, product: Array, learned: Array, along: Array, keep: float) -> None:
    """Take one block of pre-activations one step on."""
    crossed = along.any()
    for r in range(B.shape[0]):
        row, change = B[r], product[r]
        for i in range(row.size):
            row[i] = keep * row[i] + change[i]
        if crossed:
            for i in range(row.size):
                row[i] += learned[r] * along[i]


@_compiled
def _respond(
    B: Array,
    change: Array,
    C: Array,
    labels: Array,
    signs: Array,
    f: Array,
    q: Array,
    plus: float,
    minus: float,
    rate: float,
    keep: float,
) -> tuple[float, float]:
    """Go from one block's pre-activations to what its patches add to the filters.

    ``f`` and ``q`` are scratch space. Returns what the signal patch adds, summed over the samples
    that show it, and over those that show its negative.
    """
    filters, n = B.shape
    zero, one = f.dtype.type(0), f.dtype.type(1)
    for i in range(n):
        f[i] = plus if signs[i] > zero else minus
    for r in range(filters):
        row = B[r]
        if 2 * r < filters:
            for i in range(n):
                f[i] += row[i] if row[i] > zero else zero
        else:
            for i in range(n):
                f[i] -= row[i] if row[i] > zero else zero
    per_filter = f.dtype.type(2) / f.dtype.type(filters)
    for i in range(n):
        q[i] = rate * labels[i] / (one + np.exp(labels[i] * f[i] * per_filter))
    shown = hidden = zero
    for i in range(n):
        shown += q[i] if signs[i] > zero else zero
        hidden -= q[i] if signs[i] < zero else zero
    for r in range(filters):
        row, now, total = B[r], change[r], C[r]
        sign = one if 2 * r < filters else -one
        for i in range(n):
            step = sign * q[i] if row[i] > zero else zero
            now[i] = step
            total[i] = keep * total[i] + step
    return shown, hidden
