"""The front door: simulates settings under seeds and returns a labelled dataset."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

import numpy as np
import torch
import xarray as xr
from threadpoolctl import threadpool_limits

from legatee.progress import track
from legatee.simulator.batch import Cell, How, Measured, bytes_of, run_batch, shape_of
from legatee.simulator.label import label
from legatee.simulator.request import check_memory, how_of, seeds_of, settings_of
from legatee.world.setting import Setting

BATCH_BYTES = 2**29  # that a batch of runs may take; a run is never split
AT_ONCE = 64  # runs in a batch on the CPU; more gain nothing [count]


def simulate(  # noqa: PLR0913 - a front door
    settings: Setting | Iterable[Setting],
    seeds: int | Iterable[int],
    *,
    device: str = "cpu",
    dtype: str = "float32",
    record_steps: Iterable[int] = (),
    test_draws: int = 500,
    coefficients: bool = False,
    progress: bool = False,
) -> xr.Dataset:
    """Train the upstream, the scratch and the inheriting network of every setting and seed.

    Exact in law, at a cost that does not depend on d. The scratch and the inheriting network of a
    seed share training data, fresh filters and test points, and settings of the same sizes share
    draws: differences are sharper than the accuracies themselves. A run does not depend, but for
    rounding, on what is simulated beside it. One thread is used; every device sees the same draws.

    Args:
        settings: What to simulate: a setting, several, or a :class:`~legatee.world.grid.Grid`.
        seeds: Seeds, or how many of them, from 0 on.
        device: Where to compute, such as ``"cuda"``.
        dtype: ``"float32"`` or ``"float64"``; what training and test compute in.
        record_steps: Steps at which networks are measured, beside the first and the last; a step
            beyond the end of a training is its end [count].
        test_draws: Test points of each seed and task; each stands for four samples, itself and
            its negative with either label [count].
        coefficients: Whether to keep every coefficient of the signal-noise decomposition.
        progress: Whether to show a bar on a terminal.

    Returns:
        ``train_loss``, ``train_accuracy``, ``test_accuracy`` and its standard error
        ``test_accuracy_error``, each ``[setting, seed, run, step]``; zero-shot accuracy is
        ``run="inherited"`` at step 0. The decomposition (``universal [..., sign, statistic]``,
        ``specific`` and ``noise [..., task, sign, statistic]``; filters of the negative sign have
        negative coefficients on signals; NaN without a sample of the sign) and ``status [setting,
        seed, run]`` (``done``; ``not_converged``: the final training loss is above the first;
        ``not_finite``; ``diverged``: a pull towards 0 or the start overshoots). Coordinates:
        every field of the setting, ``step_number(setting, run, step)``, and ``coordinates(setting,
        run)``: ``span`` where the cost does not depend on d, ``d`` where there are more samples
        than that pays for.

    Raises:
        SettingError: If there are no settings or seeds.
        LegateeError: If an option is out of its range, or more memory is needed than there is.

    Example:
        >>> from legatee.world.task import Task
        >>> setting = Setting(d=2000, m=4, u_norm=2.0, alpha=0.5, eta=1.0, sigma_0=1e-4, steps=20,
        ...                   upstream=Task(n=50, v_norm=2.0, sigma_p=1.0),
        ...                   downstream=Task(n=20, v_norm=2.0, sigma_p=1.0))
        >>> accuracy = simulate(setting, seeds=8)["test_accuracy"].isel(step=-1)
        >>> accuracy.sel(run="inherited").dims
        ('setting', 'seed')
    """
    chosen, numbers = settings_of(settings), seeds_of(seeds)
    how = how_of(
        chosen,
        device=device,
        dtype=dtype,
        record_steps=record_steps,
        test_draws=test_draws,
        coefficients=coefficients,
    )
    check_memory(chosen, numbers, how)
    results = in_batches(chosen, numbers, how, run_batch, progress=progress)
    return label(chosen, list(numbers), how, results)


def in_batches(
    settings: list[Setting],
    seeds: Sequence[int],
    how: How,
    run: Callable[[Sequence[Cell], How], Measured],
    *,
    progress: bool = False,
) -> Measured:
    """Run every setting under every seed, in batches of one shape, with one thread.

    Args:
        settings: The settings.
        seeds: The seeds.
        how: How runs are computed.
        run: What computes a batch.
        progress: Whether to show a bar on a terminal.

    Returns:
        What was measured by name ``[setting, seed, ...]``.
    """
    cells = [(s, t) for s in range(len(settings)) for t in range(len(seeds))]
    cells.sort(key=lambda cell: repr(shape_of(settings[cell[0]])))
    results: Measured = {}
    with track(len(cells), "runs", shown=progress) as advance, _one_thread():
        for part in _parts(cells, settings, how):
            measured = run([(settings[s], seeds[t]) for s, t in part], how)
            at = tuple(np.array(part).T)
            for name, values in measured.items():
                if name not in results:
                    shape = (len(settings), len(seeds), *values.shape[1:])
                    results[name] = np.zeros(shape, values.dtype)
                results[name][at] = values
            for _ in part:
                advance()
    return results


def _parts(
    cells: list[tuple[int, int]], settings: list[Setting], how: How
) -> Iterator[list[tuple[int, int]]]:
    """Split sorted cells into batches of one shape that fit into memory."""
    for _, alike in groupby(cells, key=lambda cell: shape_of(settings[cell[0]])):
        group = list(alike)
        most = int(BATCH_BYTES // bytes_of(settings[group[0][0]], how))
        if how.device.type == "cpu":
            most = min(most, AT_ONCE)
        most = max(most, 1)
        for first in range(0, len(group), most):
            yield group[first : first + most]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: products are small, and processes share the cores better."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1), torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)
