import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory_cases import DOWNSTREAM, GENERIC, UPSTREAM, changed, in_unit, valid_settings

from legatee.theory.quantities import gamma, growth_rate, scratch_strength, signal_squared


def test_quantities_by_hand():
    assert signal_squared(GENERIC, UPSTREAM) == pytest.approx(6.25)
    assert signal_squared(GENERIC, DOWNSTREAM) == pytest.approx(3.25)
    assert growth_rate(GENERIC, UPSTREAM) == pytest.approx(0.6 * (3.75 + 6.25) / (2 * 10))
    assert growth_rate(GENERIC, DOWNSTREAM) == pytest.approx(0.2 * (90 + 3.25) / (2 * 5))
    assert gamma(GENERIC) == pytest.approx(0.3**2 * 80 * 1.5**4 / (0.25 * 2.25 * 1200))
    assert scratch_strength(GENERIC) == pytest.approx(30 * 3.25**2 / (1.5**4 * 1200))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(valid_settings(10), st.floats(0.01, 100))
def test_quantities_do_not_depend_on_the_unit_of_signal_and_noise(setting, c):
    again = in_unit(setting, c)
    assert gamma(again) == pytest.approx(gamma(setting), rel=1e-9, abs=0)
    assert scratch_strength(again) == pytest.approx(scratch_strength(setting), rel=1e-9, abs=0)
    for one, other in zip(setting.resolved, again.resolved, strict=True):
        assert growth_rate(again, other) == pytest.approx(growth_rate(setting, one), rel=1e-9)


def test_gamma_is_zero_without_anything_to_inherit():
    assert gamma(changed(u_norm=0)) == 0
    assert gamma(changed(alpha=0)) == 0
    assert gamma(changed(upstream_sigma_p=1e9)) == pytest.approx(0, abs=1e-15)


def test_gamma_leaves_out_what_is_not_universal():
    assert gamma(changed(GENERIC, upstream_v_norm=9, downstream_v_norm=9)) == gamma(GENERIC)
    assert scratch_strength(changed(GENERIC, upstream_v_norm=9)) == scratch_strength(GENERIC)


def test_without_a_signal_only_noise_moves_margins():
    nothing = changed(GENERIC, u_norm=0, upstream_v_norm=0, downstream_v_norm=0)
    assert scratch_strength(nothing) == 0
    assert signal_squared(nothing, nothing.resolved[0]) == 0
    assert growth_rate(nothing, nothing.resolved[0]) == pytest.approx(0.6 * 3.75 / 20)
