import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from theory_cases import GENERIC, changed, in_unit, valid_settings

from legatee.theory.bounds import (
    Boundary,
    inheriting_helps,
    inheriting_hurts,
    scratch_succeeds,
    transfer_succeeds,
)

THEOREMS = (transfer_succeeds, scratch_succeeds, inheriting_helps, inheriting_hurts)
GAMMA = 0.3**2 * 80 * 1.5**4 / (0.5**2 * 1.5**2 * 1200)
STRENGTH = 30 * 3.25**2 / (1.5**4 * 1200)
BROUGHT = 0.3 * 80 * 1.5**2 / (30 * 0.5**2)  # alpha N_1 sigma_2^2 / (N_2 sigma_1^2) = 7.2
RATIO = 3.25 / 1.5**2  # |u + v_2|^2 / |u|^2 = 1.44


def test_theorems_by_hand():
    inherited, own = transfer_succeeds(GENERIC), scratch_succeeds(GENERIC)
    assert inherited.value == pytest.approx(GAMMA + STRENGTH)
    assert own.value == pytest.approx(STRENGTH)
    for found, constant in ((inherited, 1), (own, 1)):
        assert found.threshold == constant
        assert found.margin == pytest.approx(math.log10(found.value))
        assert not found.beyond


def test_propositions_by_hand():
    helps, hurts = inheriting_helps(GENERIC), inheriting_hurts(GENERIC)
    assert (helps.value, helps.threshold) == pytest.approx((BROUGHT, RATIO))
    assert (hurts.value, hurts.threshold) == pytest.approx((RATIO, BROUGHT))  # the tighter one
    assert helps.margin == pytest.approx(math.log10(BROUGHT / RATIO))
    assert hurts.margin == pytest.approx(math.log10(RATIO / BROUGHT))
    assert (helps.beyond, hurts.beyond) == (True, False)


def test_hurting_takes_both_of_its_inequalities():
    weak = changed(GENERIC, u_norm=0.1)  # ratio 101, beyond 7.2
    found = inheriting_hurts(weak, constant=3)
    assert found.beyond
    assert (found.value, found.threshold) == pytest.approx((BROUGHT, 3))
    assert found.margin == pytest.approx(math.log10(BROUGHT / 3))
    found = inheriting_hurts(weak, constant=20)  # little is brought
    assert not found.beyond
    assert found.margin == pytest.approx(math.log10(BROUGHT / 20))


@pytest.mark.parametrize("theorem", [transfer_succeeds, scratch_succeeds])
def test_a_theorem_begins_where_its_value_reaches_its_constant(theorem):
    value = theorem(GENERIC).value
    for factor, beyond in ((0.999, True), (1.001, False)):
        found = theorem(GENERIC, constant=value * factor)
        assert found.beyond is beyond
        assert found.margin == pytest.approx(-math.log10(factor))


@pytest.mark.parametrize("factor", [0.999, 1.001])
def test_helping_ends_where_hurting_begins(factor):
    # alpha N_1 / N_2 is 2 at 160 samples, |u + v_2|^2 / |u|^2 is 2 for equal norms
    sizes = {"upstream_n": 160, "downstream_n": 40, "u_norm": 2, "downstream_v_norm": 2}
    found = changed(**sizes, upstream_sigma_p=math.sqrt(factor))
    assert inheriting_helps(found).beyond is (factor < 1)
    assert inheriting_hurts(found).beyond is (factor > 1)
    assert inheriting_helps(found).margin == pytest.approx(-math.log10(factor))
    assert inheriting_hurts(found).margin == pytest.approx(math.log10(factor))


def test_on_the_edge_itself_it_hurts_and_does_not_help():
    edge = changed(upstream_n=160, downstream_n=40, u_norm=2, downstream_v_norm=2)  # 2 and 2
    assert inheriting_hurts(edge).beyond  # >=
    assert not inheriting_helps(edge).beyond  # exceeds


@settings(derandomize=True, deadline=None, max_examples=200)
@given(valid_settings(5))
def test_no_setting_is_both_helped_and_hurt(setting):
    assume(inheriting_helps(setting).margin != 0)
    assert not (inheriting_helps(setting).beyond and inheriting_hurts(setting).beyond)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(valid_settings(10), st.floats(0.01, 100))
def test_boundaries_do_not_depend_on_the_unit_of_signal_and_noise(setting, c):
    again = in_unit(setting, c)
    for theorem in THEOREMS:
        assert theorem(again).margin == pytest.approx(theorem(setting).margin, abs=1e-9)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(valid_settings(5))
def test_margins_are_positive_beyond_a_boundary_only(setting):
    for theorem in THEOREMS:
        found = theorem(setting)
        assert found.margin >= 0 if found.beyond else found.margin <= 0


def test_nothing_inherited_is_theorem_4_3():
    nothing = changed(GENERIC, alpha=0)
    for constant in (1, 0.01):
        inherited = transfer_succeeds(nothing, constant=constant)
        own = scratch_succeeds(nothing, constant=constant)
        assert (inherited.value, inherited.margin) == (own.value, own.margin)
    assert not inheriting_helps(nothing).beyond
    assert not inheriting_hurts(nothing).beyond
    assert inheriting_helps(nothing).margin == -math.inf


def test_without_a_universal_signal_inheriting_does_not_help_and_much_of_it_hurts():
    without = changed(u_norm=0)
    assert not inheriting_helps(without).beyond
    assert inheriting_helps(without).margin == -math.inf
    assert inheriting_hurts(without).beyond
    assert transfer_succeeds(without).value == scratch_succeeds(without).value


def test_without_any_signal_nothing_generalises():
    nothing = changed(u_norm=0, upstream_v_norm=0, downstream_v_norm=0)
    for theorem in (transfer_succeeds, scratch_succeeds):
        found = theorem(nothing)
        assert (found.value, found.beyond, found.margin) == (0, False, -math.inf)
    assert not inheriting_helps(nothing).beyond


def test_dimensions_without_end_are_near_optimal_for_nobody():
    far = changed(d=10**15)
    assert not transfer_succeeds(far).beyond
    assert not scratch_succeeds(far).beyond
    assert inheriting_helps(far) == inheriting_helps(changed())  # d cancels


def test_a_boundary_is_a_value_that_cannot_be_changed():
    found = scratch_succeeds(GENERIC)
    again = {k: getattr(found, k) for k in ("claim", "value", "threshold", "margin")}
    assert Boundary(**again) == found
    with pytest.raises(FrozenInstanceError):
        found.value = 3
