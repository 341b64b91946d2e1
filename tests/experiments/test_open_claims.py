"""The figures beyond the paper's: true claims are confirmed, false ones refuted, set by hand."""

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


@pytest.fixture(autouse=True)
def predictions_by_place(monkeypatch):
    monkeypatch.setattr(panels, "predict", predicted_by_place)


def table_of(rows, columns):
    return {
        (row, column): value
        for row, values in rows.items()
        for column, value in zip(columns, values, strict=True)
    }


# --- width


def test_width_changes_nothing_from_ten_filters_on():
    by_m = {2: 60, 4: 75, 10: 80.9, 20: 80.5, 40: 79.2, 100: 80}
    (panel,), claims = panels_and_claims("width", lambda m, eta: by_m[m])
    assert effects(claims[0]) == [(-0.9, -1, 1), (-0.5, -1, 1), (0.8, -1, 1)]
    assert claims[0].effects[0].what == "inherited accuracy with m = 100 instead of 10"
    assert outcomes(claims) == ["confirmed"]
    assert drawn(panel)[2] == ("inherited", "measured", 1, [*by_m], [*by_m.values()])
    assert panel.x.log


@pytest.mark.parametrize("wide", [80, 82.5])
def test_width_that_changes_a_point_and_more_refutes_that(wide):
    by_m = {2: 60, 4: 75, 10: 81.2, 20: 81.2, 40: 81.2, 100: wide}
    assert outcomes(claims_of("width", lambda m, eta: by_m[m])) == ["refuted"]


# --- whole layers

U5 = [0.0, 0.7, 1.4, 2.1, 2.8]


def layer(half, whole):
    table = table_of({0.5: half, 1.0: whole}, U5)
    return lambda u_norm, downstream_v_norm, alpha: 70 + table[alpha, u_norm]


def test_the_whole_layer_helps_and_is_better_than_half():
    half, whole = [-6, -2, 1, 4, 5], [-5, 0.5, 3, 8, 9.5]
    (panel,), claims = panels_and_claims("whole_layer", layer(half, whole))
    assert effects(claims[0]) == more_than(0, 0.5, 3, 8, 9.5)
    assert effects(claims[1]) == more_than(0, 1, 2.5, 2, 4, 4.5)
    assert outcomes(claims) == ["confirmed"] * 2
    assert drawn(panel) == [
        ("half of the layer", "measured", 1, U5, half),
        ("half of the layer, predicted", "theory", 1, U5, [101, 103, 105, 107, 109]),
        ("the whole layer", "measured", 2, U5, whole),
        ("the whole layer, predicted", "theory", 2, U5, [102, 104, 106, 108, 110]),
    ]


def test_a_whole_layer_that_loses_where_there_is_a_signal_refutes_both():
    claims = claims_of("whole_layer", layer([-6, -2, 1, 4, 5], [-7, -1, 3, 8, 9]))
    assert effects(claims[1]) == more_than(0, -1, 1, 2, 4, 4)
    assert outcomes(claims) == ["refuted"] * 2


# --- correlated noise

U_CORRELATED = [0.0, 0.7, 1.4, 2.1, 2.8]


def correlated(isotropic, scratch_change=0.0):
    rows = {0.0: [60, 70, 80, 90, 95], 0.5: [61, 71, 81, 91, 96], 1.0: isotropic}
    table = table_of(rows, U_CORRELATED)
    return {
        "inherited": lambda noise_signal_correlation, u_norm: table[
            noise_signal_correlation, u_norm
        ],
        "scratch": lambda noise_signal_correlation, u_norm: (
            65 + u_norm + scratch_change * noise_signal_correlation
        ),
    }


def test_noise_along_the_signals_changes_neither_accuracy_nor_gain():
    given = correlated([60.5, 69.5, 80.25, 90.75, 94.1], scratch_change=0.25)
    (accuracies, gains), claims = panels_and_claims(
        "correlated_noise", given["inherited"], scratch=given["scratch"]
    )
    assert effects(claims[0]) == [
        *((change, -1, 1) for change in (0.5, -0.5, 0.25, 0.75, -0.9)),
        *((change, -1, 1) for change in (0.25, -0.75, 0, 0.5, -1.15)),  # scratch gained 0.25
    ]
    assert claims[0].effects[5].what == ("gain with isotropic instead of orthogonal noise, |u| = 0")
    assert drawn(accuracies) == [
        ("noise keeps 0%", "measured", 1, U_CORRELATED, [60, 70, 80, 90, 95]),
        ("noise keeps 50%", "measured", 2, U_CORRELATED, [61, 71, 81, 91, 96]),
        ("noise keeps 100%", "measured", 3, U_CORRELATED, [60.5, 69.5, 80.25, 90.75, 94.1]),
    ]
    assert drawn(gains)[2][:3] == ("noise keeps 50%", "measured", 2)
    assert drawn(gains)[2][4] == [-4.125, 5.175, 14.475, 23.775, 28.075]


