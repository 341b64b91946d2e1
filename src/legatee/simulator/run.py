"""The front door: settings and seeds in, a labelled dataset out."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import groupby

import numpy as np
import torch
import xarray as xr
from threadpoolctl import threadpool_limits

from legatee.errors import InvalidSetting, LegateeError, UnknownName
from legatee.grid import Grid
from legatee.progress import track
from legatee.setting import FIELDS, QUANTITIES, Setting, Value
from legatee.simulator.batch import How, Measured, bytes_of, run_batch, shape_of
from legatee.simulator.span import by_samples, kept_coordinates

RUNS = ("upstream", "scratch", "inherited")
GIB = 2**30
AT_ONCE = 64  # runs in a batch on the CPU; more gain nothing [count]
_CELL = ("setting", "seed")
_EACH = (*_CELL, "run", "step")
_VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "train_loss": (_EACH, "nats", "mean logistic loss of the training samples"),
    "train_accuracy": (_EACH, "fraction", "accuracy on the training samples"),
    "test_accuracy": (_EACH, "fraction", "accuracy on fresh samples of the run's task"),
    "test_accuracy_error": (_EACH, "fraction", "standard error of test_accuracy"),
    "universal": ((*_EACH, "sign", "statistic"), "1", "coefficients on u"),
    "specific": ((*_EACH, "task", "sign", "statistic"), "1", "coefficients on v_k"),
    "noise": (
        (*_EACH, "task", "sign", "statistic"),
        "1",
        "coefficients on noise patches, mean over training samples of the filter's sign",
    ),
    "universal_coefficient": ((*_EACH, "sign", "filter"), "1", "coefficients on u"),
    "specific_coefficient": ((*_EACH, "task", "sign", "filter"), "1", "coefficients on v_k"),
    "noise_coefficient": (
        (*_EACH, "task", "sign", "filter", "sample"),
        "1",
        "coefficients on noise patches",
    ),
    "inherited_filters": ((*_CELL, "sign"), "count", "filters inherited"),
}


def simulate(  # noqa: PLR0913 - a front door
    settings: Setting | Grid | Iterable[Setting],
    seeds: int | Iterable[int],
    *,
    device: str | None = None,
    dtype: str = "float32",
    log_steps: int | Iterable[int] = 2,
    test_draws: int = 500,
    coefficients: bool = False,
    memory: float = 0.5,
    progress: bool = False,
) -> xr.Dataset:
    """Train the upstream, the scratch and the inheriting network of every setting and seed.

    Exact in law, at a cost that does not depend on d. The scratch and the inheriting network of a
    seed share training data, fresh filters and test points, and settings of the same sizes share
    draws: differences are sharper than the accuracies themselves. The same draws are made on
    every device; one thread is used.

    Args:
        settings: What to simulate.
        seeds: Seeds, or how many of them, from 0 on.
        device: Where, such as ``"cuda"``; ``None`` is the CPU.
        dtype: ``"float32"`` or ``"float64"``; what training and test compute in.
        log_steps: How many steps of every training to look at, evenly spread, or which; the first
            and the last are always among them.
        test_draws: Test points of each seed and task; each stands for four samples, itself and
            its negative with either label [count].
        coefficients: Whether to keep every coefficient of the signal-noise decomposition.
        memory: What a batch of runs may take beside the results [GiB]; a run is never split.
        progress: Whether to show a bar on a terminal.

    Returns:
        ``train_loss``, ``train_accuracy``, ``test_accuracy`` and its standard error
        ``test_accuracy_error``, each ``[setting, seed, run, step]``; zero-shot accuracy is
        ``run="inherited"`` at step 0. The decomposition (``universal [..., sign, statistic]``,
        ``specific`` and ``noise [..., task, sign, statistic]``), ``status [setting, seed, run]``
        (``done``; ``not_converged``: the final training loss is above the first; ``not_finite``;
        ``diverged``: weight decay makes the weights grow). Coordinates: every field of the
        setting, ``step_number(setting, run, step)``, and ``coordinates(setting, run)``: ``span``
        where the cost does not depend on d, ``d`` where there are more samples than that pays for.

    Raises:
        InvalidSetting: If there are no settings or seeds.
        LegateeError: If an option is out of its range, or more memory is needed than there is.

    Example:
        >>> from legatee.setting import Task
        >>> setting = Setting(d=2000, m=4, u_norm=2.0, alpha=0.5, eta=1.0, sigma_0=1e-4, steps=20,
        ...                   upstream=Task(n=50, v_norm=2.0, sigma_p=1.0),
        ...                   downstream=Task(n=20, v_norm=2.0, sigma_p=1.0))
        >>> accuracy = simulate(setting, seeds=8)["test_accuracy"].isel(step=-1)
        >>> accuracy.sel(run="inherited").dims
        ('setting', 'seed')
    """
    chosen = [settings] if isinstance(settings, Setting) else list(settings)
    numbers = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    _check(chosen, numbers, dtype, test_draws, memory)
    room = (
        max(t.m for s in chosen for t in s.resolved),
        max(t.n for s in chosen for t in s.resolved),
    )
    how = How(
        device=_device(device),
        dtype=getattr(torch, dtype),
        log_steps=max(log_steps, 2) if isinstance(log_steps, int) else tuple(log_steps),
        test_draws=test_draws,
        coefficients=room if coefficients else None,
    )
    _check_memory(chosen, len(numbers), how)
    cells = [(s, t) for s in range(len(chosen)) for t in range(len(numbers))]
    cells.sort(key=lambda cell: repr(shape_of(chosen[cell[0]])))
    results: Measured = {}
    with track(len(cells), "runs", shown=progress) as advance, _one_thread():
        for part in _parts(cells, chosen, how, memory * GIB):
            measured = run_batch([(chosen[s], numbers[t]) for s, t in part], how)
            at = tuple(np.array(part).T)
            for name, values in measured.items():
                if name not in results:
                    shape = (len(chosen), len(numbers), *values.shape[1:])
                    results[name] = np.zeros(shape, values.dtype)
                results[name][at] = values
            for _ in part:
                advance()
    return _dataset(chosen, numbers, how, results)


def _parts(
    cells: list[tuple[int, int]], settings: list[Setting], how: How, memory: float
) -> Iterator[list[tuple[int, int]]]:
    """Split sorted cells into batches of one shape that fit into memory."""
    for _, alike in groupby(cells, key=lambda cell: shape_of(settings[cell[0]])):
        group = list(alike)
        most = int(memory // bytes_of(settings[group[0][0]], how))
        if how.device.type == "cpu":
            most = min(most, AT_ONCE)
        most = max(most, 1)
        for first in range(0, len(group), most):
            yield group[first : first + most]


def _dataset(settings: list[Setting], seeds: list[int], how: How, results: Measured) -> xr.Dataset:
    """Label everything."""
    data = {}
    for name, values in results.items():
        dims, units, about = _VARIABLES[name]
        data[name] = (dims, values, {"units": units, "long_name": about})
    status = _status(settings, results["train_loss"], results["test_accuracy"])
    data["status"] = ((*_CELL, "run"), status, {"long_name": "how training ended"})
    tasks = [[s.resolved[k] for k in (0, 1, 1)] for s in settings]  # of the three runs
    coords: dict[str, tuple] = {
        "seed": ("seed", seeds),
        "run": ("run", list(RUNS)),
        "task": ("task", ["upstream", "downstream"]),
        "sign": ("sign", [1, -1]),
        "statistic": ("statistic", ["mean", "spread"]),
        "step_number": (
            ("setting", "run", "step"),
            [[how.logged(task.steps) for task in three] for three in tasks],
            {"units": "count", "long_name": "steps of gradient descent taken"},
        ),
        "coordinates": (
            ("setting", "run"),
            [
                ["span" if by_samples(task.n, kept_coordinates(s)) else "d" for task in three]
                for s, three in zip(settings, tasks, strict=True)
            ],
            {"long_name": "coordinates that a step was computed in"},
        ),
        **{name: ("setting", *column) for name, column in _field_columns(settings).items()},
    }
    attributes = {"version": version("legatee"), "device": str(how.device), "dtype": str(how.dtype)}
    return xr.Dataset(data, coords, {**attributes, "test_draws": how.test_draws})


def _field_columns(settings: list[Setting]) -> dict[str, tuple[list[Value], dict[str, str]]]:
    """Return every field of the settings as a labelled column, the tasks' own values filled in."""
    columns: dict[str, tuple[list[Value], dict[str, str]]] = {}
    for name in FIELDS:
        task, dot, own = name.rpartition(".")
        which = ("upstream", "downstream").index(task) if dot else 0
        values = [getattr(s.resolved[which] if dot else s, own) for s in settings]
        quantity = QUANTITIES.get(name)
        labels = {"units": quantity.units, "long_name": quantity.about} if quantity else {}
        columns[name] = (values, labels)
    return columns


