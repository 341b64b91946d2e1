"""Figures that look for a boundary, a crossing or one curve: found where a test has put them."""

from math import log10
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_results import (
    claims_of,
    dataset,
    drawn,
    effects,
    outcomes,
    panels_and_claims,
)

from legatee.experiments import panels
from legatee.experiments.experiment import SweepResult
from legatee.experiments.figures.phase_diagram import _crossings
from legatee.experiments.reproduce import experiment

NO_NOISE = {"scratch": [0.0] * 4, "inherited": [0.0] * 4}


# --- phase diagram: accuracy is 80 + SLOPE (u - edge), no less than 20, where edge is c d^p


@pytest.fixture
def map_of(monkeypatch):
    """Read a map whose boundary is put somewhere, predicted a factor too low."""

    def read(exponent=0.25, slope=80.0, factor=1.04, middle=1.5, **options):
        def edge(d):
            return middle * (d / 3000) ** exponent

        def predict(grid):
            for setting in grid:
                accuracy = 80 + 50 * (setting.u_norm - edge(setting.d) / factor)
                yield SimpleNamespace(inherited=accuracy / 100, gain=accuracy / 100 - 0.6)

        monkeypatch.setattr(panels, "predict", predict)
        read = panels_and_claims(
            "phase_diagram",
            lambda u_norm, d: max(20, 80 + slope * (u_norm - edge(d))),
            scratch=lambda u_norm, d: 50 + u_norm,
            noise=NO_NOISE,
            **options,
        )
        return *read, edge

    return read


def width(edges, slope):
    """The mean ratio of the |u| of 90 percent over that of 65."""
    return np.exp(np.mean([np.log((e + 10 / slope) / (e - 15 / slope)) for e in edges]))


def test_a_sharp_boundary_at_the_fourth_root_of_d_where_it_was_predicted(map_of):
    drawings, claims, edge = map_of()
    (sweep,) = experiment("phase_diagram").quick
    d = sweep.grid.axes["d"]
    assert effects(claims[0]) == [(round(width(map(edge, d), 80), 3), None, 1.5)]
    assert effects(claims[1]) == [(4, -5, 5)]
    assert effects(claims[2]) == [(0.25, 0.2, 0.3)]
    assert outcomes(claims) == ["confirmed"] * 3
    accuracy, gain, good = drawings
    assert accuracy.rows == d
    assert accuracy.columns == sweep.grid.axes["u_norm"]
    u = accuracy.columns[8]
    assert accuracy.values[3][8] == pytest.approx(80 + 80 * (u - edge(d[3])))
    assert gain.values[3][8] == pytest.approx(accuracy.values[3][8] - 50 - u)
    assert [value > 80 for value in accuracy.values[6]] == [value == 1 for value in good.values[6]]
    assert [panel.scale for panel in drawings] == ["sequential", "diverging", "cut"]
    (line,), (no_gain,) = accuracy.lines, gain.lines
    assert good.lines == (line,)
    assert (line.kind, line.y) == ("theory", tuple(map(float, d)))
    assert line.x == pytest.approx([edge(each) / 1.04 for each in d])
    # 60 percent are predicted 20 / 50 before 80 percent; where that is below 0 no line is drawn
    assert no_gain.x == pytest.approx([e for each in d if (e := edge(each) / 1.04 - 0.4) > 0])


def test_a_wide_boundary_elsewhere_with_another_exponent_refutes_all_three_claims(map_of):
    _, claims, edge = map_of(exponent=0.12, slope=30, factor=1.08)
    d = experiment("phase_diagram").quick[0].grid.axes["d"]
    assert effects(claims[0]) == [(round(width(map(edge, d), 30), 3), None, 1.5)]
    assert effects(claims[1]) == [(8, -5, 5)]
    assert effects(claims[2]) == [(0.12, 0.2, 0.3)]
    assert outcomes(claims) == ["refuted"] * 3


def test_a_boundary_that_is_predicted_too_high_and_rises_too_fast_is_refuted(map_of):
    _, claims, _ = map_of(exponent=0.32, factor=0.94)
    assert effects(claims[1]) == [(-6, -5, 5)]
    assert effects(claims[2]) == [(0.32, 0.2, 0.3)]
    assert outcomes(claims) == ["confirmed", "refuted", "refuted"]


def test_a_map_without_a_boundary_decides_nothing(map_of):
    _, claims, _ = map_of(middle=40.0)
    assert outcomes(claims) == ["undecided"] * 3


