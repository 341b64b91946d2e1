"""Settings and small readings of results that the simulator's tests share."""

import math

import numpy as np

from legatee import Setting, Task

UPSTREAM = {"n": 9, "v_norm": 1.7, "sigma_p": 0.8, "m": 5, "steps": 5, "eta": 0.7}
DOWNSTREAM = {"n": 6, "v_norm": 1.3, "sigma_p": 1.1}
NUMBERS = ["train_loss", "train_accuracy", "test_accuracy", "test_accuracy_error"]
STATISTICS = ["universal", "specific", "noise"]
COEFFICIENTS = ["universal_coefficient", "specific_coefficient", "noise_coefficient"]


def a_setting(upstream=None, downstream=None, **changes):
    fields = {"d": 300, "m": 4, "u_norm": 1.5, "alpha": 0.4, "eta": 0.5, "sigma_0": 1e-3}
    return Setting(
        upstream=Task(**(UPSTREAM | (upstream or {}))),
        downstream=Task(**(DOWNSTREAM | (downstream or {}))),
        **(fields | {"steps": 7} | changes),
    )


def last(found, variable="test_accuracy"):
    """Values after training by run, of the only setting [seed]."""
    at_end = found[variable].isel(setting=0, step=-1)
    return {run: at_end.sel(run=run).values for run in found["run"].values}


def sigmas(values, expected=0.0):
    """How many standard errors of its own the mean of values is away from what is expected."""
    return abs(np.mean(values) - expected) / (np.std(values, ddof=1) / math.sqrt(len(values)))


def labels_and_memories(found, run, task):
    """Labels [sample], and noise coefficients after training [sign, filter, sample] > 0 if active.

    A filter of sign j is moved by j y_i xi_i, so signs tell labels.
    """
    rho = found["noise_coefficient"].sel(run=run, task=task).isel(setting=0, seed=0, step=-1)
    rho = rho.transpose("sign", "filter", "sample").dropna("filter", how="all")
    rho = rho.dropna("sample", how="all").values
    labels = np.sign((rho * [[[1]], [[-1]]]).sum((0, 1)))
    return labels, rho * [[[1]], [[-1]]] * labels
