"""No valid setting, however far out, is refused by a formula or breaks it."""

import math

import pytest
from hypothesis import given, settings
from theory_cases import changed, valid_settings

from legatee.theory import bounds, closed, conditions, growth, quantities

OF_A_SETTING = (
    quantities.gamma,
    quantities.scratch_strength,
    closed.scratch_accuracy,
    closed.zero_shot_accuracy,
    closed.inherited_accuracy,
)
OF_A_TASK = (quantities.signal_squared, quantities.growth_rate, conditions.movement)
OVER_TIME = (growth.margin, growth.noise_growth, lambda *of: sum(growth.signal_growth(*of)))
THEOREMS = (
    bounds.transfer_succeeds,
    bounds.scratch_succeeds,
    bounds.inheriting_helps,
    bounds.inheriting_hurts,
)


def numbers(setting):
    """Everything that the formulas make of a setting, but for margins."""
    yield from (form(setting) for form in OF_A_SETTING)
    for task in setting.resolved:
        yield from (form(setting, task) for form in OF_A_TASK)
        for step in (0, 1, task.steps, 1e12):
            yield from (form(setting, task, step) for form in OVER_TIME)


def margins(setting):
    yield from (theorem(setting).margin for theorem in THEOREMS)
    yield from (line.margin for line in conditions.condition_4_1(setting))


@settings(derandomize=True, deadline=None, max_examples=200)
@given(valid_settings(30))
def test_every_setting_within_thirty_decades_has_finite_numbers(setting):
    assert all(0 <= value < math.inf for value in numbers(setting))
    assert not any(math.isnan(margin) for margin in margins(setting))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(valid_settings(30))
def test_nothing_ever_shrinks_in_training(setting):
    for task in setting.resolved:
        for grown in OVER_TIME:
            values = [grown(setting, task, step) for step in (0, 1, 10, 1e3, 1e12)]
            assert values == sorted(values)


POSITIVE = ("upstream_sigma_p", "downstream_sigma_p", "eta", "sigma_0")
NORMS = ("u_norm", "upstream_v_norm", "downstream_v_norm")
FAR_OUT = [(name, value) for name in POSITIVE for value in (1e-30, 1e30)]
FAR_OUT += [(name, value) for name in NORMS for value in (5e-324, 1e-160, 1e30)]
FAR_OUT += [("alpha", 5e-324)]
FAR_OUT += [(name, 10**15) for name in ("d", "m", "steps", "upstream_n", "downstream_n")]
FAR_OUT += [(name, 1) for name in ("m", "steps", "upstream_n", "downstream_n")] + [("d", 3)]


@pytest.mark.parametrize(("name", "value"), FAR_OUT)
def test_no_valid_number_is_beyond_arithmetic(name, value):
    setting = changed(**{name: value})
    assert all(0 <= value < math.inf for value in numbers(setting))
    assert not any(math.isnan(margin) for margin in margins(setting))
