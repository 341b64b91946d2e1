import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory_cases import DOWNSTREAM, GENERIC, UPSTREAM, changed, in_unit, valid_settings

from legatee.theory.conditions import Condition, Regime, condition_4_1, movement, regime

NAMES = ("d", "m", "N", "sigma_0", "eta")


def lines(setting, **options):
    """The conditions by quantity and task."""
    found = condition_4_1(setting, **options)
    assert [line.task for line in found] == ["upstream"] * 5 + ["downstream"] * 5
    assert [line.name.split()[0] for line in found] == [*NAMES, *NAMES]
    return {(line.name.split()[0], line.task): line for line in found}


# The paper (Condition 4.1, reconstructed from Kou et al. 2023), for each task:
#   d >= C max(N |s|^2 / sigma^2 log T, N^2 log(N m / delta) log(T)^2)
#   m >= C log(N / delta)
#   N >= C log(m / delta)
#   sigma_0 <= 1 / (C max(sigma d / sqrt(N), sqrt(log(m / delta)) |s|))
#   eta <= 1 / (C max(sigma^2 d^(3/2) / (N^2 sqrt(log(m / delta))), sigma^2 d / N))
# The generic setting has d = 1200; upstream N, sigma, |s|^2, m, T = 80, 0.5, 6.25, 10, 300 and
# downstream 30, 1.5, 3.25, 5, 70. The decimals were computed with bc, to twenty digits.
BY_HAND = {
    (1, 0.01): {
        "d": (2350668.7595395755, 156206.26606428030),
        "m": (8.98719682066197, 8.00636756765025),
        "N": (6.90775527898214, 6.21460809842219),
        "sigma_0": (0.0149071198499986, 0.00304290309725093),
        "eta": (0.266666666666667, 0.0111111111111111),
    },
    (2.5, 0.2): {
        "d": (4317302.9222724463, 268853.43063720733),
        "m": (14.978661367769955, 12.526588235240639),
        "N": (9.780057513570365, 8.047189562170502),
        "sigma_0": (0.00596284793999944, 0.00121716123890037),
        "eta": (0.106666666666667, 0.00444444444444444),
    },
}


@pytest.mark.parametrize(("constant", "delta"), BY_HAND)
def test_condition_4_1_by_hand(constant, delta):
    found = lines(GENERIC, constant=constant, delta=delta)
    for name, bounds in BY_HAND[constant, delta].items():
        for task, bound in zip(["upstream", "downstream"], bounds, strict=True):
            assert found[name, task].bound == pytest.approx(bound)
    values = {"d": 1200, "m": (10, 5), "N": (80, 30), "sigma_0": 1e-3, "eta": (0.6, 0.2)}
    for name, value in values.items():
        both = value if isinstance(value, tuple) else (value, value)
        for task, own in zip(["upstream", "downstream"], both, strict=True):
            assert found[name, task].value == own


def test_either_term_of_a_maximum_can_be_the_larger_one():
    strong = changed(GENERIC, u_norm=1e3)
    found = lines(strong)
    assert found["d", "upstream"].bound == pytest.approx(80 * (1e6 + 4) / 0.25 * math.log(300))
    assert found["sigma_0", "upstream"].bound == pytest.approx(
        1 / math.sqrt(math.log(1000) * (1e6 + 4))
    )
    few = lines(changed(GENERIC, upstream_n=2, d=10**8))["eta", "upstream"].bound
    assert few == pytest.approx(4 * math.sqrt(math.log(1000)) / (0.25 * 1e12))


