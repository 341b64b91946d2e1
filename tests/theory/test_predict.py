import json
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory_cases import EXAMPLE, GENERIC, changed, in_unit, valid_settings

from legatee import Grid, LegateeError, Prediction, predict
from legatee.theory.consequences import LimitingFactor, best_alpha, crossover, limiting_factor
from legatee.theory.predict import PredictedVerdict
from legatee.theory.reduced.reduce import reduced
from legatee.world.setting import Setting

ACCURACIES = ("scratch", "zero_shot", "inherited")
SPREADS = tuple(f"{name}_spread" for name in ACCURACIES)
NUMBERS = (*ACCURACIES, *SPREADS, "error")
TASKS = ("upstream", "downstream")
CHEAP = {"upstream_n": 100, "d": 5000}  # few samples are solved faster


def numbers(prediction):
    return [getattr(prediction, name) for name in NUMBERS]


def predicted(**changes):
    return predict(changed(**changes))


# --- what comes back ------------------------------------------------------------------------------


def test_a_prediction_has_accuracies_their_spreads_and_a_verdict():
    found = predict(GENERIC)
    assert isinstance(found, Prediction)
    assert found.setting == GENERIC
    assert all(0.5 <= getattr(found, name) <= 1 for name in ACCURACIES)
    assert all(0 < getattr(found, name) < 0.2 for name in SPREADS)
    assert 0 < found.error < 0.01
    assert found.outside == ()


def a_prediction(**changes):
    own = dict.fromkeys(NUMBERS, 0.01) | {"setting": GENERIC, "outside": ()}
    return Prediction(**own | changes)


@pytest.mark.parametrize(
    ("scratch", "inherited", "error", "verdict"),
    [
        (0.75, 0.9, 0.01, "inherit"),
        (0.9, 0.75, 0.01, "scratch"),
        (0.75, 0.754, 0.001, "either"),  # less than half a point
        (0.75, 0.756, 0.001, "inherit"),
        (0.756, 0.75, 0.001, "scratch"),
        (0.75, 0.769, 0.01, "either"),  # less than two standard errors
        (0.75, 0.771, 0.01, "inherit"),
    ],
)
def test_a_gain_is_inherited_minus_scratch_and_decides_beyond_its_error(
    scratch, inherited, error, verdict
):
    found = a_prediction(scratch=scratch, inherited=inherited, error=error)
    assert found.gain == pytest.approx(round(inherited - scratch, 3))
    assert found.verdict is PredictedVerdict(verdict)
    assert a_prediction(outside=("a reason",)).verdict is PredictedVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "verdict", "sign"),
    [
        ({}, "inherit", 1),
        ({"u_norm": 0}, "scratch", -1),
        ({"alpha": 0}, "either", 0),
        ({"downstream_n": 1000}, "either", 0),
    ],
    ids=str,
)
def test_the_verdict_is_that_of_the_gain(changes, verdict, sign):
    found = predicted(**changes)
    assert found.verdict == verdict
    assert found.gain * sign > 0.05 if sign else abs(found.gain) < 0.005


def test_several_settings_are_predicted_as_one_by_one():
    grid = Grid(base=changed(**CHEAP), axes={"u_norm": [0, 2], "alpha": [0.2, 1]})
    one_by_one = [predict(setting) for setting in grid]
    assert predict(grid) == predict(list(grid)) == predict(iter(grid)) == one_by_one
    assert predict(list(grid)[::-1]) == one_by_one[::-1]
    assert predict([EXAMPLE]) == [predict(EXAMPLE)]


def test_a_prediction_is_always_the_same_and_cannot_be_changed():
    found = predict(GENERIC)
    assert predict(GENERIC) == found
    assert numbers(predict(changed(GENERIC))) == numbers(found)
    with pytest.raises(FrozenInstanceError):
        found.scratch = 1


