"""Two functions that may give other results must not pass for one."""

from functools import partial

import pytest
import torch

from legatee.fingerprint import name_of


def shifted(by):
    return lambda network, data: torch.zeros(data.n) + by


class Metric:
    def __init__(self, by):
        self.by = by

    def __call__(self, network, data):
        return torch.full((data.n,), self.by)


def fit(network, data, seed, rate=0.1):
    return network


OTHERS = {
    "another function is called": (
        lambda network, data: torch.zeros(data.n),
        lambda network, data: torch.ones(data.n),
    ),
    "another number is captured": (shifted(0.0), shifted(1.0)),
    "another number is bound": (partial(fit, rate=1), partial(fit, rate=2)),
    "another number is held": (Metric(0.0), Metric(1.0)),
}


@pytest.mark.parametrize("change", OTHERS)
def test_other_functions_have_other_names(change):
    one, other = OTHERS[change]
    assert name_of(one) != name_of(other)


@pytest.mark.parametrize("make", [lambda: shifted(1.0), lambda: Metric(1.0), lambda: fit])
def test_the_same_function_made_again_has_the_same_name(make):
    assert name_of(make()) == name_of(make())
