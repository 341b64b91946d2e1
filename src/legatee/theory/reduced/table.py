"""What a reduced model is made of: its tasks, its resolution, and the table it draws from."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.random import default_rng
from scipy.stats import norm, qmc

from legatee import compiling

Array = np.ndarray
Single = np.float32
Number = float | np.float32

# The resolution. Where it comes from: benchmarks/README.md, "Prediction".
FILTERS = 20  # of each sign that are followed at most; they stand for all others [count]
SAMPLES = 32  # that a task is reduced to [count] ...
SAMPLES_COUNTED = 64  # ... where single samples decide: no filter is fresh, or there are few
FEW = 5  # filters of each sign [count]
UPSTREAM = 8  # upstream replicas [count]
FEWEST, MOST = 16, 64  # downstream replicas [count]
EXACT_STEPS, GROWTH = 5, 0.25  # steps taken one by one; later ones, as a share of the time so far
POINTS = 512  # test points, each standing for four samples [count]

compiled = compiling.compiled(
    fastmath={"reassoc", "contract", "nsz", "arcp", "afn"}, error_model="numpy"
)


class Reduced(NamedTuple):
    """One task, reduced; signal and noise are counted in downstream noise levels.

    Attributes:
        n: Samples of the true task [count].
        d: Its dimension [count].
        kept: Samples that it is reduced to [count, even].
        sigma: Noise level [signal].
        norm: Squared norm of the signal patch [signal^2].
        eta: Learning rate [1/signal^2].
        steps: Steps of gradient descent [count].
        m: Filters per sign [count].
        sigma_0: Initial scale of fresh filters [1/signal].
    """

    n: float
    d: float
    kept: int
    sigma: float
    norm: float
    eta: float
    steps: float
    m: float
    sigma_0: float


class ReducedWorld(NamedTuple):
    """What both tasks have in common.

    Attributes:
        u_norm: Norm of the universal signal [signal].
        v_norms: Norms of v1 and v2 [signal].
        inherited: Filters of each sign that are inherited [count].
    """

    u_norm: float
    v_norms: tuple[float, float]
    inherited: float


class Normals(NamedTuple):
    """Fixed standard normals, float32.

    Attributes:
        span: Samples' coordinates along the filters ``[pair, filter, sample]``.
        rest: Their coordinates elsewhere; the diagonal gives lengths ``[pair, sample, sample]``.
        start: What filters hold of two directions by chance ``[pair, 2, filter]``.
        balance: Imbalance of the classes ``[pair]``.
        tests: Test points, the first coordinates spread most evenly ``[filter, point]``.
    """

    span: Array
    rest: Array
    start: Array
    balance: Array
    tests: Array


@lru_cache(maxsize=1)
def fixed_normals() -> Normals:
    """Return the table that every solution draws from.

    Returns:
        The table; the same everywhere.

    Source: *Ours*, docs/theory.md, section 4.
    """
    stream, pairs = default_rng(2509_22056), (UPSTREAM + MOST) // 2
    most, filters = SAMPLES_COUNTED, 2 * FILTERS
    points = norm.ppf(qmc.Sobol(filters, seed=stream).random(POINTS)).T
    whitening = np.linalg.inv(np.linalg.cholesky(points @ points.T / POINTS))
    return Normals(
        span=stream.standard_normal((pairs, filters, most), Single),
        rest=stream.standard_normal((pairs, most, most), Single),
        start=stream.standard_normal((pairs, 2, filters), Single),
        balance=stream.standard_normal(pairs, Single),
        tests=(whitening @ points).astype(Single),
    )
