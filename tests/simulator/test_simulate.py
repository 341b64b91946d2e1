"""What `simulate` returns and refuses, what a cell depends on, and how training ends."""

import contextlib
import math

import numpy as np
import pytest
from simulator_cases import COEFFICIENTS, NUMBERS, STATISTICS, a_setting, labels_and_memories, last

from legatee import Grid, LegateeError, simulate
from legatee.simulator import run as simulator_run

# --- what comes back ------------------------------------------------------------------------------


def test_what_comes_back_is_labelled():
    grid = Grid(base=a_setting(), axes={"upstream.n": [9, 12], "alpha": [0, 0.4, 1]})
    found = simulate(grid, seeds=[3, 8], record_steps=[4])
    for name in NUMBERS:
        assert found[name].dims == ("setting", "seed", "run", "step")
        assert found[name].attrs["units"] == ("nats" if name == "train_loss" else "fraction")
    assert found["status"].dims == ("setting", "seed", "run")
    assert found["universal"].dims == (*found["train_loss"].dims, "sign", "statistic")
    for name in ["specific", "noise"]:
        assert found[name].dims == (*found["train_loss"].dims, "task", "sign", "statistic")
    assert list(found["seed"].values) == [3, 8]
    assert list(found["run"].values) == ["upstream", "scratch", "inherited"]
    assert list(found["statistic"].values) == ["mean", "spread"]
    assert found["test_accuracy"].sel(run="inherited").isel(step=-1).dims == ("setting", "seed")


def test_every_field_of_the_settings_is_a_coordinate():
    pair = [a_setting(), a_setting(upstream={"eta": None}, d=77, inherit="active", label_noise=0.1)]
    found = simulate(pair, seeds=1)
    both = ["n", "v_norm", "sigma_p", "m", "eta", "steps"]
    others = ["d", "m", "u_norm", "alpha", "eta", "sigma_0", "steps", "noise_signal_correlation"]
    others += ["label_noise", "weight_decay", "l2_sp", "inherit", "active_threshold"]
    for k, task in enumerate(["upstream", "downstream"]):
        for name in both:
            expected = [getattr(setting.resolved[k], name) for setting in pair]
            assert list(found[f"{task}.{name}"].values) == expected
    for name in others:
        assert list(found[name].values) == [getattr(setting, name) for setting in pair]
        assert found[name].dims == ("setting",)
    units = {"d": "count", "u_norm": "signal", "alpha": "fraction", "sigma_0": "1/signal"}
    assert {name: found[name].attrs["units"] for name in units} == units


def test_the_first_and_the_last_step_are_always_recorded():
    pair = [a_setting(), a_setting(steps=40)]
    for steps in [(), [2], [0, 3, 30], {6, 2}, range(3), [7, 10**9]]:
        numbers = simulate(pair, 1, record_steps=steps)["step_number"]
        assert numbers.dims == ("setting", "run", "step")
        assert (numbers.isel(step=0) == 0).all()
        assert numbers.isel(step=-1).values.tolist() == [[5, 7, 7], [5, 40, 40]]
        assert (numbers.diff("step") >= 0).all()
    found = simulate(pair[1], 1, record_steps=[30, 0, 10, 20, 10])["step_number"]
    assert found[0, 1].values.tolist() == [0, 10, 20, 30, 40]
    assert found[0, 0].values.tolist() == [0, 5, 5, 5, 5]  # a step beyond the end is the end


def test_a_step_asked_for_is_the_step_recorded():
    every = simulate(a_setting(), 3, record_steps=range(1, 7))
    some = simulate(a_setting(), 3, record_steps=[4])
    for run in ["scratch", "inherited"]:
        assert some["step_number"].sel(run=run).values.tolist() == [[0, 4, 7]]
        np.testing.assert_array_equal(
            some["train_loss"].sel(run=run), every["train_loss"].sel(run=run)[..., [0, 4, 7]]
        )
    shorter = simulate(a_setting(steps=4), 3)  # the fourth step of seven is the last of four
    np.testing.assert_array_equal(
        last(shorter)["scratch"], some["test_accuracy"].sel(run="scratch")[0, :, 1]
    )


