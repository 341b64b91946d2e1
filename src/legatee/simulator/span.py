"""Coordinates that are enough: their number does not depend on the dimension.

Gradient descent keeps every filter in the span of the signals, the noise patches of both tasks
and the initial filters. Outside span{u, v1, v2} the latter are K isotropic Gaussian vectors of
d - 3 coordinates, and only their inner products matter. So they may be rotated until their matrix
is lower triangular, whose entries are independent with known laws (Bartlett's decomposition of a
Wishart matrix): nothing of size d is ever drawn. The proof is in docs/theory.md, section 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from legatee.world.setting import Setting

DIRECTIONS = 3  # coordinates 0, 1, 2 lie along u, v1, v2


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Everything random in one run of one setting, in units of its own scale.

    Vectors are given by ``D`` kept coordinates: three along u, v1 and v2, the others outside.
    Filters of the positive sign come first. Pairs are (upstream, downstream).

    Attributes:
        labels: Labels of the training samples, -1 or 1 ``[n]``.
        signs: Whether a sample shows the signal or its negative: the labels, but for label noise
            ``[n]``.
        noise: Noise patches before anything is projected out ``[n, D]``.
        filters: Initial filters of the upstream network, and those that the downstream networks
            draw anew ``[2 m, D]``.
        tests: Standard normals, a row for each test point; networks of fewer filters use the
            first ``[test_draws, 2 m]``.
    """

    labels: tuple[np.ndarray, np.ndarray]
    signs: tuple[np.ndarray, np.ndarray]
    noise: tuple[np.ndarray, np.ndarray]
    filters: tuple[np.ndarray, np.ndarray]
    tests: np.ndarray


def kept_coordinates(setting: Setting) -> int:
    """Return how many coordinates are enough for a setting.

    Args:
        setting: The setting.

    Returns:
        The random vectors' number or d - 3, whichever is less, and three [count].
    """
    return min(sum(_sizes(setting)), setting.d - DIRECTIONS) + DIRECTIONS


def by_samples(samples: int, kept: int) -> bool:
    """Return whether a step is cheaper through inner products of the samples.

    Args:
        samples: Training samples N [count].
        kept: Coordinates D [count].

    Returns:
        Whether one product with N x N numbers costs less than two with N x D.
    """
    return samples <= 2 * kept


def draw(setting: Setting, seed: int, test_draws: int) -> Draws:
    """Draw one run of a setting.

    Every kind of thing has its own stream of random numbers, and no stream depends on the
    setting's values: settings of the same sizes see the same draws under the same seed, so that
    their results can be compared in pairs.

    Args:
        setting: The setting.
        seed: The seed [>= 0].
        test_draws: Test points to draw for each task [count].

    Returns:
        The draws; equal on every machine and device.
    """
    streams = [default_rng(sequence) for sequence in SeedSequence(seed).spawn(7)]
    sizes = _sizes(setting)
    downstream, upstream, start, fresh = (
        _vectors(stream, setting, sum(sizes[:i]), size)
        for i, (stream, size) in enumerate(zip(streams[:4], sizes, strict=True))
    )
    first, second = (
        _samples(stream, task.n, setting.label_noise)
        for stream, task in zip(streams[4:], setting.resolved, strict=False)
    )
    most = 2 * max(task.m for task in setting.resolved)
    return Draws(
        labels=(first[0], second[0]),
        signs=(first[1], second[1]),
        noise=(upstream, downstream),
        filters=(start, fresh),
        tests=streams[6].standard_normal((test_draws, most), dtype=np.float32),
    )


def _sizes(setting: Setting) -> tuple[int, int, int, int]:
    """Return how many vectors of each kind are drawn; early ones have few coordinates."""
    first, second = setting.resolved
    return second.n, first.n, 2 * first.m, 2 * second.m


def _vectors(stream: Generator, setting: Setting, before: int, size: int) -> np.ndarray:
    """Return ``size`` vectors, ``before`` others having been drawn, in kept coordinates."""
    along = stream.standard_normal((size, DIRECTIONS))
    columns, freedom = kept_coordinates(setting) - DIRECTIONS, setting.d - DIRECTIONS
    if sum(_sizes(setting)) > freedom:
        return np.hstack([along, stream.standard_normal((size, columns))])
    outside = np.zeros((size, columns))
    outside[:, :before] = stream.standard_normal((size, before))
    corner = outside[:, before : before + size]  # the triangle below the diagonal, and the diagonal
    corner[np.tri(size, k=-1, dtype=bool)] = stream.standard_normal(size * (size - 1) // 2)
    freedoms = freedom - before - np.arange(size)
    np.fill_diagonal(corner, np.sqrt(stream.chisquare(freedoms)))
    return np.hstack([along, outside])


def _samples(stream: Generator, n: int, label_noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, some of them flipped, and the signs that they were before."""
    signs = 2.0 * stream.integers(0, 2, n) - 1
    flips = stream.random(n) < label_noise
    return np.where(flips, -signs, signs), signs
