"""Names, dimensions, units and coordinates of the measurements."""

from importlib.metadata import version

import numpy as np
import xarray as xr

from legatee.simulator.batch import How, Measured, recorded
from legatee.simulator.span import by_samples, kept_coordinates
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import FIELDS, TASKS, Setting, Value

RUNS = ("upstream", "scratch", "inherited")
TASK_OF_RUN = {"upstream": 0, "scratch": 1, "inherited": 1}  # its place in ``Setting.resolved``
STATUSES = ("done", "not_converged", "not_finite", "diverged")
_CELL = ("setting", "seed")
_EACH = (*_CELL, "run", "step")
MEASURED: dict[str, tuple[tuple[str, ...], str, str]] = {
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


def label(settings: list[Setting], seeds: list[int], how: How, results: Measured) -> xr.Dataset:
    """Label what was measured.

    Args:
        settings: The settings.
        seeds: The seeds.
        how: How it was computed.
        results: Arrays by name ``[setting, seed, ...]``.

    Returns:
        The dataset that :func:`~legatee.simulator.run.simulate` returns.
    """
    data = {}
    for name, values in results.items():
        dims, units, about = MEASURED[name]
        data[name] = (dims, values, {"units": units, "long_name": about})
    status = _status(settings, results["train_loss"], results["test_accuracy"])
    data["status"] = ((*_CELL, "run"), status, {"long_name": "how training ended"})
    tasks = [[s.resolved[TASK_OF_RUN[run]] for run in RUNS] for s in settings]
    coords: dict[str, tuple] = {
        "seed": ("seed", seeds),
        "run": ("run", list(RUNS)),
        "task": ("task", list(TASKS)),
        "sign": ("sign", [1, -1]),
        "statistic": ("statistic", ["mean", "spread"]),
        "step_number": (
            ("setting", "run", "step"),
            [[recorded(how.record_steps, task.steps) for task in three] for three in tasks],
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
    attributes = {
        "version": version("legatee"),
        "device": str(how.device),
        "dtype": str(how.dtype).removeprefix("torch."),
    }
    return xr.Dataset(data, coords, {**attributes, "test_draws": how.test_draws})


def _field_columns(settings: list[Setting]) -> dict[str, tuple[list[Value], dict[str, str]]]:
    """Return every field of the settings as a labelled column, the tasks' own values filled in."""
    columns: dict[str, tuple[list[Value], dict[str, str]]] = {}
    for name in FIELDS:
        task, dot, own = name.rpartition(".")
        which = TASKS.index(task) if dot else 0
        values = [getattr(s.resolved[which] if dot else s, own) for s in settings]
        quantity = QUANTITIES.get(name)
        labels = {"units": quantity.units, "long_name": quantity.about} if quantity else {}
        columns[name] = (values, labels)
    return columns


def _status(settings: list[Setting], loss: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Return how every training ended ``[setting, seed, run]``."""
    first, last = loss[..., 0], loss[..., -1]
    finite = np.isfinite(last) & np.isfinite(accuracy).all(-1)
    keep = [
        [1 - s.resolved[k].eta * (s.weight_decay + k * s.l2_sp) for k in (0, 1, 1)]
        for s in settings
    ]
    runaway = np.broadcast_to(np.abs(keep)[:, None] > 1, last.shape)
    return np.select(
        [runaway, ~finite, last > first], ["diverged", "not_finite", "not_converged"], "done"
    )