def test_means_and_spreads_are_those_of_the_coefficients():
    found = simulate(a_setting(), 5, coefficients=True, record_steps=[3], dtype="float64")
    for name in ["universal", "specific"]:
        full = found[f"{name}_coefficient"]
        for statistic, taken in [("mean", full.mean("filter")), ("spread", full.std("filter"))]:
            np.testing.assert_allclose(found[name].sel(statistic=statistic), taken, atol=1e-12)
    for run, task in [("upstream", "upstream"), ("scratch", "downstream")]:
        for seed in range(5):
            labels, rho = labels_and_memories(found.sel(seed=[seed]), run, task)
            filters = [rho[k][:, labels == sign].mean(1) for k, sign in enumerate([1, -1])]
            stored = found["noise"].sel(seed=seed, run=run, task=task).isel(setting=0, step=-1)
            expected = [[each.mean(), each.std()] for each in filters]
            np.testing.assert_allclose(stored, expected, atol=1e-12)


# --- what a cell depends on -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_does_not_depend_on_its_neighbours_nor_on_memory(dtype, monkeypatch):
    these = [a_setting(), a_setting(d=20, downstream={"n": 60}), a_setting(m=3, steps=12)]
    options = {"dtype": dtype, "coefficients": True}
    together = simulate(these, [5, 2, 9], **options)
    for memory in [1, 10**5, 2**30]:  # a run at a time, a few, all that are alike
        monkeypatch.setattr(simulator_run, "BATCH_BYTES", memory)
        again = simulate(these, [5, 2, 9], **options)
        compare_cells(again, together)
    for k, setting in enumerate(these):
        alone = simulate(setting, [9], **options)
        compare_cells(alone, together.isel(setting=[k]).sel(seed=[9]))


def compare_cells(one, other):
    """Trained weights and accuracies to the bit, sums to the last bits."""
    filters, samples = one.sizes["filter"], one.sizes["sample"]  # the neighbours' may be more
    for name in [*COEFFICIENTS, "test_accuracy", "train_accuracy", "status"]:
        sizes = {"filter": slice(filters), "sample": slice(samples)}
        cut = other[name].isel({k: v for k, v in sizes.items() if k in other[name].dims})
        np.testing.assert_array_equal(one[name], cut)
    for name in ["train_loss", "test_accuracy_error", *STATISTICS]:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12, atol=1e-15)


