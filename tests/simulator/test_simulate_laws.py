"""The simulator against hand calculations, the naive program and symmetries."""

import itertools
import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, ks_2samp, kstest
from simulator_cases import NUMBERS, STATISTICS, a_setting, labels_and_memories, last, sigmas

import reference
from legatee import Grid, simulate

# --- by hand --------------------------------------------------------------------------------------
# A sample pulls with c = sigmoid(-margin); 1/2 where all outputs are 0. Its patches are y s, where
# s = u + v, and xi. One step moves a filter of sign j by
#     j eta / (n m) (s [sum of c over the samples y s active] + [sum of c y xi over the active xi]).
# A filter with a tiny start is active on y s for one label: for that with the sign of <w, s>.


def test_the_first_step_is_that_of_the_hand_calculation():
    upstream = {"steps": 1, "n": 9, "m": 11}
    setting = a_setting(d=30, m=9, steps=1, sigma_0=1e-9, upstream=upstream, downstream={"n": 7})
    found = simulate(setting, 40, coefficients=True, dtype="float64")
    lengths, active_on_plus, active_on_patch = [], [], []
    for seed, k in itertools.product(found["seed"].values, (0, 1)):
        run, name, task = ("upstream", "scratch")[k], found["task"].values[k], setting.resolved[k]
        labels, rho = labels_and_memories(found.sel(seed=[seed]), run, name)
        cell = found.sel(seed=seed, run=run).isel(setting=0, step=-1, filter=slice(task.m))
        pull, sign = task.eta / (2 * task.n * task.m), np.array([[1], [-1]])

        universal = sign * cell["universal_coefficient"].values
        plus, minus = (
            np.isclose(universal, pull * (labels == label).sum() * 1.5**2) for label in (1, -1)
        )
        assert (plus ^ minus).all()  # 9 and 7 are odd: there are more of one label
        specific = sign * cell["specific_coefficient"].values
        np.testing.assert_allclose(specific[k], universal * (task.v_norm / 1.5) ** 2)
        assert not specific[1 - k].any()

        length = rho.max((0, 1)) / pull
        assert (np.isclose(rho, pull * length) ^ (rho == 0)).all()
        lengths += list(length / task.sigma_p**2)
        active_on_plus.append(plus.mean())
        active_on_patch.append((rho > 0).mean())
    assert kstest(lengths, chi2(30 - 2).cdf).pvalue > 1e-3  # xi has no part along u and its own v
    assert sigmas(active_on_plus, 0.5) < 4
    assert sigmas(active_on_patch, 0.5) < 4


def test_noise_keeps_a_share_of_its_deviation_along_the_signals():
    setting = a_setting(
        d=3, m=9, steps=1, sigma_0=1e-9, noise_signal_correlation=0.6, downstream={"n": 20}
    )
    found, lengths = simulate(setting, 40, coefficients=True, dtype="float64"), []
    for seed in found["seed"].values:
        _, rho = labels_and_memories(found.sel(seed=[seed]), "scratch", "downstream")
        lengths += list(rho.max((0, 1)) * (2 * 20 * 9) / setting.eta / 1.1**2)
    assert sigmas(lengths, 1 + 2 * 0.6**2) < 4  # one free dimension; u and v at 0.6


def step_by_hand(known, on_label, on_patch, labels, pull):
    """Losses before and after a step, gains along s in units of |s|^2, and coefficients of noise.

    known [sign, filter]: j <w, s> before; on_label [sign, filter, label]; on_patch [sign, filter,
    sample]: |xi|^2 where active; pull: eta / (n m).
    """
    label = (labels < 0).astype(int)
    before = known.mean(1)[label]
    c = 1 / (1 + np.exp(before))
    sums = np.array([c[label == k].sum() for k in (0, 1)])
    gains, rho = pull * (on_label * sums).sum(-1), pull * c * on_patch
    noise = rho.mean(1)[label, np.arange(len(label))]
    return before, gains, rho, noise