@pytest.mark.parametrize(
    ("last", "outcome"), [(95.8, "confirmed"), (97, "refuted"), (93, "refuted")]
)
def test_a_point_more_or_less_refutes_that_nothing_changes(last, outcome):
    given = correlated([60.5, 69.5, 80.25, 90.75, last])
    claims = claims_of("correlated_noise", given["inherited"], scratch=given["scratch"])
    assert outcomes(claims) == [outcome]


# --- label noise

SHARES = [0.0, 0.05, 0.1, 0.2, 0.3]


def wrong_labels(strong):
    table = table_of({0.0: [-9, -8, -7, -6, -5], 2.0: strong}, SHARES)
    return lambda u_norm, downstream_v_norm, label_noise: (
        70 - 10 * label_noise + table[u_norm, label_noise]
    )


def scratch_of_wrong_labels(label_noise, **_):
    return 70 - 10 * label_noise


def test_transfer_stays_above_scratch_under_wrong_labels_and_gains_less():
    strong = [12, 11, 9, 6, 2]
    (accuracies, gains), claims = panels_and_claims(
        "label_noise", wrong_labels(strong), scratch=scratch_of_wrong_labels
    )
    assert effects(claims[0]) == more_than(0, *strong)
    assert effects(claims[1]) == more_than(0, 10)
    assert outcomes(claims) == ["confirmed"] * 2
    assert drawn(accuracies) == [
        ("from scratch", "measured", 0, SHARES, [70, 69.5, 69, 68, 67]),
        ("inherited", "measured", 1, SHARES, [82, 80.5, 78, 74, 69]),
    ]
    assert [line[0] for line in drawn(gains)] == [
        "|u| = 0",
        "|u| = 0, predicted",
        "|u| = 2",
        "|u| = 2, predicted",
    ]
    assert drawn(gains)[2][4] == strong


def test_a_loss_at_one_noise_level_or_a_gain_that_grows_refutes_them():
    claims = claims_of(
        "label_noise", wrong_labels([1, 2, -0.5, 4, 5]), scratch=scratch_of_wrong_labels
    )
    assert effects(claims[1]) == more_than(0, -4)
    assert outcomes(claims) == ["refuted"] * 2


# --- regularisation

PULLS = [0.0, 1e-3, 3e-3, 1e-2, 3e-2]


def pulled(field, none, scratch):
    table = table_of({0.0: none, 2.0: [20, 21, 22, 23, 24]}, PULLS)
    base = dict(zip(PULLS, scratch, strict=True))
    return (
        lambda u_norm, **labels: base[labels[field]] + table[u_norm, labels[field]],
        lambda **labels: base[labels[field]],
    )


def regularised(decay, to_start, scratch=(70, 70, 70, 70, 69)):
    (first, base), (second, _) = (
        pulled(field, none, scratch)
        for field, none in (("weight_decay", decay), ("l2_sp", to_start))
    )
    return panels_and_claims(
        "regularisation",
        first,
        second,
        scratch=lambda **labels: base(weight_decay=labels.get("weight_decay", labels.get("l2_sp"))),
    )


def test_a_pull_removes_negative_transfer():
    (decay, to_start), claims = regularised([-5, -4, -3, -2, -0.25], [-6, -4, -3, -2, 0.5])
    assert [effects(claim) for claim in claims] == [
        more_than(-0.5, -0.25),
        more_than(0, 3.75),
        more_than(-0.5, 0.5),
        more_than(0, 5.5),
    ]
    assert outcomes(claims) == ["confirmed"] * 4
    assert (decay.title, to_start.title) == (
        "Gain under weight decay",
        "Gain under a pull to the initial weights (L2-SP)",
    )
    assert drawn(decay)[0] == ("|u| = 0", "measured", 1, PULLS, [-5, -4, -3, -2, -0.25])
    assert drawn(to_start)[2] == ("|u| = 2", "measured", 2, PULLS, [20, 21, 22, 23, 24])