def test_the_upstream_and_the_scratch_run_do_not_depend_on_alpha():
    found = simulate(Grid(base=a_setting(), axes={"alpha": [0.4, 0, 1]}), 6)
    for run in ["upstream", "scratch"]:
        for name in NUMBERS:
            values = found[name].sel(run=run).values
            assert (values == values[0]).all()
    inherited = found["train_loss"].sel(run="inherited").isel(step=-1).values
    assert (inherited[0] != inherited[2]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inheriting_nothing_is_training_from_scratch_bit_for_bit(dtype):
    nothing = [a_setting(alpha=0), a_setting(alpha=0.12)]  # 0.12 * 4 filters are none
    found = simulate(nothing, 6, coefficients=True, record_steps=[2, 3], dtype=dtype)
    for name in [*NUMBERS, *STATISTICS, *COEFFICIENTS, "status"]:
        np.testing.assert_array_equal(
            found[name].sel(run="inherited"), found[name].sel(run="scratch")
        )


def test_seeds_differ():
    assert len(np.unique(last(simulate(a_setting(), 50), "train_loss")["scratch"])) == 50


# --- how training ended ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_huge_step_is_a_status_and_spoils_no_other_cell(dtype):
    etas = [1e-3, 0.5, 30.0, 1e6, 1e20, 1e30]
    found = simulate(
        Grid(base=a_setting(upstream={"eta": None}), axes={"eta": etas}), 4, dtype=dtype
    )
    first, final = (found["train_loss"].isel(step=step).values for step in (0, -1))
    status, finite = found["status"].values, np.isfinite(first) & np.isfinite(final)
    assert ((status == "not_finite") == ~finite).all()
    assert ((status == "not_converged") == (finite & (final > first))).all()
    assert set(np.unique(status)) <= {"done", "not_converged", "not_finite"}
    for name in [*NUMBERS, *STATISTICS]:
        broken = np.isnan(found[name].values).any(axis=tuple(range(3, found[name].ndim)))
        assert not broken[status != "not_finite"].any()
    alone = simulate(a_setting(upstream={"eta": None}), 4, dtype=dtype)
    np.testing.assert_allclose(found["train_loss"][1], alone["train_loss"][0], rtol=1e-12)


@pytest.mark.parametrize("changes", [{"eta": 1e30}, {"sigma_0": 1e-30}, {"sigma_0": 1e30}], ids=str)
def test_accuracy_does_not_depend_on_the_scale_of_weights_or_the_status_says_so(changes):
    # f is homogeneous in the weights: after one step from a tiny start eta only scales it, and
    # before the first step sigma_0 does
    step = -1 if "eta" in changes else 0
    start = {"steps": 1, "sigma_0": 1e-20, "eta": 1e10}
    pair = [a_setting(upstream={"eta": None, "steps": 1}, **(start | c)) for c in ({}, changes)]
    found = simulate(pair, 20, dtype="float64").sel(run=["upstream", "scratch"])
    accuracy, status = found["test_accuracy"].isel(step=step).values, found["status"].values
    kept = status[1] != "not_finite"
    np.testing.assert_allclose(accuracy[1][kept], accuracy[0][kept], atol=0.01)


def test_a_run_that_is_not_finite_has_no_accuracy_to_show():
    found = simulate(a_setting(eta=1e30, downstream={"sigma_p": 1e10}), 2)
    assert (found["status"].sel(run="scratch") == "not_finite").all()
    accuracy = found["test_accuracy"].sel(run="scratch").isel(step=-1)
    assert accuracy.isnull().all()


def test_decay_that_overshoots_is_called_divergence():
    # each step multiplies the weights by 1 - eta * weight_decay
    found = simulate(Grid(base=a_setting(), axes={"weight_decay": [2.8, 3, 3.9, 4.1]}), 2)
    diverged = (found["status"] == "diverged").sel(run=["upstream", "scratch"])
    own_eta, eta = [False, True, True, True], [False, False, False, True]  # 0.7 and 0.5
    assert diverged.isel(seed=0).values.T.tolist() == [own_eta, eta]


def test_a_pull_to_the_start_that_overshoots_is_called_divergence_downstream():
    # each step multiplies how far the weights are from home by 1 - eta * (weight_decay + l2_sp)
    pairs = [(0, 3.9), (0, 4.1), (2.5, 1.6)]  # eta is 0.7 upstream, 0.5 downstream
    found = simulate([a_setting(weight_decay=w, l2_sp=p) for w, p in pairs], 2)
    diverged = (found["status"] == "diverged").isel(seed=1).values.tolist()
    assert diverged == [[False] * 3, [False, True, True], [False, True, True]]


def test_dimensions_without_end_cost_nothing():
    for d in [10**9, 10**15]:
        tiny = a_setting(d=d, eta=1 / d, sigma_0=1e-9 / math.sqrt(d), upstream={"eta": None})
        assert (simulate(tiny, 1)["status"] == "done").all()


def test_a_dimension_that_no_machine_can_count_to_is_simulated_or_refused():
    with contextlib.suppress(LegateeError):
        simulate(a_setting(d=10**30, sigma_0=1e-30), 1)


# --- what is refused ------------------------------------------------------------------------------


def refused(call, *words):
    with pytest.raises(LegateeError) as caught:
        call()
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "seeds",
    [0, -1, [], [-1], [1, 2, 1], True, [True], 1.5, [1.5], "3", ["3"], None, [None]],
    ids=str,
)
def test_what_are_no_seeds_is_refused(seeds):
    refused(lambda: simulate(a_setting(), seeds), "seeds")


def test_numpy_numbers_are_numbers():
    many = simulate(a_setting(), np.int64(3), record_steps=[np.int64(2)], test_draws=np.int32(50))
    assert list(many["seed"].values) == [0, 1, 2]
    assert list(simulate(a_setting(), np.arange(2, 4))["seed"].values) == [2, 3]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("dtype", "float16"),
        ("device", "nonsense"),
        ("test_draws", 0),
        ("test_draws", 1.5),
        ("test_draws", True),
        ("record_steps", -1),
        ("record_steps", 3),
        ("record_steps", "2"),
        ("record_steps", [-1]),
        ("record_steps", [1.5]),
        ("record_steps", [True]),
        ("dtype", {"a": 1}),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_and_named(option, value):
    wrong = value[0] if isinstance(value, list) else value
    refused(lambda: simulate(a_setting(), 1, **{option: value}), option, str(wrong))


def test_no_setting_is_refused():
    refused(lambda: simulate([], 1), "setting")


@pytest.mark.parametrize(
    "changes",
    [
        {"downstream": {"n": 10**6}, "d": 10**8},
        {"downstream": {"n": 10**11}},
        {"m": 10**9, "upstream": {"m": 10**9}},
    ],
    ids=str,
)
def test_more_than_the_machine_can_is_refused(changes):
    refused(lambda: simulate(a_setting(**changes), 1))


def test_more_seeds_than_memory_are_refused():
    refused(lambda: simulate(a_setting(), 10**13), "GiB")
    refused(lambda: simulate(a_setting(), 1, test_draws=10**13), "GiB")