def strict(text):
    """Read JSON that other readers than Python's can read, too."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_a_notebook_shows_a_prediction_with_its_accuracies():
    prediction = predict(EXAMPLE)
    shown = prediction._repr_html_()
    assert str(prediction).startswith("inherit: test accuracy ")
    for accuracy in (prediction.scratch, prediction.zero_shot, prediction.inherited):
        assert shown.count(f"<td>{100 * accuracy:.1f}%</td>") >= 1
    for value in (prediction.scratch, prediction.inherited):
        assert f"{100 * value:.1f}%" in str(prediction)


def test_a_notebook_shows_why_nothing_is_predicted():
    prediction = predicted(d=3)
    assert prediction.outside
    for text in (str(prediction), prediction._repr_html_()):
        assert "no prediction: " in text
        assert "nan" not in text
    assert "<table>" not in prediction._repr_html_()


@pytest.mark.parametrize("changes", [{}, {"u_norm": 0}, {"label_noise": 0.1}], ids=str)
def test_a_prediction_is_written_as_json_with_its_gain_and_verdict(changes):
    found = predicted(**CHEAP, **changes)
    written = strict(found.to_json())
    assert Setting.from_json(json.dumps(written["setting"])) == found.setting
    assert written["outside"] == list(found.outside)
    assert written["verdict"] == found.verdict
    for name in (*NUMBERS, "gain"):
        value = getattr(found, name)
        assert written[name] == (None if math.isnan(value) else value)


@pytest.mark.parametrize(
    "given",
    [None, 3, "x", [3], [EXAMPLE, None], EXAMPLE.upstream, {"d": 3}],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_setting_is_refused_in_one_sentence(given):
    with pytest.raises(LegateeError, match="setting") as caught:
        predict(given)
    assert "\n" not in str(caught.value)


# --- limits and symmetries ------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 8, 50])
def test_inheriting_nothing_is_training_from_scratch(m):
    found = predict(changed(GENERIC, alpha=0, m=m, downstream_m=m))
    assert found.inherited == found.scratch
    assert found.inherited_spread == found.scratch_spread
    assert (found.gain, found.error) == (0, 0)
    rounded = predict(changed(GENERIC, alpha=0.4 / m, m=m, downstream_m=m))  # no filter
    assert numbers(rounded) == numbers(found)


def test_without_a_signal_there_is_nothing_to_learn():
    found = predicted(u_norm=0, upstream_v_norm=0, downstream_v_norm=0)
    assert [getattr(found, name) for name in ACCURACIES] == pytest.approx([0.5] * 3, abs=0.005)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1])
def test_without_a_universal_signal_nothing_is_known_beforehand(alpha):
    assert predicted(u_norm=0, alpha=alpha).zero_shot == pytest.approx(0.5, abs=0.01)


def test_dimensions_without_end_leave_chance():
    found = predicted(d=10**12, eta=1e-9, sigma_0=1e-7)
    assert [getattr(found, name) for name in ACCURACIES] == pytest.approx([0.5] * 3, abs=0.005)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(st.floats(-3, 3).map(lambda x: 10**x), st.sampled_from([GENERIC, EXAMPLE]))
def test_a_prediction_does_not_depend_on_the_unit_of_signal_and_noise(c, setting):
    expected = numbers(predict(setting))
    assert numbers(predict(in_unit(setting, c))) == pytest.approx(expected, abs=1e-3)


def test_small_starts_are_all_alike():
    tiny, small = predicted(sigma_0=1e-12), predicted(sigma_0=1e-6)
    assert numbers(tiny) == pytest.approx(numbers(small), abs=0.01)


def accuracies(name, **along):
    ((field, values),) = along.items()
    task, _, own = field.partition("_")
    axis = f"{task}.{own}" if task in ("upstream", "downstream") else field
    grid = Grid(base=changed(d=20_000), axes={axis: values})
    return [getattr(each, name) for each in predict(grid)]


def rising(values):
    return all(step > -0.005 for step in np.diff(values)) and values[-1] > values[0] + 0.05


def test_accuracies_rise_with_samples_and_fall_with_noise():
    upstream, downstream = [50, 200, 800, 3000], [10, 40, 160, 640]
    assert rising(accuracies("zero_shot", upstream_n=upstream))
    assert rising(accuracies("inherited", upstream_n=upstream))
    assert rising(accuracies("scratch", downstream_n=downstream))
    assert rising(accuracies("inherited", downstream_n=downstream))
    assert rising(accuracies("zero_shot", u_norm=[0, 0.5, 1, 2, 4]))
    assert rising(accuracies("inherited", upstream_sigma_p=[4, 2, 1, 0.5]))
    assert rising(accuracies("scratch", downstream_sigma_p=[4, 2, 1, 0.5]))


ABUNDANT = {"d": 3116, "u_norm": 2.156, "eta": 2.881, "upstream_n": 300, "downstream_n": 1170}
ABUNDANT |= {"downstream_v_norm": 1.393, "downstream_sigma_p": 2}


@pytest.mark.parametrize("world", [{}, {"m": 5}, ABUNDANT], ids=["example", "few", "abundant"])
def test_scratch_knows_nothing_of_what_is_upstream(world):
    # It shares its samples with the inheriting network, whose needs say how many are drawn, and
    # how often: that moves it by its standard error, not more.
    expected = predicted(**world).scratch
    for change in ({"upstream_n": 50}, {"upstream_v_norm": 0}, {"alpha": 0.3}, {"alpha": 1}):
        assert predicted(**world | change).scratch == pytest.approx(expected, abs=0.01)


def test_scratch_is_the_same_on_the_same_samples():
    expected = predicted().scratch
    for change in ({"upstream_sigma_p": 1.1}, {"upstream_v_norm": 2}, {"alpha": 0.4}):
        assert predicted(**change).scratch == pytest.approx(expected, abs=1e-6)


# --- where it holds -------------------------------------------------------------------------------


def kappa(setting, k):
    """Of one unit of learning rate: eta (sigma^2 d / n + |s|^2) / (2 m)."""
    task = setting.resolved[k]
    signal = setting.u_norm**2 + task.v_norm**2
    return (task.sigma_p**2 * setting.d / task.n + signal) / (2 * task.m)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.floats(0, 3).map(lambda x: round(10**x)),
    st.floats(0, 5).map(lambda x: round(10**x)),
    st.floats(-5.9, 3.9).map(lambda x: 10**x),
    st.floats(0, 1),
    st.sampled_from([0, 0.3, 3]),
)
def test_everything_that_is_promised_is_predicted(m, steps, speed, alpha, u_norm):
    start = {"sigma_0": 1e-6 * min(speed, 1)}
    known = changed(m=m, steps=steps, alpha=alpha, u_norm=u_norm, upstream_n=60, **start)
    rates = {f"{name}_eta": speed / kappa(known, k) for k, name in enumerate(TASKS)}
    found = predict(changed(known, **rates))
    assert found.outside == ()
    assert not np.isnan(numbers(found)).any()
    for name in ACCURACIES:
        assert 0.45 < getattr(found, name) <= 1
        assert 0 <= getattr(found, f"{name}_spread") < 0.25
    assert found.error < 0.01


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"noise_signal_correlation": 0.2}, ["noise_signal_correlation"]),
        ({"label_noise": 0.01}, ["label_noise"]),
        ({"weight_decay": 1e-3}, ["weight_decay"]),
        ({"l2_sp": 1e-3}, ["l2_sp"]),
        ({"inherit": "selected"}, ["inherit"]),
        ({"inherit": "active"}, ["inherit"]),
        ({"upstream_n": 7}, ["upstream.n"]),
        ({"downstream_n": 1}, ["downstream.n"]),
        ({"d": 1624}, ["d is 1624"]),  # 1000 * (1 + 2 * 20 / 64) = 1625
        ({"d": 3}, ["d is 3", "d is 3"]),  # for either task
        ({"weight_decay": 1, "upstream_n": 3}, ["weight_decay", "upstream.n"]),
        ({"upstream_eta": 1e6}, ["eta is 1e+06, with which upstream"]),
        ({"downstream_eta": 1e-9}, ["eta is 1e-09, with which downstream"]),
        ({"eta": 1e30}, ["upstream margins", "downstream margins"]),
        ({"sigma_0": 1}, ["sigma_0 is 1, with which upstream", "sigma_0 is 1"]),
        ({"sigma_0": 1e30}, ["upstream filters", "downstream filters"]),
        ({"sigma_0": 0.02, "m": 200}, ["with this upstream.m", "with this downstream.m"]),
        (
            {"u_norm": 2e6, "eta": 1e-12, "sigma_0": 1e-7},
            ["the largest signal or noise level is 2e+06 times"],
        ),
        (
            {"u_norm": 1.01e6, "eta": 1e-12, "sigma_0": 1e-7},
            ["the largest signal or noise level is 1.01e+06 times"],
        ),
        (
            {"upstream_sigma_p": 1e-7, "upstream_v_norm": 0, "sigma_0": 1e-7},
            ["the largest signal or noise level is 2e+07 times"],
        ),
    ],
    ids=str,
)
def test_elsewhere_nothing_is_predicted_and_the_field_is_named(changes, named):
    found = predicted(**changes)
    assert np.isnan([*numbers(found), found.gain, best_alpha(found.setting)]).all()
    assert found.verdict == "unknown"
    assert crossover(found.setting) is None
    assert limiting_factor(found.setting) is LimitingFactor.UNKNOWN
    assert len(found.outside) == len(named)
    for reason, name in zip(found.outside, named, strict=True):
        assert name in reason
        assert "\n" not in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"d": 1625},
        {"upstream_n": 8, "downstream_n": 8},
        {"active_threshold": 0.1},
        {"sigma_0": 0.2},
        {"sigma_0": 0.02},
        {"sigma_0": 1e-3, "m": 200},
        {"u_norm": 1e6, "eta": 1e-12, "sigma_0": 1e-7},
        {"alpha": 0, "upstream_n": 3, "upstream_eta": 1e30, "upstream_sigma_p": 1e-30},
    ],
    ids=str,
)
def test_at_the_edge_something_is(changes):
    found = predicted(**changes)
    assert found.outside == ()
    assert not np.isnan(numbers(found)).any()


@pytest.mark.parametrize("changes", [{}, {"eta": 1e-4}, {"d": 10**9, "eta": 1e-5}], ids=str)
def test_the_smallest_starts_are_like_small_ones(changes):
    tiny = numbers(predicted(**CHEAP | changes, sigma_0=1e-30))
    assert tiny == pytest.approx(numbers(predicted(**CHEAP | changes, sigma_0=1e-13)), abs=0.01)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(valid_settings(30))
def test_any_setting_is_predicted_or_not(setting):
    found = predict(setting)
    assert np.isnan(numbers(found)).all() if found.outside else not np.isnan(numbers(found)).any()


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, (32, 32)),
        ({"alpha": 1}, (32, 64)),  # no filter is fresh downstream
        ({"m": 5}, (64, 64)),  # few filters
        ({"m": 6}, (32, 32)),
        ({"m": 6, "alpha": 1}, (32, 64)),
        ({"downstream_n": 20}, (32, 20)),
        ({"downstream_n": 21, "alpha": 1}, (32, 20)),  # pairs of samples
    ],
    ids=str,
)
def test_a_task_is_reduced_to_more_samples_where_single_ones_decide(changes, kept):
    setting = changed(**({"d": 10**5, "upstream_n": 500, "downstream_n": 300} | changes))
    assert tuple(task.kept for task in reduced(setting)[:2]) == kept
