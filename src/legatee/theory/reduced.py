"""The reduced model: the experiment made small enough to be solved in milliseconds (ours).

Three things make it small; docs/theory.md, section 4, derives them.

* *Scale.* To leading order N and d matter only through N / d. A task of N samples in d dimensions
  is solved as one of n <= 80 samples in d n / N dimensions; only the imbalance of its classes keeps
  its true size.
* *Hand-over.* Of the upstream network the downstream task sees the inner products of its filters,
  and what they hold of u, v1 and v2: pre-activations of new noise patches are Gaussian given these.
* *Time.* The first steps are taken one by one, later ones a quarter of the time so far at once:
  everything grows like the logarithm of time.

What is left is random: the solution is a mean over replicas, in antithetic pairs, from one fixed
table of normals. The same setting always gives the same numbers. Nothing is fitted.
"""

from functools import lru_cache
from math import exp, sqrt
from typing import NamedTuple

import numba
import numpy as np
from numpy.random import default_rng
from scipy.stats import norm, qmc

Array = np.ndarray
Single = np.float32

FILTERS = 20  # of each sign that are followed at most; more are followed by example [count]
SAMPLES = 32  # that a task is reduced to [count] ...
SAMPLES_FEW_FRESH = 80  # ... and where single samples decide [count]
FEW_FRESH = 3  # filters of each sign; what no fresh filter sees cannot be memorised [count]
UPSTREAM = 8  # upstream replicas [count]
FEWEST, MOST = 16, 64  # downstream replicas [count]
EXACT_STEPS, GROWTH = 5, 0.25  # steps taken one by one; then shares of the time so far
POINTS = 512  # test points, each standing for four samples [count]
JITTER, TINY = 1e-10, 1e-300  # lift inner products without full rank by a share, or a hair
"""Resolution of the solution; finer ones change no accuracy by more than its stated error."""

_compiled = numba.njit(
    cache=True, fastmath={"reassoc", "contract", "nsz", "arcp", "afn"}, error_model="numpy"
)


class Normals(NamedTuple):
    """Fixed standard normals, float32.

    Attributes:
        span: Samples' coordinates along the filters ``[pair, filter, sample]``.
        rest: Their coordinates elsewhere; the diagonal gives lengths ``[pair, sample, sample]``.
        start: What filters hold of two directions by chance ``[pair, 2, filter]``.
        balance: Imbalance of the classes ``[pair]``.
        tests: Test points ``[filter, point]``.
    """

    span: Array
    rest: Array
    start: Array
    balance: Array
    tests: Array


@lru_cache(maxsize=1)
def fixed_normals() -> Normals:
    """Return the table that every solution uses."""
    stream, pairs = default_rng(2509_22056), (UPSTREAM + MOST) // 2
    points = norm.ppf(qmc.Sobol(2 * FILTERS, seed=stream).random(POINTS)).T
    whitening = np.linalg.inv(np.linalg.cholesky(points @ points.T / POINTS))
    return Normals(
        span=stream.standard_normal((pairs, 2 * FILTERS, SAMPLES_FEW_FRESH), Single),
        rest=stream.standard_normal((pairs, SAMPLES_FEW_FRESH, SAMPLES_FEW_FRESH), Single),
        start=stream.standard_normal((pairs, 2, 2 * FILTERS), Single),
        balance=stream.standard_normal(pairs, Single),
        tests=(whitening @ points).astype(Single),
    )


class Reduced(NamedTuple):
    """One task, reduced.

    Attributes:
        n: Samples of the true task [count].
        d: Dimension of the true task [count].
        kept: Samples that it is reduced to [count, even].
        sigma: Noise level.
        norm: Squared norm of the signal patch.
        eta: Learning rate.
        steps: Steps of gradient descent [count].
        m: Filters per sign [count].
    """

    n: float
    d: float
    kept: int
    sigma: float
    norm: float
    eta: float
    steps: float
    m: float


class World(NamedTuple):
    """What both tasks have in common.

    Attributes:
        u_norm: Norm of the universal signal.
        v_norms: Norms of v1 and v2.
        sigma_0: Initial scale.
        inherited: Filters of each sign that are inherited [count].
    """

    u_norm: float
    v_norms: tuple[float, float]
    sigma_0: float
    inherited: float


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


@_compiled
def _patches(task: Reduced, normals: Normals, pair: int, sign: float, filters: int) -> Patches:
    """Draw the noise patches of a task from the table."""
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


