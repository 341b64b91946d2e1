"""The upstream, the scratch and the inheriting network of a setting, replica by replica."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from legatee.theory.reduced.accuracy import accuracy, inner_products, means_first, root_of
from legatee.theory.reduced.descent import descend, draw_patches
from legatee.theory.reduced.table import (
    FEWEST,
    FILTERS,
    MOST,
    UPSTREAM,
    Array,
    Normals,
    Number,
    Reduced,
    ReducedWorld,
    Single,
    compiled,
)


class Followed(NamedTuple):
    """The downstream filters that are followed, those of the positive sign first.

    Attributes:
        sides: The sign of each ``[filter]``.
        shares: What each counts for in its sign's mean, in scratch and in the inheriting network
            ``[2, filter]``.
        source: The followed upstream filter that each is inherited from, -1 if fresh ``[filter]``.
        fresh: Squared norm of a fresh filter.
    """

    sides: Array
    shares: Array
    source: Array
    fresh: float


class Inherited(NamedTuple):
    """What the inheriting network starts from, for each upstream replica.

    Attributes:
        known: What its filters hold of u ``[replica, filter]``.
        by_chance: Root of the inner products of what they hold of v2 ``[replica, filter, filter]``.
        start: Root of the inner products of all but u and v2, likewise.
    """

    known: Array
    by_chance: Array
    start: Array


@compiled
def solve(
    first: Reduced, second: Reduced, world: ReducedWorld, tolerance: float, normals: Normals
) -> Array:
    """Solve a setting.

    Args:
        first: The upstream task.
        second: The downstream task.
        world: What both have in common.
        tolerance: Standard error of the mean accuracies below which no replicas are added.
        normals: The table.

    Returns:
        Accuracy of scratch, zero-shot and inherited ``[replica, 3]``; each two replicas in turn
        are an antithetic pair.

    Source: *Ours*, docs/theory.md, section 4.
    """
    followed = _follow(first, second, world)
    inherited = _hand_over(first, followed, world, normals)
    basis = means_first(len(followed.sides))
    accuracies = np.zeros((MOST, 3))
    for replica in range(MOST):
        accuracies[replica] = _replica(second, world, followed, inherited, basis, normals, replica)
        done = replica + 1
        if done >= FEWEST and done % 8 == 0 and _largest_error(accuracies[:done]) < tolerance:
            return accuracies[:done]
    return accuracies


@compiled
def _follow(first: Reduced, second: Reduced, world: ReducedWorld) -> Followed:
    """Choose the filters to follow; few stand for many, but never for none."""
    here, there = min(int(second.m), FILTERS), min(int(first.m), FILTERS)
    heirs = here if world.inherited else 0
    if 0 < world.inherited < second.m:
        heirs = min(max(round(here * world.inherited / second.m), 1), here - 1)
    source, shares = np.full(2 * here, -1), np.full((2, 2 * here), Single(1 / here))
    for r in range(2 * here):
        if r % here < heirs:
            source[r] = r % here + there * (r // here)
            shares[1, r] = world.inherited / second.m / heirs
        else:
            shares[1, r] = (1 - world.inherited / second.m) / (here - heirs)
    return Followed(_sides(2 * here), shares, source, second.sigma_0**2 * second.d)


@compiled
def _sides(filters: int) -> Array:
    """Return the sign of each filter."""
    sides = np.ones(filters, np.float32)
    sides[filters // 2 :] = -1
    return sides


@compiled
def _fresh_root(filters: int, squared_norm: float) -> Array:
    """Return a root of the inner products of fresh filters, which are all but orthogonal."""
    return (sqrt(squared_norm) * np.eye(filters)).astype(np.float32)


@compiled
def _upstream(
    task: Reduced, world: ReducedWorld, normals: Normals, replica: int
) -> tuple[Array, Array, Array]:
    """Train an upstream network; return what its filters hold of u, of v1, and of all else."""
    filters = 2 * min(int(task.m), FILTERS)
    pair, sign = replica // 2, 1 - 2 * (replica % 2)
    patches = draw_patches(task, normals, pair, sign, filters)
    start = _fresh_root(filters, task.sigma_0**2 * task.d)
    u_norm, v_norm = world.u_norm, world.v_norms[0]
    along_u, along_v = np.empty(filters, np.float32), np.empty(filters, np.float32)
    for r in range(filters):
        along_u[r] = sign * task.sigma_0 * normals.start[pair, 0, r]
        along_v[r] = sign * task.sigma_0 * normals.start[pair, 1, r]
    a = along_u * Single(u_norm) + along_v * Single(v_norm)
    before = a.copy()
    shares = np.full((1, filters), Single(2 / filters))
    imbalance = sign * normals.balance[pair] / sqrt(task.n)
    B = np.dot(start, patches.span)
    C = descend(B, a, patches.gram, _sides(filters), shares, imbalance, task)
    for r in range(filters):
        learned = (a[r] - before[r]) / task.norm if task.norm > 0 else 0.0
        along_u[r] += learned * u_norm
        along_v[r] += learned * v_norm
    return along_u, along_v, inner_products(start, C, patches)


@compiled
def _hand_over(
    first: Reduced, followed: Followed, world: ReducedWorld, normals: Normals
) -> Inherited:
    """Train the upstream networks, and keep what the downstream task sees of them."""
    source, filters = followed.source, len(followed.source)
    basis = means_first(filters)
    known = np.zeros((UPSTREAM, filters), np.float32)
    by_chance = np.zeros((UPSTREAM, filters, filters), np.float32)
    start = np.zeros((UPSTREAM, filters, filters), np.float32)
    start[:] = _fresh_root(filters, followed.fresh)
    for b in range(UPSTREAM if world.inherited else 0):
        u, v, products = _upstream(first, world, normals, b)
        noise, seen = np.zeros((filters, filters)), np.zeros((filters, filters))
        for r in range(filters):
            if source[r] < 0:
                noise[r, r] = seen[r, r] = followed.fresh
                continue
            known[b, r] = world.u_norm * u[source[r]]
            for k in range(filters):
                if source[k] >= 0:
                    noise[r, k] = products[source[r], source[k]]
                    both = np.float64(v[source[r]]) * np.float64(v[source[k]])
                    seen[r, k] = noise[r, k] + both
        by_chance[b] = root_of(noise, basis) / Single(sqrt(first.d))
        start[b] = root_of(seen, basis)
    return Inherited(known, by_chance, start)


@compiled
def _replica(
    task: Reduced,
    world: ReducedWorld,
    followed: Followed,
    inherited: Inherited,
    basis: Array,
    normals: Normals,
    replica: int,
) -> tuple[Number, Number, Number]:
    """Train a scratch and an inheriting network on the same samples, and judge them."""
    b, pair, sign = replica // 2 % UPSTREAM, (UPSTREAM + replica) // 2, 1 - 2 * (replica % 2)
    filters = len(followed.source)
    patches = draw_patches(task, normals, pair, sign, filters)
    fresh, start = _fresh_root(filters, followed.fresh), inherited.start[b]
    B = np.empty((2 * filters, task.kept), np.float32)
    B[:filters], B[filters:] = np.dot(fresh, patches.span), np.dot(start, patches.span)
    a = np.empty(2 * filters, np.float32)
    chance = np.dot(inherited.by_chance[b], normals.start[pair, 1, :filters])
    for r in range(filters):
        a[r] = sign * task.sigma_0 * sqrt(task.norm) * normals.start[pair, 0, r]
        a[filters + r] = a[r]
        if followed.source[r] >= 0:
            a[filters + r] = inherited.known[b, r] + sign * world.v_norms[1] * chance[r]
    sides, shares, sigma = followed.sides, followed.shares, Single(task.sigma)
    tests, own = normals.tests[:filters], slice(filters, 2 * filters)
    zero_shot = accuracy(sigma * start, a[own], sides, shares[1], tests)
    imbalance = sign * normals.balance[pair] / sqrt(task.n)
    C = descend(B, a, patches.gram, sides, shares, imbalance, task)
    root = root_of(inner_products(fresh, C[:filters], patches), basis)
    scratch = accuracy(sigma * root, a[:filters], sides, shares[0], tests)
    root = root_of(inner_products(start, C[own], patches), basis)
    return scratch, zero_shot, accuracy(sigma * root, a[own], sides, shares[1], tests)


@compiled
def _largest_error(accuracies: Array) -> float:
    """Return the largest standard error of the mean accuracies, from antithetic pairs."""
    worst, pairs = 0.0, len(accuracies) // 2
    for k in range(accuracies.shape[1]):
        means = (accuracies[0::2, k] + accuracies[1::2, k]) / 2
        worst = max(worst, means.std() / sqrt(pairs - 1))
    return worst
