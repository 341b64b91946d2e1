"""The paper's figures: true claims are confirmed, false ones refuted, by numbers set by hand."""

import pytest
from synthetic_results import (
    claims_of,
    drawn,
    effects,
    more_than,
    outcomes,
    panels_and_claims,
    predicted_by_place,
)

from legatee.experiments import panels
from legatee.experiments.reproduce import experiment
from legatee.experiments.verdicts import judged


@pytest.fixture(autouse=True)
def predictions_by_place(monkeypatch):
    monkeypatch.setattr(panels, "predict", predicted_by_place)


def over(scratch, table, *fields):
    """Inherited accuracy: that of scratch, and a gain looked up by some fields."""

    def inherited(**labels):
        key = tuple(labels[field] for field in fields)
        return scratch(**labels) + table[key if len(key) > 1 else key[0]]

    return inherited


# --- upstream samples


def scratch_by_samples(upstream_n):
    return {100: 70, 200: 70.5, 500: 69, 1000: 68}[upstream_n]


def test_more_upstream_samples_make_the_inheriting_network_better():
    inherited = {100: 71, 200: 73, 500: 76, 1000: 80}
    (curves, final), claims = panels_and_claims(
        "upstream_samples",
        lambda upstream_n: inherited[upstream_n],
        scratch=scratch_by_samples,
        steps=(0, 50, 200),
    )
    assert effects(claims[0]) == more_than(0, 2, 3, 4)
    assert effects(claims[1]) == more_than(0, 1, 2.5, 7, 12)
    assert outcomes(claims) == ["confirmed"] * 2
    steps = [0, 50, 200]
    assert drawn(curves) == [
        ("from scratch", "measured", 0, steps, [50, 60, 70]),
        ("100 upstream samples", "measured", 1, steps, [51, 61, 71]),
        ("200 upstream samples", "measured", 2, steps, [53, 63, 73]),
        ("500 upstream samples", "measured", 3, steps, [56, 66, 76]),
        ("1,000 upstream samples", "measured", 4, steps, [60, 70, 80]),
    ]
    samples = [100, 200, 500, 1000]
    assert drawn(final) == [
        ("from scratch", "measured", 0, samples, [70, 70.5, 69, 68]),
        ("from scratch, predicted", "theory", 0, samples, [1, 2, 3, 4]),
        ("inherited", "measured", 1, samples, [71, 73, 76, 80]),
        ("inherited, predicted", "theory", 1, samples, [1.5, 2.5, 3.5, 4.5]),
    ]
    assert (curves.x.log, final.x.log) == (False, True)


def test_a_single_step_down_refutes_that_more_upstream_samples_are_better():
    inherited = {100: 69, 200: 73, 500: 72.5, 1000: 80}
    claims = claims_of("upstream_samples", lambda upstream_n: inherited[upstream_n])
    assert effects(claims[0]) == more_than(0, 4, -0.5, 7.5)
    assert effects(claims[1]) == more_than(0, -1, 3, 2.5, 10)
    assert outcomes(claims) == ["refuted"] * 2


# --- universal signal

U_NORMS = [0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4, 2.8]


def by_u(*gains):
    return dict(zip(U_NORMS, gains, strict=True))


def flat(**_):
    return 70


def test_inheriting_hurts_without_a_universal_signal_and_helps_with_a_strong_one():
    table = by_u(-6, -5, -3, 0, 4, 9, 15, 22)
    (accuracies, gains), claims = panels_and_claims("universal_signal", over(flat, table, "u_norm"))
    assert effects(claims[0]) == more_than(0, 6)
    assert effects(claims[1]) == more_than(0, 22)
    assert effects(claims[2]) == more_than(0, 1, 2, 3, 4, 5, 6, 7)
    assert [e.what for e in claims[2].effects[:2]] == [
        "gain at |u| = 0.4 minus that at the previous |u|",
        "gain at |u| = 0.8 minus that at the previous |u|",
    ]
    assert outcomes(claims) == ["confirmed"] * 3
    assert drawn(gains) == [
        ("simulated", "measured", 1, U_NORMS, [*table.values()]),
        ("predicted", "theory", 1, U_NORMS, [101, 102, 103, 104, 105, 106, 107, 108]),
    ]
    assert gains.level == 0
    assert drawn(accuracies)[2][4] == [64, 65, 67, 70, 74, 79, 85, 92]