def test_inheriting_and_a_step_after_it_are_those_of_the_hand_calculation():
    # d = 1e8: patches are orthogonal to one another but for one part in 1e4
    big = {"d": 10**8, "u_norm": 8e3, "eta": 4e-7, "sigma_0": 1e-12, "m": 10, "steps": 1}
    upstream = {"v_norm": 9e3, "n": 9, "m": 12, "steps": 1, "eta": 3e-7}
    setting = a_setting(upstream=upstream, downstream={"v_norm": 7e3, "n": 7}, **big)
    found = simulate(setting, 8, coefficients=True, dtype="float64")
    u2, s2, pull, sign = 8e3**2, 8e3**2 + 7e3**2, 4e-7 / (7 * 10), np.array([[1], [-1]])
    for seed in found["seed"].values:
        cell = found.sel(seed=[seed])
        labels, rho = labels_and_memories(cell, "scratch", "downstream")
        _, rho_after = labels_and_memories(cell, "inherited", "downstream")
        lengths = rho.max((0, 1)) / (pull / 2)
        universal = cell["universal_coefficient"].isel(seed=0, setting=0, filter=slice(10))
        counts = np.array([(labels > 0).sum(), (labels < 0).sum()])
        fresh = sign * universal.sel(run="scratch").isel(step=1).values
        fresh = np.isclose(fresh[..., None], pull / 2 * u2 * counts)
        known = sign * universal.sel(run="inherited").isel(step=0).values
        assert ((known > 0).sum(1) == 4).all()  # 0.4 * 10 filters know something of u
        on_label = np.where((known > 0)[..., None], np.eye(2)[:, None, :], fresh)
        runs = {
            "scratch": (0 * known, fresh, (rho > 0) * lengths),
            "inherited": (known, on_label, (rho_after > 0) * lengths),
        }
        for run, (start, active, patches) in runs.items():
            before, gains, expected_rho, noise = step_by_hand(start, active, patches, labels, pull)
            after = (start + gains * s2).mean(1)[(labels < 0).astype(int)] + noise
            losses = cell["train_loss"].sel(run=run).values.ravel()
            np.testing.assert_allclose(
                losses, [np.log1p(np.exp(-f)).mean() for f in (before, after)], rtol=2e-3
            )
            learned = sign * universal.sel(run=run).isel(step=1).values
            np.testing.assert_allclose(learned, start + gains * u2, rtol=2e-3)
            _, memories = labels_and_memories(cell, run, "downstream")
            np.testing.assert_allclose(memories, expected_rho, rtol=2e-3)


# --- against the naive program --------------------------------------------------------------------


def naive(setting, seed, test_samples=300):
    """Losses and accuracies before and after the three trainings [run, 4], in d coordinates."""
    generator = torch.Generator().manual_seed(seed)
    tasks, d = setting.resolved, setting.d
    axes = reference.directions(d)

    def samples(k, n, flipped):
        drawn = reference.draw_samples(generator, n, d, setting.u_norm, tasks[k], k)
        noise = tasks[k].sigma_p * torch.randn(n, d, generator=generator, dtype=torch.float64)
        kept = setting.noise_signal_correlation
        noise = reference.project_out(noise, [axes[0], axes[1 + k]], kept)
        right = 1 - 2 * (torch.rand(n, generator=generator) < flipped).double()
        return reference.Samples(right * drawn.labels, drawn.first, noise)

    def trained(network, k):
        samples, task = data[k], tasks[k]
        pulls = setting.weight_decay, (0, setting.l2_sp)[k]  # towards 0 and towards the start
        end, losses = reference.train(network, samples, task.eta, task.steps, *pulls)
        accuracies = [reference.accuracy(which, tests[k]) for which in (network, end)]
        return end, [losses[0], losses[-1], *accuracies]

    data = [samples(k, tasks[k].n, setting.label_noise) for k in (0, 1)]
    tests = [samples(k, test_samples, 0) for k in (0, 1)]
    start, fresh = (reference.draw_network(generator, t.m, d, setting.sigma_0) for t in tasks)
    end, upstream = trained(start, 0)
    _, scratch = trained(fresh, 1)
    _, inherited = trained(reference.inherit(end, fresh, setting.inherited_filters), 1)
    return [upstream, scratch, inherited]


