import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from theory_cases import GENERIC, changed, in_unit, valid_settings

from legatee import simulate
from legatee.theory.closed import inherited_accuracy, scratch_accuracy, zero_shot_accuracy

FORMS = (scratch_accuracy, zero_shot_accuracy, inherited_accuracy)


def push(kappa, steps, resistance):
    """r = 2 x / (sigma^2 d + N |s|^2), with x by bisection."""
    x = brentq(lambda x: x + math.exp(x) - 1 - kappa * steps, 0, 50, xtol=1e-14)
    return 2 * x / resistance


def test_accuracies_by_hand():
    # sigma_1^2 d = 300, N_1 |s_1|^2 = 500; sigma_2^2 d = 2700, N_2 |s_2|^2 = 97.5
    r1, r2 = push(0.3, 300, 300 + 500), push(1.865, 70, 2700 + 97.5)
    own, own_noise = r2 * 97.5, r2**2 * 30 * 2700
    brought = 0.3 * r1 * 80 * 2.25
    brought_noise = 0.3**2 * r1**2 * 80 * (300 + 80 * 4)
    expected = {
        scratch_accuracy: own / math.sqrt(own_noise),
        zero_shot_accuracy: brought / math.sqrt(brought_noise),
        inherited_accuracy: (own + brought) / math.sqrt(own_noise + brought_noise),
    }
    for form, signal in expected.items():
        assert form(GENERIC) == pytest.approx(norm.cdf(signal / 1.5), rel=1e-9)
    assert scratch_accuracy(GENERIC) == pytest.approx(norm.cdf(math.sqrt(30 / 1200) * 3.25 / 2.25))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(valid_settings(5), st.floats(0.01, 100))
def test_accuracies_do_not_depend_on_the_unit_of_signal_and_noise(setting, c):
    again = in_unit(setting, c)
    for form in FORMS:
        assert form(again) == pytest.approx(form(setting), abs=1e-7)


def test_inheriting_nothing_is_scratch_and_knows_nothing_beforehand():
    nothing = changed(GENERIC, alpha=0)
    assert inherited_accuracy(nothing) == pytest.approx(scratch_accuracy(nothing))
    assert zero_shot_accuracy(nothing) == 0.5


def test_without_a_universal_signal_nothing_is_known_beforehand_and_inheriting_hurts():
    without = changed(u_norm=0)
    assert zero_shot_accuracy(without) == 0.5
    assert 0.5 < inherited_accuracy(without) < scratch_accuracy(without)


def test_without_a_signal_there_is_nothing_to_learn():
    nothing = changed(u_norm=0, upstream_v_norm=0, downstream_v_norm=0)
    assert [form(nothing) for form in FORMS] == [0.5] * 3


def test_dimensions_without_end_leave_chance():
    far = changed(d=10**15)
    assert [form(far) for form in FORMS] == pytest.approx([0.5] * 3, abs=1e-4)


def test_training_without_end_changes_little():
    late, later = changed(steps=10**9), changed(steps=10**12)
    assert [form(later) for form in FORMS] == pytest.approx(
        [form(late) for form in FORMS], abs=1e-3
    )


def measured(setting):
    """What a simulation says of each form, and four of its standard errors."""
    found = simulate(setting, 16)["test_accuracy"].isel(setting=0)
    for form, run, step in zip(
        FORMS, ["scratch", "inherited", "inherited"], [-1, 0, -1], strict=True
    ):
        values = found.sel(run=run).isel(step=step).values
        yield form, values.mean(), 4 * values.std(ddof=1) / math.sqrt(16)


VALID = {  # kappa of 3 a step and above
    "strong": changed(eta=10, m=40, upstream_n=400),
    "noisier upstream": changed(eta=20, m=40, upstream_sigma_p=2, upstream_n=300, alpha=0.25),
    "weak": changed(eta=10, m=40, d=5000, u_norm=1, alpha=0.4, upstream_n=200),
}


@pytest.mark.parametrize("case", VALID)
def test_where_they_are_valid_accuracies_are_a_few_points_from_those_of_a_simulation(case):
    for form, accuracy, error in measured(VALID[case]):
        assert abs(form(VALID[case]) - accuracy) < 0.03 + error


def test_for_small_steps_accuracies_from_scratch_are_too_low():
    small = changed(eta=0.2, upstream_n=100)  # kappa is 0.29
    _, accuracy, error = next(measured(small))
    assert scratch_accuracy(small) < accuracy - error


def test_where_no_filter_is_fresh_the_inherited_accuracy_is_too_low():
    whole = changed(eta=10, m=40, upstream_n=400, alpha=1)
    *_, (_, accuracy, error) = measured(whole)
    assert inherited_accuracy(whole) < accuracy - error