def test_gains_that_do_not_rise_from_a_loss_refute_all_three_claims():
    table = by_u(1, 2, 3, 2, 4, 9, 15, -1)
    claims = claims_of("universal_signal", over(flat, table, "u_norm"))
    assert effects(claims[0]) == more_than(0, -1)
    assert effects(claims[2]) == more_than(0, 1, 1, -1, 2, 5, 6, -16)
    assert outcomes(claims) == ["refuted"] * 3


# --- upstream noise

NOISES = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_upstream_noise_takes_the_gain_away():
    table = dict(zip(NOISES, [20, 18, 15, 11, 6, 2, 0.5], strict=True))
    (panel,), claims = panels_and_claims("upstream_noise", over(flat, table, "upstream_sigma_p"))
    assert effects(claims[0]) == more_than(0, 2, 3, 4, 5, 4, 1.5)
    assert claims[0].effects[0].what == "gain lost from sigma_1 = 0.5 to 1"
    assert effects(claims[1]) == more_than(0, 20)
    assert effects(claims[2]) == [(0.5, None, 1)]
    assert outcomes(claims) == ["confirmed"] * 3
    assert drawn(panel)[0] == ("simulated", "measured", 1, NOISES, [*table.values()])
    assert panel.x.log


def test_a_gain_that_grows_with_upstream_noise_refutes_all_three_claims():
    table = dict(zip(NOISES, [-1, -0.5, 0, 0.5, 1, 1.5, 2], strict=True))
    claims = claims_of("upstream_noise", over(flat, table, "upstream_sigma_p"))
    assert effects(claims[2]) == [(2, None, 1)]
    assert outcomes(claims) == ["refuted"] * 3


def test_all_upstream_noise_levels_are_learned_equally_fast():
    (sweep,) = experiment("upstream_noise").quick
    rates = sweep.grid.coords["upstream.eta"][1]
    # eta (sigma^2 d / N1 + |u + v1|^2) is the same: d = 2000, N1 = 200, |u|^2 + |v1|^2 = 8, and
    # at sigma = 1 eta is 1: eta = 18 / (10 sigma^2 + 8)
    assert rates[:4] == pytest.approx([18 / 10.5, 1, 18 / 48, 18 / 168])


# --- inheritance ratio

ALPHAS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def by_alpha(none, strong):
    medium = [0.5 * i for i in range(11)]
    rows = {0.0: none, 1.26: medium, 2.53: strong}
    return {(u, a): gain for u, row in rows.items() for a, gain in zip(ALPHAS, row, strict=True)}


def test_more_inheritance_helps_under_a_strong_signal_and_a_part_hurts_without():
    none = [0, -1, -1.5, -2, -3, -4, -5, -4.5, -3.5, -1, 1]
    strong = [0, 1, 2, 3, 4.5, 5, 7, 8, 9, 10, 12]
    (panel,), claims = panels_and_claims(
        "inheritance_ratio", over(flat, by_alpha(none, strong), "u_norm", "alpha")
    )
    assert effects(claims[0]) == more_than(0, 3, 4, 5)
    assert effects(claims[1]) == more_than(0, 5)
    assert effects(claims[2]) == more_than(0, 6, 1)
    assert outcomes(claims) == ["confirmed"] * 3
    assert [line[:3] for line in drawn(panel)] == [
        ("no universal signal", "measured", 1),
        ("no universal signal, predicted", "theory", 1),
        ("medium", "measured", 2),
        ("medium, predicted", "theory", 2),
        ("strong", "measured", 3),
        ("strong, predicted", "theory", 3),
    ]
    assert drawn(panel)[4][3:] == (ALPHAS, strong)
    assert drawn(panel)[3][4] == list(range(112, 123))  # the second row of the grid