LAWS = {
    "generic": a_setting(d=40),
    "more samples than dimensions": a_setting(d=8, upstream={"n": 60}, downstream={"n": 50}),
    "smallest": a_setting(d=3, m=1, alpha=1, upstream={"n": 1, "m": 1}, downstream={"n": 1}),
    "noise along the signal": a_setting(
        {"sigma_p": 2.0}, {"sigma_p": 2.0}, d=4, noise_signal_correlation=0.8
    ),
    "beyond the paper": a_setting(
        d=40, noise_signal_correlation=0.6, label_noise=0.2, weight_decay=0.4, l2_sp=0.6
    ),
}


@pytest.mark.parametrize("law", LAWS)
def test_the_simulator_has_the_law_of_the_naive_program(law):
    setting = LAWS[law]
    slow = np.array([naive(setting, seed) for seed in range(120)])  # [seed, run, 4]
    fast = simulate(setting, 2000, test_draws=50).isel(setting=0)
    for k, run in enumerate(fast["run"].values):
        for step in (0, -1):
            cell = fast.sel(run=run).isel(step=step)
            assert ks_2samp(cell["train_loss"], slow[:, k, step % 2]).pvalue > 1e-3
            one, other = cell["test_accuracy"].values, slow[:, k, 2 + step % 2]
            error = math.sqrt(one.var() / len(one) + other.var(ddof=1) / len(other))
            assert abs(one.mean() - other.mean()) <= 4 * error


def test_coordinates_are_ds_where_samples_are_many():
    many = a_setting(d=8, upstream={"n": 80})
    assert simulate(many, 1)["coordinates"].values.tolist() == [["d", "span", "span"]]
    assert (simulate(a_setting(), 1)["coordinates"] == "span").all()


# --- laws -----------------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=8)
@given(st.floats(0.05, 20), st.floats(0.2, 3), st.floats(0.1, 1))
def test_signal_and_noise_in_another_unit_change_nothing(c, u_norm, sigma_p):
    def in_unit(c):
        scales = {"eta": 0.5 / c**2, "sigma_0": 1e-3 / c}
        scales |= {"weight_decay": 0.1 * c**2, "l2_sp": 0.3 * c**2}
        upstream = {"v_norm": 1.7 * c, "sigma_p": sigma_p * c, "eta": 0.7 / c**2}
        downstream = {"v_norm": 1.3 * c, "sigma_p": 1.1 * c}
        return a_setting(upstream, downstream, u_norm=u_norm * c, **scales, label_noise=0.1)

    found = simulate([in_unit(1), in_unit(c)], 5, dtype="float64", record_steps=[2, 5])
    for name in [*NUMBERS, *STATISTICS]:  # the coefficients are <w, u>: pure numbers
        np.testing.assert_allclose(found[name][0], found[name][1], rtol=1e-9, atol=1e-12)


def test_without_a_signal_there_is_nothing_to_learn():
    nothing = a_setting(u_norm=0, upstream={"v_norm": 0}, downstream={"v_norm": 0})
    found = simulate(nothing, 20)
    assert (abs(found["test_accuracy"] - 0.5) <= 4 * found["test_accuracy_error"]).all()
    assert (found["train_accuracy"].isel(step=-1) > 0.9).mean() > 0.9  # memorised


def test_without_a_universal_signal_nothing_is_known_beforehand():
    found = simulate(a_setting(u_norm=0), 300)["test_accuracy"].isel(setting=0)
    assert sigmas(found.sel(run="inherited").isel(step=0).values, 0.5) < 4
    assert found.sel(run="upstream").isel(step=-1).mean() > 0.7


def test_the_two_labels_are_alike():
    found = simulate(a_setting(), 300).isel(setting=0, step=-1).sel(run="inherited")
    found = found.sel(statistic="mean")
    assert sigmas(found["universal"].sum("sign").values) < 4
    for task in ["upstream", "downstream"]:
        assert sigmas(found["specific"].sel(task=task).sum("sign").values) < 4
        memories = found["noise"].sel(task=task)
        assert sigmas((memories.sel(sign=1) - memories.sel(sign=-1)).dropna("seed").values) < 4