def test_diverged_cells_are_gaps_in_the_maps_and_leave_three_seeds_too_few_to_confirm(map_of):
    drawings, claims, _ = map_of(diverged=[(5, 7, 1, 2)])
    assert outcomes(claims) == ["undecided"] * 3
    for panel in drawings:
        assert np.isnan(panel.values[7][5])
        assert np.isnan(panel.values).sum() == 1


def test_the_maps_axes_are_evenly_spread():
    quick, full = experiment("phase_diagram").quick[0], experiment("phase_diagram").full[0]
    assert quick.grid.shape == (14, 14)
    assert full.grid.shape == (40, 40)
    assert (quick.grid.axes["u_norm"][0], quick.grid.axes["u_norm"][-1]) == (0, 4)
    assert np.diff(quick.grid.axes["u_norm"]) == pytest.approx([4 / 13] * 13)
    d = quick.grid.axes["d"]
    assert (d[0], d[-1]) == (300, 30_000)
    assert d[1] == 428  # 300 times the 13th root of 100, 1.4251


def test_a_crossing_is_found_between_two_columns_and_never_where_a_map_is_on_one_side():
    import xarray as xr

    values = xr.DataArray(
        [[50.0, 70.0, 90.0], [85.0, 90.0, 95.0], [50.0, 50.0, 60.0], [80, 85, 90], [60, 70, 80]],
        {"d": [1, 2, 3, 4, 5], "u_norm": [0.0, 1.0, 2.0]},
        ("d", "u_norm"),
    )
    np.testing.assert_allclose(_crossings(values, 80.0), [1.5, *[np.nan] * 4])


# --- depth

U_DEPTH = [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]


def rising(crossing, start=50.0):
    """Accuracy that is ``start`` without a universal signal and passes 90 percent at a |u|."""
    return lambda u_norm, **_: start + (90 - start) * u_norm / crossing


def test_at_every_depth_the_picture_is_the_same():
    curves = rising(1.2), rising(1.26), rising(1.14, start=40)
    (accuracy, gain), claims = panels_and_claims(
        "depth", *curves, scratch=lambda **_: 60, noise=NO_NOISE
    )
    last = [50 + 80 / 1.2, 50 + 80 / 1.26, 40 + 100 / 1.14]  # at |u| = 2
    assert effects(claims[0]) == [(round(value - 60, 3), 0, None) for value in last]
    assert effects(claims[1]) == [(10, 0, None), (10, 0, None), (20, 0, None)]
    assert effects(claims[2]) == [(0.05, -0.1, 0.1), (-0.05, -0.1, 0.1)]
    assert [e.what for e in claims[2].effects] == [
        "share by which it moves with 3 layers instead of 2",
        "share by which it moves with 4 layers instead of 2",
    ]
    assert outcomes(claims) == ["confirmed"] * 3
    assert [line[:4] for line in drawn(accuracy)] == [
        (f"{layers} layers", "measured", colour, U_DEPTH)
        for layers, colour in ((2, 1), (3, 2), (4, 3))
    ]
    assert drawn(accuracy)[2][4][0] == 40
    assert drawn(gain)[1][:3] == ("3 layers", "measured", 2)
    assert [line[4][0] for line in drawn(gain)] == [-10, -10, -20]
    assert gain.level == 0


@pytest.mark.parametrize(("third", "moved"), [(1.35, 0.125), (1.05, -0.125)])
def test_a_boundary_that_moves_a_gain_and_a_loss_at_the_wrong_end_refute_that(third, moved):
    curves = rising(1.2), rising(third, start=70), rising(1.2)
    claims = claims_of("depth", *curves, scratch=lambda **_: 60, noise=NO_NOISE)
    assert effects(claims[1]) == [(10, 0, None), (-10, 0, None), (10, 0, None)]
    assert effects(claims[2]) == [(moved, -0.1, 0.1), (0, -0.1, 0.1)]
    assert outcomes(claims) == ["confirmed", "refuted", "refuted"]


def test_a_dip_after_the_crossing_does_not_move_it():
    def dips(u_norm, **_):
        return {0.0: 50, 0.4: 70, 0.8: 95, 1.2: 80, 1.6: 96, 2.0: 97}[u_norm]

    # from 70 at 0.4 to 95 at 0.8: 90 at 0.72
    claims = claims_of("depth", dips, rising(0.72), rising(0.72), noise=NO_NOISE)
    assert effects(claims[2]) == [(0, -0.1, 0.1)] * 2