def test_a_pull_under_which_the_loss_stays_does_not():
    claims = regularised([-5, -4, -3, -2, -4], [0, -4, -3, -2, -0.75])[1]
    assert effects(claims[1]) == more_than(0, 0)
    assert effects(claims[3]) == more_than(0, -1.75)
    assert outcomes(claims) == ["refuted", "undecided", "refuted", "refuted"]


# --- which filters

U4 = [0.0, 0.7, 1.4, 2.1]


def chosen(random, selected):
    """Gains by alpha and |u| of random and of selected filters."""
    tables = {
        "random": table_of(dict(zip([0.25, 0.5, 0.75], random, strict=True)), U4),
        "selected": table_of(dict(zip([0.25, 0.5, 0.75], selected, strict=True)), U4),
    }
    return lambda u_norm, alpha, inherit, downstream_v_norm: 70 + tables[inherit][alpha, u_norm]


def test_selected_filters_are_better_and_never_worse():
    random = [[-1, 1, 2, 3], [-2, 2, 4, 6], [-3, 3, 6, 9]]
    selected = [[0.5, 2, 3, 4], [-0.3, 4, 4, 8], [-0.3, 5, 5.7, 9]]
    drawings, claims = panels_and_claims("selected_inheritance", chosen(random, selected))
    better = [1.5, 1.7, 2.7, 1, 2, 2, 1, 0, -0.3, 1, 2, 0]  # |u| by alpha
    assert effects(claims[0]) == more_than(0, round(sum(better) / 12, 3))
    assert effects(claims[1]) == more_than(-0.5, *better)
    assert claims[1].effects[1].what == "selected over random at |u| = 0, alpha = 0.5"
    assert effects(claims[2]) == more_than(-0.5, 0.5, -0.3, -0.3)
    assert outcomes(claims) == ["confirmed"] * 3
    assert [panel.title for panel in drawings] == [
        "25% inherited",
        "50% inherited",
        "75% inherited",
    ]
    assert drawn(drawings[1])[0] == ("random filters", "measured", 1, U4, random[1])
    assert drawn(drawings[1])[2] == ("selected filters", "measured", 2, U4, selected[1])


def test_selected_filters_that_lose_refute_all_three_claims():
    random = [[-1, 1, 2, 3], [-2, 2, 4, 6], [-3, 3, 6, 9]]
    selected = [[-1, 0, 1, 2], [-3, 1, 3, 5], [-4, 2, 5, 8]]
    claims = claims_of("selected_inheritance", chosen(random, selected))
    assert effects(claims[0]) == more_than(0, round(-11 / 12, 3))
    assert outcomes(claims) == ["refuted"] * 3


# --- the rule "active"


def active(gains):
    """Gains of active filters by threshold and |u|; random ones gain 1, whatever the threshold."""
    table = table_of(dict(zip([0.4, 0.6], gains, strict=True)), U4)

    def inherited(u_norm, downstream_v_norm, inherit, active_threshold):
        return 70 + (1 + u_norm if inherit == "random" else table[active_threshold, u_norm])

    return inherited


def test_active_filters_are_better_and_protect():
    gains = [[-0.2, 3, 4, 5], [-0.4, 5, 6, 7]]
    (panel,), claims = panels_and_claims("activation_rule", active(gains))
    # random filters gain 1 + |u|, 2.05 in the mean
    assert effects(claims[0]) == more_than(0, 0.9, 2.35)
    assert effects(claims[1]) == more_than(-0.5, -0.2, -0.4)
    assert claims[1].effects[1].what == "gain of active on 60% at |u| = 0"
    assert outcomes(claims) == ["confirmed"] * 2
    assert [(*line[:2], line[4]) for line in drawn(panel)[::2]] == [
        ("random filters", "measured", [1, 1.7, 2.4, 3.1]),
        ("active on 40%", "measured", gains[0]),
        ("active on 60%", "measured", gains[1]),
    ]
    assert drawn(panel)[1][4] == [101, 105, 109, 113]  # random at the lower threshold


def test_active_filters_that_gain_less_refute_both():
    claims = claims_of("activation_rule", active([[-1, 1, 1, 1], [-2, 1, 1, 1]]))
    assert effects(claims[0]) == more_than(0, -1.55, -1.8)
    assert outcomes(claims) == ["refuted"] * 2
