import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legatee import LegateeError, Setting, Task
from legatee.world.setting import EXAMPLE

UPSTREAM = {"n": 70, "v_norm": 3.0, "sigma_p": 0.7}
DOWNSTREAM = {"n": 20, "v_norm": 2.0, "sigma_p": 1.3}


def a_setting(upstream=None, downstream=None, **changes):
    fields = {"d": 900, "m": 5, "u_norm": 2.0, "alpha": 0.5, "eta": 0.3, "sigma_0": 1e-3}
    return Setting(
        upstream=Task(**(UPSTREAM | (upstream or {}))),
        downstream=Task(**(DOWNSTREAM | (downstream or {}))),
        **(fields | {"steps": 30} | changes),
    )


def refused(call, *words):
    """One sentence with the words in it, and nothing but a LegateeError."""
    with pytest.raises(LegateeError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


NUMBERS = st.floats(0.01, 100, allow_nan=False)
COUNTS = st.integers(1, 500)
TASKS = st.builds(
    Task,
    n=COUNTS,
    v_norm=st.floats(0, 100),
    sigma_p=NUMBERS,
    m=st.none() | st.integers(50, 60),
    eta=st.none() | NUMBERS,
    steps=st.none() | COUNTS,
)
SETTINGS = st.builds(
    Setting,
    d=st.integers(3, 10**9),
    m=st.integers(1, 50),
    u_norm=st.floats(0, 100),
    upstream=TASKS,
    downstream=TASKS.filter(lambda task: task.m is None),
    alpha=st.floats(0, 1),
    eta=NUMBERS,
    sigma_0=NUMBERS,
    steps=COUNTS,
    noise_signal_correlation=st.floats(0, 1),
    label_noise=st.floats(0, 0.5),
    weight_decay=st.floats(0, 10),
    l2_sp=st.floats(0, 10),
    inherit=st.sampled_from(["random", "selected", "active"]),
    active_threshold=st.floats(0, 1),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(SETTINGS)
def test_a_setting_is_the_same_after_a_trip_through_json(setting):
    again = Setting.from_json(setting.to_json())
    assert again == setting
    assert hash(again) == hash(setting)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, 1000), st.integers(1, 400))
def test_inherited_filters_are_rounded_to_the_nearest_and_halves_up(thousandths, m):
    # 0.29 * 50 is a half, whatever binary fractions make of it
    expected = math.floor(Fraction(thousandths, 1000) * m + Fraction(1, 2))
    assert a_setting(alpha=thousandths / 1000, m=m).inherited_filters == expected


def test_a_tasks_own_values_override_the_settings():
    upstream, downstream = a_setting(
        upstream={"m": 8, "steps": 3}, downstream={"eta": 0.01}
    ).resolved
    assert (upstream.m, upstream.eta, upstream.steps) == (8, 0.3, 3)
    assert (downstream.m, downstream.eta, downstream.steps) == (5, 0.01, 30)


def test_filters_are_counted_of_the_downstream_network():
    assert a_setting(alpha=0.5, downstream={"m": 3}).inherited_filters == 2


def test_more_filters_than_the_upstream_network_has_cannot_be_inherited():
    refused(lambda: a_setting(alpha=1, upstream={"m": 4}), "alpha", "upstream", "4", "5")
    assert a_setting(alpha=0.8, upstream={"m": 4}).inherited_filters == 4


def test_what_goes_beyond_the_paper_is_off():
    off = {"noise_signal_correlation": 0, "label_noise": 0, "weight_decay": 0, "l2_sp": 0}
    assert a_setting() == a_setting(**off, inherit="random")


def test_a_setting_cannot_be_changed():
    setting = a_setting()
    with pytest.raises(AttributeError):
        setting.d = 5
    with pytest.raises(AttributeError):
        setting.upstream.n = 5


def test_fields_are_given_by_name():
    with pytest.raises(TypeError):
        Task(70, 3.0, 0.7)
    with pytest.raises(TypeError):
        Setting(900, 5)


def test_numpy_numbers_are_numbers():
    given_by_numpy = a_setting(
        d=np.int64(900), m=np.int32(5), alpha=np.float32(0.5), upstream={"n": np.uint8(70)}
    )
    assert given_by_numpy == a_setting()
    assert Setting.from_json(given_by_numpy.to_json()) == a_setting()


def test_a_numpy_boolean_is_no_number_either():
    refused(lambda: a_setting(m=np.True_), "m", "True")
    refused(lambda: a_setting(upstream={"eta": np.True_}), "eta", "True")