def test_margins_are_decades_and_lines_hold_where_they_are_not_negative():
    for line in condition_4_1(GENERIC):
        at_least = line.name.split()[0] in ("d", "m", "N")
        ratio = line.value / line.bound if at_least else line.bound / line.value
        assert line.margin == pytest.approx(math.log10(ratio))
        assert line.holds is (ratio >= 1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_line_fails_exactly_beyond_its_bound(sign):
    # bounds of sigma_0 and eta do not depend on them
    for name in ("sigma_0", "eta"):
        bound = lines(GENERIC)[name, "downstream"].bound
        setting = changed(GENERIC, **{name: bound * (1 + 1e-9 * sign)})
        line = lines(setting)[name, "downstream"]
        assert line.holds is (sign < 0)
        assert line.margin == pytest.approx(-sign * 1e-9 / math.log(10), rel=1e-3)
    # nor does that of d
    bound = lines(GENERIC)["d", "downstream"].bound
    d = math.floor(bound) if sign < 0 else math.ceil(bound)
    assert lines(changed(GENERIC, d=d))["d", "downstream"].holds is (sign > 0)


def test_the_constant_tightens_every_line_by_its_decades():
    loose, tight = condition_4_1(GENERIC), condition_4_1(GENERIC, constant=100)
    for one, other in zip(loose, tight, strict=True):
        assert one.margin - other.margin == pytest.approx(2)


@pytest.mark.parametrize("steps", [1, 2])
def test_few_steps_ask_for_no_fewer_dimensions_than_e_of_them(steps):
    # log T stands for how much is learned, and a single step may teach all that there is to learn
    bound = lines(changed(GENERIC, steps=steps))["d", "upstream"].bound
    assert bound == pytest.approx(max(80 * 6.25 / 0.25, 80**2 * math.log(80 * 10 / 0.01)))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(valid_settings(10), st.floats(0.01, 100))
def test_conditions_do_not_depend_on_the_unit_of_signal_and_noise(setting, c):
    for one, other in zip(condition_4_1(setting), condition_4_1(in_unit(setting, c)), strict=True):
        assert other.margin == pytest.approx(one.margin, abs=1e-9)


def test_a_condition_is_a_value_that_cannot_be_changed():
    line = condition_4_1(GENERIC)[0]
    again = {k: getattr(line, k) for k in ("name", "task", "value", "bound", "margin")}
    assert Condition(**again) == line
    with pytest.raises(FrozenInstanceError):
        line.bound = 3


# --- lazy or feature learning ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "expected"), [(UPSTREAM, 35.264138), (DOWNSTREAM, 20.109967)], ids=["up", "down"]
)
def test_movement_by_hand(task, expected):
    # kappa t is 90 and 130.55, so that x_t is 4.4605998 and 4.8418861 (x + e^x - 1 = kappa t);
    # rho = 2 x sigma^2 d / (sigma^2 d + N |s|^2) is 3.3454499 and 9.3462681;
    # movement is rho sqrt(N / 2) / (sigma sqrt(d)) over sigma_0 sqrt(d)
    assert movement(GENERIC, task) == pytest.approx(expected)


def test_movement_is_that_of_small_starts_and_long_training():
    def moved(**changes):
        setting = changed(GENERIC, **changes)
        return movement(setting, setting.resolved[0])

    assert moved(sigma_0=1e-9) == pytest.approx(1e6 * moved())
    assert moved(sigma_0=1e3) < 0.1 < 10 < moved()
    assert moved(steps=1) < moved(steps=2) < moved(steps=10**12)
    assert moved(eta=1e-12, upstream_eta=1e-12) < 1e-6


@settings(derandomize=True, deadline=None, max_examples=50)
@given(valid_settings(5), st.floats(0.01, 100))
def test_movement_does_not_depend_on_the_unit_of_signal_and_noise(setting, c):
    again = in_unit(setting, c)
    for one, other in zip(setting.resolved, again.resolved, strict=True):
        assert movement(again, other) == pytest.approx(movement(setting, one), rel=1e-6)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.01, "feature learning"),
        (0.99, "in between"),
        (0.0101, "in between"),
        (0.0099, "lazy"),
    ],
)
def test_the_regime_is_that_of_the_task_in_which_filters_move_less(factor, expected):
    # downstream, where they move less, they move 20.109967 times their start of 1e-3: ten times
    # from a start of 2.0109967e-3, a tenth from 0.20109967
    setting = changed(GENERIC, sigma_0=2.0109967e-3 / factor)
    assert regime(setting) is Regime(expected)