@_compiled
def _signal_response(a: Array, sides: Array, shares: Array) -> tuple[float, float]:
    """Return what a network says of the signal patch and of its negative."""
    plus = minus = Single(0)
    for r in range(a.size):
        if a[r] > 0:
            plus += sides[r] * shares[r] * a[r]
        else:
            minus -= sides[r] * shares[r] * a[r]
    return plus, minus


@_compiled
def _respond(
    B: Array,
    moved: Array,
    change: Array,
    C: Array,
    a: Array,
    sides: Array,
    shares: Array,
    weights: Array,
    rate: float,
    norm: float,
) -> None:
    """Let one network take a step: ``change`` is what its filters learn of the noise patches."""
    filters, n = B.shape
    zero, one = Single(0), Single(1)
    q = np.empty(n, np.float32)
    plus, minus = _signal_response(a, sides, shares)
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


@_compiled
def _descend(
    B: Array, a: Array, gram: Array, sides: Array, shares: Array, imbalance: float, task: Reduced
) -> Array:
    """Train networks that share their patches, in place; return their coefficients.

    ``B [networks * filters, n]`` and ``a [networks * filters]`` are pre-activations on noise and
    signal patches; half of the samples have either label, and weigh as much as their class.
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


@_compiled
def _products(start: Array, C: Array, patches: Patches) -> Array:
    """Return the inner products of filters that began as ``start [R, R]`` and learned ``C``."""
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


@_compiled
def _basis(filters: int) -> Array:
    """Return orthonormal rows: the mean filter of each sign, then ever finer differences."""
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


@_compiled
def _root(products: Array, basis: Array) -> Array:
    """Return a root of inner products, which need not have full rank.

    Its first columns say how the filters of a sign move together. They matter most, and the first
    coordinates of the test points are the most evenly spread.
    """
    turned = np.dot(np.dot(basis, products), np.ascontiguousarray(basis.T))
    lift = JITTER * np.trace(products) / len(products) + TINY
    for r in range(len(products)):
        turned[r, r] += lift
    root = np.linalg.cholesky(turned)
    return np.dot(np.ascontiguousarray(basis.T), root).astype(np.float32)


@_compiled
def _positive(margin: float) -> float:
    """Return 1 for a sample that is classified right, half for one that is not classified."""
    return Single(1) if margin > 0 else (Single(0.5) if margin == 0 else Single(0))


@_compiled
def _accuracy(root: Array, a: Array, sides: Array, shares: Array, points: Array) -> float:
    """Return the share of fresh samples that a network gets right.

    ``root`` is that of its pre-activations' covariance on noise patches. A point stands for four
    samples: itself and its negative, with either label.
    """
    n = points.shape[1]
    zero = Single(0)
    plus, minus = _signal_response(a, sides, shares)
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


@_compiled
def _upstream(
    task: Reduced, world: World, normals: Normals, replica: int
) -> tuple[Array, Array, Array]:
    """Train an upstream network; return what its filters hold of u, of v1, and of all else."""
    u_norm, v_norm, sigma_0 = world.u_norm, world.v_norms[0], world.sigma_0
    filters = 2 * min(int(task.m), FILTERS)
    pair, sign = replica // 2, 1 - 2 * (replica % 2)
    patches = _patches(task, normals, pair, sign, filters)
    start = _fresh(filters, sigma_0, task.d)
    along_u = np.empty(filters, np.float32)
    along_v = np.empty(filters, np.float32)
    for r in range(filters):
        along_u[r] = sign * sigma_0 * u_norm * normals.start[pair, 0, r]
        along_v[r] = sign * sigma_0 * v_norm * normals.start[pair, 1, r]
    a = along_u + along_v
    before = a.copy()
    shares = np.full((1, filters), Single(2 / filters))
    imbalance = sign * normals.balance[pair] / sqrt(task.n)
    B = np.dot(start, patches.span)
    C = _descend(B, a, patches.gram, _sides(filters), shares, imbalance, task)
    for r in range(filters):
        learned = (a[r] - before[r]) / task.norm if task.norm > 0 else 0.0
        along_u[r] += learned * u_norm**2
        along_v[r] = (along_v[r] + learned * v_norm**2) / v_norm if v_norm > 0 else 0.0
    return along_u, along_v, _products(start, C, patches)


@_compiled
def _sides(filters: int) -> Array:
    """Return the sign of each filter, the positive ones first."""
    sides = np.ones(filters, np.float32)
    sides[filters // 2 :] = -1
    return sides


@_compiled
def _fresh(filters: int, sigma_0: float, d: float) -> Array:
    """Return a root of the inner products of fresh filters, which are all but orthogonal."""
    return (sigma_0 * sqrt(d) * np.eye(filters)).astype(np.float32)


@_compiled
def solve(
    first: Reduced, second: Reduced, world: World, tolerance: float, normals: Normals
) -> Array:
    """Solve one setting.

    Args:
        first: The upstream task.
        second: The downstream task.
        world: What both have in common.
        tolerance: Standard error of the mean accuracies below which no replicas are added.
        normals: The table.

    Returns:
        Accuracy of scratch, zero-shot and inherited in each replica ``[replica, 3]``; each two
        in turn are an antithetic pair.
    """
    here, there = min(int(second.m), FILTERS), min(int(first.m), FILTERS)
    filters, heirs = 2 * here, _heirs(here, world.inherited, second.m)
    sides, shares = _sides(filters), np.full((2, filters), Single(1 / here))
    source = np.full(filters, -1)  # the upstream filter that each one is inherited from
    for r in range(filters):
        if r % here < heirs:
            source[r] = r % here + there * (r // here)
            shares[1, r] = world.inherited / second.m / heirs
        else:
            shares[1, r] = (1 - world.inherited / second.m) / (here - heirs)
    fresh, basis = _fresh(filters, world.sigma_0, second.d), _basis(filters)
    known = np.zeros((UPSTREAM, filters), np.float32)  # what the inherited filters hold of u
    by_chance = np.zeros((UPSTREAM, filters, filters), np.float32)  # root of what of v2
    start = np.zeros((UPSTREAM, filters, filters), np.float32)  # root of what of all but u and v2
    for b in range(UPSTREAM):
        u, v, products = _upstream(first, world, normals, b)
        noise, seen = np.zeros((filters, filters)), np.zeros((filters, filters))
        for r in range(filters):
            if source[r] < 0:
                seen[r, r] = noise[r, r] = world.sigma_0**2 * second.d
                continue
            known[b, r] = u[source[r]]
            for k in range(filters):
                if source[k] >= 0:
                    noise[r, k] = products[source[r], source[k]]
                    seen[r, k] = noise[r, k] + np.float64(v[source[r]]) * np.float64(v[source[k]])
        by_chance[b] = _root(noise, basis) / Single(sqrt(second.d))
        start[b] = _root(seen, basis)
    accuracies = np.zeros((MOST, 3))
    for replica in range(MOST):
        b, pair, sign = replica // 2 % UPSTREAM, (UPSTREAM + replica) // 2, 1 - 2 * (replica % 2)
        patches = _patches(second, normals, pair, sign, filters)
        B = np.empty((2 * filters, second.kept), np.float32)
        B[:filters] = np.dot(fresh, patches.span)
        B[filters:] = np.dot(start[b], patches.span)
        a = np.empty(2 * filters, np.float32)
        chance = np.dot(by_chance[b], normals.start[pair, 1, :filters])
        for r in range(filters):
            a[r] = sign * world.sigma_0 * sqrt(second.norm) * normals.start[pair, 0, r]
            a[filters + r] = a[r]
            if source[r] >= 0:
                a[filters + r] = known[b, r] + sign * world.v_norms[1] * chance[r]
        accuracies[replica, 1] = _accuracy(
            Single(second.sigma) * start[b], a[filters:], sides, shares[1], normals.tests[:filters]
        )
        imbalance = sign * normals.balance[pair] / sqrt(second.n)
        C = _descend(B, a, patches.gram, sides, shares, imbalance, second)
        for k in range(2):
            own = slice(k * filters, (k + 1) * filters)
            products = _products(start[b] if k else fresh, C[own], patches)
            accuracies[replica, 2 * k] = _accuracy(
                Single(second.sigma) * _root(products, basis), a[own], sides, shares[k],
                normals.tests[:filters],
            )  # fmt: skip
        done = replica + 1
        if done >= FEWEST and done % 8 == 0 and _largest_error(accuracies[:done]) < tolerance:
            return accuracies[:done]
    return accuracies


@_compiled
def _heirs(followed: int, inherited: float, m: float) -> int:
    """Return how many of the followed filters of a sign stand for the inherited ones."""
    if inherited == 0 or inherited == m:
        return followed if inherited else 0
    return min(max(round(followed * inherited / m), 1), followed - 1)


@_compiled
def _largest_error(accuracies: Array) -> float:
    """Return the largest standard error of the mean accuracies, from antithetic pairs."""
    worst, pairs = 0.0, len(accuracies) // 2
    for k in range(accuracies.shape[1]):
        means = (accuracies[0::2, k] + accuracies[1::2, k]) / 2
        worst = max(worst, means.std() / sqrt(pairs - 1))
    return worst