def test_a_gain_in_the_middle_refutes_that_a_part_hurts():
    none = [0, 1, 1.5, 2, 3, 4, 5, 4.5, 3.5, 1, -1]
    strong = [0, 1, 2, 3, 2.5, 2, 1, 2, 3, 4, 6]
    claims = claims_of("inheritance_ratio", over(flat, by_alpha(none, strong), "u_norm", "alpha"))
    assert effects(claims[0]) == more_than(0, 3, -2, 5)
    assert effects(claims[1]) == more_than(0, -5)
    assert effects(claims[2]) == more_than(0, -6, -1)
    assert outcomes(claims) == ["refuted"] * 3


# --- dimension

DIMENSIONS = [500, 2000, 10_000, 50_000, 250_000, 1_000_000]


def test_both_readings_of_the_theorem_about_high_dimension():
    inherited = dict(zip(DIMENSIONS, [99.5, 97, 92, 85, 70, 60], strict=True))
    scratch = dict(zip(DIMENSIONS, [99, 98, 95, 86, 72, 63], strict=True))
    (accuracies, gains), claims = panels_and_claims(
        "dimension", lambda d: inherited[d], scratch=lambda d: scratch[d]
    )
    assert effects(claims[0]) == more_than(0, 1, 2, 3)
    assert effects(claims[1]) == more_than(10, 15, 30, 40)
    assert effects(claims[2]) == more_than(99, 99.5)
    assert claims[2].effects[0].unit == "percent"
    assert outcomes(claims) == ["confirmed"] * 3
    assert drawn(gains)[0] == ("simulated", "measured", 1, DIMENSIONS, [0.5, -1, -3, -1, -2, -3])
    assert drawn(accuracies)[0][3:] == (DIMENSIONS, [*scratch.values()])
    assert accuracies.x.log


def test_networks_near_the_optimum_in_high_dimension_refute_them():
    inherited = dict(zip(DIMENSIONS, [98, 97, 92, 95, 94, 93], strict=True))
    claims = claims_of("dimension", lambda d: inherited[d], scratch=lambda d: 90)
    assert effects(claims[0]) == more_than(0, -5, -4, -3)
    assert effects(claims[1]) == more_than(10, 5, 6, 7)
    assert effects(claims[2]) == more_than(99, 98)
    assert outcomes(claims) == ["refuted"] * 3


# --- growth of the coefficients is in test_growth_claims.py, the maps in test_map_claims.py
# --- seeds that diverged


def test_a_claim_whose_training_diverged_is_never_confirmed_and_says_how_often():
    table = by_u(-6, -5, -3, 0, 4, 9, 15, 22)
    diverged = [(0, 2, 2), (0, 3, 2), (7, 1, 1)]  # |u|, seed, run: inherited twice, scratch once
    (_, gains), claims = panels_and_claims(
        "universal_signal", over(flat, table, "u_norm"), diverged=diverged
    )
    assert outcomes(claims) == ["undecided"] * 3
    because = [claim.because for claim in judged(claims)]
    assert because[0] == "2 of 4 seeds diverged, so accuracy lost at |u| = 0 is unknown"
    assert because[1] == "1 of 4 seeds diverged, so gain at |u| = 2.8 is unknown"
    assert because[2].endswith(
        "2 of 4 seeds diverged, so gain at |u| = 0.4 minus that at the previous |u| is unknown; "
        "1 of 4 seeds diverged, so gain at |u| = 2.8 minus that at the previous |u| is unknown"
    )
    assert drawn(gains)[0][4][1:7] == [-5, -3, 0, 4, 9, 15]
    assert [y != y for y in drawn(gains)[0][4]] == [True, *[False] * 6, True]