# --- one curve


def paper_gamma(setting):
    noise = (setting.upstream.sigma_p * setting.downstream.sigma_p) ** 2 * setting.d
    return setting.alpha**2 * setting.upstream.n * setting.u_norm**4 / noise


def off_the_best_curve(x, y):
    """Root mean square distance from the isotonic fit, by its max-min formula."""
    y = y[np.argsort(x, kind="stable")]
    n = len(y)
    means = np.array(
        [[y[j : k + 1].mean() if k >= j else np.inf for k in range(n)] for j in range(n)]
    )
    curve = [means[: i + 1, i:].min(1).max() for i in range(n)]
    return np.sqrt(np.mean((y - curve) ** 2)), curve


@pytest.fixture
def settings(monkeypatch):
    (sweep,) = experiment("gamma_collapse").quick

    def of(accuracy, predicted):
        """The figure, read where accuracy and its prediction are functions of a setting."""
        monkeypatch.setattr(
            panels,
            "predict",
            lambda grid: [SimpleNamespace(inherited=predicted(s) / 100) for s in grid],
        )
        table = dict(zip(np.ndindex(sweep.grid.shape), sweep.grid, strict=True))
        places = {tuple(sorted(labels_of(s).items())): s for s in table.values()}
        data = dataset(
            sweep.grid,
            lambda **labels: accuracy(places[tuple(sorted(labels.items()))]),
            lambda **_: 50,
            noise=NO_NOISE,
        )
        return (*experiment("gamma_collapse").read(SweepResult(sweep.grid, data)), sweep.grid)

    return of


def labels_of(setting):
    return {
        "d": setting.d,
        "u_norm": setting.u_norm,
        "upstream_n": setting.upstream.n,
        "upstream_sigma_p": setting.upstream.sigma_p,
        "alpha": setting.alpha,
    }


def test_accuracy_that_gamma_determines_lies_on_one_curve_of_it(settings):
    def accuracy(setting):
        return 70 + 6 * log10(paper_gamma(setting))

    drawings, claims, grid = settings(accuracy, predicted=lambda s: accuracy(s) / 2)
    gammas, y = (np.array([f(s) for s in grid]) for f in (paper_gamma, accuracy))
    d = np.array([setting.d for setting in grid])
    assert effects(claims[0]) == [(0, None, 2)]
    assert effects(claims[1]) == [(round(off_the_best_curve(gammas * d, y)[0], 3), 0, None)]
    assert effects(claims[2]) == [(0, None, 2)]
    assert outcomes(claims) == ["confirmed"] * 3
    assert [panel.x.log for panel in drawings] == [True, True, True, False]
    numbers = [
        "Gamma",
        "Gamma without d",
        "scratch's own signal-to-noise ratio",
        "predicted accuracy",
    ]
    assert [panel.x.label for panel in drawings] == numbers
    assert [panel.title for panel in drawings] == [f"Against {number}" for number in numbers]
    for panel, x in zip(
        drawings,
        (
            gammas,
            gammas * d,
            # N2 |u + v2|^4 / d with N2 = 40 and |v2| = 2
            np.array([40 * (s.u_norm**2 + 4) ** 2 / s.d for s in grid]),
            y / 2,
        ),
        strict=True,
    ):
        points, curve = panel.series
        assert points.x == pytest.approx(x)
        assert points.y == pytest.approx(y)
        assert (points.kind, points.colour, curve.kind) == ("scatter", 1, "theory")
        assert curve.x == pytest.approx(np.sort(x))
        assert curve.y == pytest.approx(off_the_best_curve(x, y)[1])


def test_accuracy_that_the_number_without_d_determines_refutes_gamma_and_the_prediction(settings):
    def accuracy(setting):
        return 50 + 12 * log10(paper_gamma(setting) * setting.d)

    _, claims, grid = settings(accuracy, predicted=paper_gamma)
    gammas, y = (np.array([f(s) for s in grid]) for f in (paper_gamma, accuracy))
    scatter = round(off_the_best_curve(gammas, y)[0], 3)
    assert scatter > 2
    assert effects(claims[0]) == effects(claims[2]) == [(scatter, None, 2)]
    assert effects(claims[1]) == [(-scatter, 0, None)]
    assert outcomes(claims) == ["refuted"] * 3