NOT_FINITE = [math.nan, math.inf, -math.inf, np.float64("nan")]
NOT_NUMBERS = [True, "1", None, [1]]
FAR_OUT = [1.1e30, 1e200, 10**400]  # squares of squares are computed of these
WRONG = {
    "d": [2, 0, -1, 3.5, 10**15 + 1, 10**400],
    "m": [0, -1, 1.5],
    "steps": [0, -1, 1.5],
    "u_norm": [-1e-9, -1, *FAR_OUT],
    "alpha": [-1e-9, 1.0000001, 2],
    "eta": [0, -1, 0.9e-30, 1e-200, *FAR_OUT],
    "sigma_0": [0, -1, 0.9e-30, 1e-200, *FAR_OUT],
    "noise_signal_correlation": [-0.1, 1.1],
    "label_noise": [-0.1, 0.6],
    "weight_decay": [-0.1, *FAR_OUT],
    "l2_sp": [-0.1, *FAR_OUT],
    "active_threshold": [-0.1, 1.1],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(f, v) for f, wrong in WRONG.items() for v in wrong + NOT_FINITE + NOT_NUMBERS],
)
def test_a_value_out_of_range_is_refused_and_the_field_named(field, value):
    refused(lambda: a_setting(**{field: value}), field, repr(value)[:15], "expected")


WRONG_IN_TASKS = {
    "n": [0, -1, 1.5, None],
    "v_norm": [-1e-9, None, *FAR_OUT],
    "sigma_p": [-1, 0, None, 0.9e-30, *FAR_OUT],
    "m": [0, 1.5],
    "eta": [0, -1, 0.9e-30, *FAR_OUT],
    "steps": [0, 1.5],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (f, v)
        for f, wrong in WRONG_IN_TASKS.items()
        for v in wrong + NOT_FINITE + [x for x in NOT_NUMBERS if x is not None]
    ],
)
def test_a_tasks_value_out_of_range_is_refused_and_the_field_named(field, value):
    refused(lambda: a_setting(upstream={field: value}), field, repr(value)[:15], "expected")


def test_the_ends_of_the_ranges_are_in_them():
    a_setting(d=3, m=1, steps=1, u_norm=0, alpha=0, label_noise=0.5, upstream={"n": 1, "v_norm": 0})
    a_setting(alpha=1, noise_signal_correlation=1, active_threshold=1)
    a_setting(u_norm=1e30, eta=1e-30, sigma_0=1e30, d=10**15, upstream={"sigma_p": 1e-30})
    a_setting(u_norm=1e-200, alpha=1e-200)  # as good as 0


@pytest.mark.parametrize("value", [3, None, UPSTREAM])
def test_a_task_is_a_task(value):
    fields = {"d": 9, "m": 1, "u_norm": 1, "alpha": 0, "eta": 1, "sigma_0": 1, "steps": 1}
    refused(lambda: Setting(upstream=value, downstream=Task(**DOWNSTREAM), **fields), "upstream")


def test_another_way_of_inheriting_is_refused_and_the_nearest_suggested():
    refused(lambda: a_setting(inherit="selectd"), "selectd", "selected")
    refused(lambda: a_setting(inherit=3), "inherit")


def written(upstream=None, **changes):
    fields = json.loads(a_setting().to_json())
    return json.dumps(fields | {"upstream": fields["upstream"] | (upstream or {})} | changes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["setting"]),
        ("[]", ["setting"]),
        ("null", ["setting"]),
        ("{}", ["d", "upstream"]),
        (written(u_nrm=1), ["u_nrm", "u_norm"]),
        (written(upstream={"sigma": 1}), ["sigma", "sigma_p"]),
        (written(d="900"), ["d", "'900'"]),
        (written(d=True), ["d", "True"]),
        (written(upstream={"n": -1}), ["upstream.n", "-1"]),
        (written(u_norm=math.nan), ["u_norm", "nan"]),
        (written().replace('"steps": 30', '"stps": 30'), ["stps", "steps"]),
        (written() + "x", ["setting"]),
    ],
)
def test_what_is_no_setting_is_refused_and_the_field_named(text, words):
    refused(lambda: Setting.from_json(text), *words)


def test_what_is_optional_may_be_left_out_of_a_file():
    text = json.dumps(
        {"d": 900, "m": 5, "u_norm": 2, "alpha": 0.5, "eta": 0.3, "sigma_0": 1e-3, "steps": 30}
        | {"upstream": UPSTREAM, "downstream": DOWNSTREAM}
    )
    assert Setting.from_json(text) == a_setting()


def test_what_is_nested_or_written_out_without_end_is_refused_in_one_short_sentence():
    nested = value = {}
    for _ in range(5000):
        value["n"] = value = {}
    for call in (
        lambda: Setting.from_json("[" * 100_000),
        lambda: a_setting(u_norm=nested),
        lambda: a_setting(u_norm=10**5000),
        lambda: a_setting(inherit=np.array([1, 2])),
        lambda: a_setting(inherit="x" * 10**6),
        lambda: Setting.of({"upstream": nested}),
        lambda: Setting.of({3: 4}),
    ):
        with pytest.raises(LegateeError) as caught:
            call()
        assert len(str(caught.value)) < 500


def test_the_example_is_the_setting_that_the_readme_shows():
    first, second = Task(n=1000, v_norm=3.0, sigma_p=1.0), Task(n=40, v_norm=2.0, sigma_p=1.0)
    training = {"d": 2000, "m": 20, "eta": 1.0, "sigma_0": 1e-4, "steps": 200}
    shown = Setting(u_norm=2.0, upstream=first, downstream=second, alpha=0.5, **training)
    assert shown == EXAMPLE