def test_half_of_the_labels_flipped_leave_nothing_to_learn():
    pair = Grid(base=a_setting(), axes={"label_noise": [0, 0.5]})
    found = simulate(pair, 400)["test_accuracy"].isel(step=-1)
    for run in ["upstream", "scratch", "inherited"]:
        clean, noisy = found.sel(run=run).values
        assert sigmas(noisy, 0.5) < 4
        assert clean.mean() > 0.65


def test_the_standard_error_of_accuracy_is_honest():
    setting = a_setting(m=3, d=200, downstream={"n": 20}, steps=20)
    rough, fine = (simulate(setting, 400, test_draws=draws) for draws in (500, 20_000))
    assert rough["train_loss"].equals(fine["train_loss"])  # the same networks
    for run, error in last(rough, "test_accuracy_error").items():
        error = np.hypot(error, last(fine, "test_accuracy_error")[run])
        z = (last(rough)[run] - last(fine)[run]) / error
        assert sigmas(z) < 4
        assert abs(z.std() - 1) < 0.15  # four times the 0.036 that 400 draws leave
        assert abs((abs(z) < 1.96).mean() - 0.95) < 0.045


def test_single_and_double_precision_agree_in_the_mean():
    single, double = (last(simulate(a_setting(), 200, dtype=t)) for t in ("float32", "float64"))
    for run in single:
        assert abs(single[run].mean() - double[run].mean()) < 1e-3


def test_a_pull_to_the_start_acts_downstream_and_keeps_what_was_inherited():
    pulls = Grid(base=a_setting(steps=60, weight_decay=0.02), axes={"l2_sp": [0, 0.2, 1.9]})
    found = simulate(pulls, 50).isel(step=-1)
    for name in [*NUMBERS, *STATISTICS]:
        upstream = found[name].sel(run="upstream")
        np.testing.assert_array_equal(upstream[1:], upstream[[0, 0]])
    mean = found.sel(statistic="mean", sign=1)
    known = mean["specific"].sel(run="inherited", task="upstream").values  # and never learned again
    # after n steps decay leaves (1 - eta wd)^n of it, and the pull keep^n + (1 - keep^n) l2_sp /
    # (weight_decay + l2_sp), where keep = 1 - eta (weight_decay + l2_sp)
    left = [0.99**60, 0.89**60 + (1 - 0.89**60) / 1.1, 0.04**60 + (1 - 0.04**60) * 1.9 / 1.92]
    for k in (1, 2):
        np.testing.assert_allclose(known[k] / known[0], left[k] / left[0], rtol=1e-5)
    memorised = mean["noise"].sel(run="scratch", task="downstream").dropna("seed").values
    assert sigmas(memorised[0] - memorised[1]) > 4
    assert sigmas(memorised[1] - memorised[2]) > 4
    assert (np.diff(memorised.mean(1)) < 0).all()


def test_signals_are_learned_in_proportion_to_their_squared_norms_and_kept_alike():
    # what is learned of task k is a multiple of u + v_k, and is kept or forgotten as one
    pulls = Grid(base=a_setting(), axes={"weight_decay": [0, 0.3], "l2_sp": [0, 0.4]})
    found = simulate(pulls, 4, coefficients=True, dtype="float64", record_steps=[2, 5])
    shares = found["specific_coefficient"] / xr.DataArray([1.7**2, 1.3**2], dims="task")
    expected = shares.sum("task", skipna=False)
    np.testing.assert_allclose(found["universal_coefficient"] / 1.5**2, expected, rtol=1e-9)


def test_selected_filters_know_more_and_of_all_filters_every_rule_takes_all():
    rules = ["random", "selected", "active"]
    some = simulate(Grid(base=a_setting(), axes={"inherit": rules}), 300)
    zero_shot = some["test_accuracy"].sel(run="inherited").isel(step=0).values
    assert sigmas(zero_shot[1] - zero_shot[0]) > 4
    assert (zero_shot[1] - zero_shot[0]).mean() > 0
    assert (some["inherited_filters"] == a_setting().inherited_filters).sel(setting=[0, 1]).all()
    every = a_setting(alpha=1, upstream={"m": 4}, active_threshold=0)
    losses = simulate(Grid(base=every, axes={"inherit": rules}), 9, dtype="float64")["train_loss"]
    for rule in (1, 2):
        np.testing.assert_allclose(losses[rule], losses[0], rtol=1e-9)
