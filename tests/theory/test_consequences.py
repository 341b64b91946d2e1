import math

import pytest
from theory_cases import changed

from legatee import predict
from legatee.theory import consequences
from legatee.theory.consequences import (
    WORDS,
    LimitingFactor,
    best_alpha,
    crossover,
    doubled_factors,
    limiting_factor,
)

CHEAP = {"upstream_n": 100, "d": 5000}  # few samples are solved faster


def predicted(**changes):
    return predict(changed(**changes))


WEAK = {"u_norm": 0.5, "d": 20_000, "upstream_n": 300}
FEW_FILTERS = {"d": 94_542, "m": 5, "eta": 1.2, "u_norm": 4.684, "downstream_n": 10}
FEW_FILTERS |= {"downstream_v_norm": 3.513, "upstream_n": 30, "upstream_v_norm": 1.28}
FEW_FILTERS |= {"upstream_sigma_p": 0.5}
CASES = {
    "example": {},
    "higher": {"d": 20_000, "upstream_n": 400},
    "no fresh filters": {"alpha": 1, "u_norm": 0},
    "few filters": FEW_FILTERS,
}


@pytest.mark.parametrize("case", CASES)
def test_at_the_crossover_scratch_gets_as_far_as_inheriting(case):
    found = predicted(**CASES[case])
    own, n = found.setting.downstream.n, crossover(found.setting)
    assert n > own
    assert predicted(**CASES[case] | {"downstream_n": math.ceil(1.01 * n)}).scratch >= (
        found.inherited
    )
    fewer = max(own, math.floor(0.9 * n))  # accuracies are known to half a point
    assert predicted(**CASES[case] | {"downstream_n": fewer}).scratch < found.inherited + 0.005
    half = max(own, n // 2)
    assert predicted(**CASES[case] | {"downstream_n": half}).scratch < found.inherited


@pytest.mark.parametrize("changes", [{"u_norm": 0}, {"alpha": 0}], ids=str)
def test_where_inheriting_is_no_better_scratch_is_there_already(changes):
    assert crossover(changed(**changes)) == 40


def test_where_scratch_never_gets_as_far_there_is_no_crossover():
    # downstream all is noise; 1046 samples are the most that the theory is for in 1700 dimensions
    noisy = {"d": 1700, "downstream_sigma_p": 4, "downstream_v_norm": 0, "upstream_v_norm": 0}
    found, most = predicted(**noisy, alpha=1), predicted(**noisy, alpha=1, downstream_n=1046)
    assert most.scratch < found.inherited - 0.1
    assert crossover(found.setting) is None


@pytest.mark.parametrize("changes", [{}, {"u_norm": 0}, WEAK, {"m": 3, **CHEAP}], ids=str)
def test_the_best_alpha_is_the_best_of_tenths(changes):
    best = best_alpha(changed(**changes))
    tenths = {k / 10: predicted(**changes | {"alpha": k / 10}).inherited for k in range(11)}
    assert tenths[best] >= max(tenths.values()) - 0.005
    assert all(value < max(tenths.values()) - 0.005 for k, value in tenths.items() if k < best)


def test_no_more_is_best_than_the_upstream_network_has():
    # 0.2 are 4 of 20 filters, 0.3 would be 6, and there are 5 upstream
    assert best_alpha(changed(upstream_m=5, alpha=0.1)) in (0, 0.1, 0.2)


# --- the limiting factor


def test_each_factor_is_doubled_in_squares_of_signal_and_noise():
    # |u|^2 = 1.96 and |v2|^2 = 4.41: 3.92 and 2.45 have the same sum, 6.37
    setting = changed(u_norm=1.4, downstream_v_norm=2.1, upstream_sigma_p=3, upstream_n=70)
    (signal, strong), (noise, quiet), (samples, many) = doubled_factors(setting)
    assert signal is LimitingFactor.UNIVERSAL_SIGNAL
    assert strong.u_norm == pytest.approx(1.9798990)
    assert strong.downstream.v_norm == pytest.approx(1.5652476)
    assert strong.upstream == setting.upstream
    assert noise is LimitingFactor.UPSTREAM_NOISE
    assert quiet == changed(setting, upstream_sigma_p=quiet.upstream.sigma_p)
    assert quiet.upstream.sigma_p == pytest.approx(2.1213203)
    assert samples is LimitingFactor.UPSTREAM_SAMPLES
    assert many == changed(setting, upstream_n=140)


def test_a_universal_signal_is_doubled_from_nothing_and_up_to_all():
    (_, some), *_ = doubled_factors(changed(u_norm=0, downstream_v_norm=2))
    assert (some.u_norm**2, some.downstream.v_norm**2) == pytest.approx((0.2, 3.8))
    (_, most), *_ = doubled_factors(changed(u_norm=2, downstream_v_norm=1))
    assert (most.u_norm**2, most.downstream.v_norm) == pytest.approx((5, 0))


@pytest.fixture
def predictions(monkeypatch):
    """Have inherited accuracies told by what is changed of a setting; scratch reaches 0.6."""

    def tell(setting, signal, noise, samples, inherited=0.7, scratch=0.6):
        class Told:
            outside = ()

            def __init__(self, value):
                self.inherited, self.scratch = value, scratch

        def predict(one):
            if one.u_norm != setting.u_norm:
                return Told(signal)
            if one.upstream.sigma_p != setting.upstream.sigma_p:
                return Told(noise)
            return Told(samples if one.upstream.n != setting.upstream.n else inherited)

        monkeypatch.setattr(consequences, "predict", predict)

    return tell


@pytest.mark.parametrize(
    ("accuracies", "factor"),
    [
        ((0.9, 0.8, 0.75), "universal_signal"),
        ((0.8, 0.9, 0.75), "upstream_noise"),
        ((0.8, 0.75, 0.9), "upstream_samples"),
        ((math.nan, 0.75, 0.72), "upstream_noise"),
        ((0.9, math.nan, math.nan), "universal_signal"),
        ((0.704, 0.69, 0.704), "none"),  # half a point is nothing
        ((0.706, 0.69, 0.704), "universal_signal"),
        ((math.nan, math.nan, math.nan), "none"),
    ],
)
def test_the_limiting_factor_is_the_one_that_helps_most(predictions, accuracies, factor):
    predictions(changed(), *accuracies)
    assert limiting_factor(changed()) is LimitingFactor(factor)


@pytest.mark.parametrize(
    ("scratch", "factor"), [(0.989, "universal_signal"), (0.99, "enough_downstream_data")]
)
def test_where_the_downstream_data_are_enough_nothing_limits(predictions, scratch, factor):
    predictions(changed(), 0.9, 0.8, 0.7, scratch=scratch)
    assert limiting_factor(changed()) is LimitingFactor(factor)


FAR = {"d": 20_000, "u_norm": 2.8, "downstream_v_norm": 0.3, "upstream_v_norm": 1}


@pytest.mark.parametrize(
    ("changes", "factors"),
    [
        ({"d": 20_000}, ("universal_signal",)),
        # noise and samples are nearly the same: what counts is sigma_1^2 / N_1
        (FAR | {"upstream_n": 100, "upstream_sigma_p": 2}, ("upstream_noise", "upstream_samples")),
        (FAR | {"upstream_n": 10}, ("upstream_noise", "upstream_samples")),
        ({"downstream_n": 1000}, ("enough_downstream_data",)),
    ],
    ids=str,
)
def test_each_factor_limits_some_setting(changes, factors):
    assert limiting_factor(changed(**changes)) in factors


def test_every_factor_has_words():
    assert set(WORDS) == set(LimitingFactor)
    assert len(set(WORDS.values())) == len(WORDS)