def _status(settings: list[Setting], loss: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Say how every training ended ``[setting, seed, run]``."""
    first, last = loss[..., 0], loss[..., -1]
    finite = np.isfinite(last) & np.isfinite(accuracy).all(-1)
    keep = [[1 - s.resolved[k].eta * s.weight_decay for k in (0, 1, 1)] for s in settings]
    runaway = np.broadcast_to(np.abs(keep)[:, None] > 1, last.shape)
    return np.select(
        [runaway, ~finite, last > first], ["diverged", "not_finite", "not_converged"], "done"
    )


def _check(
    settings: list[Setting], seeds: list[int], dtype: str, test_draws: int, memory: float
) -> None:
    """Refuse what cannot be simulated."""
    if not settings:
        raise InvalidSetting("there is no setting to simulate; give one or more")
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise InvalidSetting(f"seeds are {seeds}; expected one or more, from 0 on, none twice")
    if dtype not in ("float32", "float64"):
        raise UnknownName("dtype", str(dtype), ("float32", "float64"))
    if test_draws < 2:
        raise LegateeError(f"test_draws is {test_draws}; expected 2 or more")
    if not memory > 0:
        raise LegateeError(f"memory is {memory}; expected a number of GiB above 0")


def _check_memory(settings: list[Setting], seeds: int, how: How) -> None:
    """Refuse what does not fit into this machine."""
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    steps = len(how.logged(1))
    m, n = how.coefficients or (0, 0)
    kept = 8 * len(settings) * seeds * len(RUNS) * steps * (14 + 2 * m * (3 + 2 * n))
    one = max(bytes_of(setting, how) for setting in settings)
    if kept + one > there:
        raise LegateeError(
            f"{len(settings)} settings with {seeds} seeds need {(kept + one) / GIB:.1f} GiB: "
            f"{one / GIB:.1f} for the largest run and {kept / GIB:.1f} for the results; this "
            f"machine has {there / GIB:.1f}; simulate fewer at a time, or smaller ones"
        )


def _device(name: str | None) -> torch.device:
    """Return the device of that name, which exists."""
    try:
        return torch.empty(0, device=name or "cpu").device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise LegateeError(
            f"cannot simulate on device {name!r}: {str(error).split(chr(10))[0]}"
        ) from error


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
