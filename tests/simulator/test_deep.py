"""Deeper networks: with two layers the simulator, with more the program one writes first."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import reference
from legatee import Grid, LegateeError, Setting, Task, simulate
from legatee.simulator.batch import How, World
from legatee.simulator.deep import simulate_deep

GENERIC = Setting(
    d=40,
    m=4,
    u_norm=1.5,
    upstream=Task(n=12, v_norm=1.7, sigma_p=0.8, m=6, steps=30, eta=0.7),
    downstream=Task(n=8, v_norm=1.3, sigma_p=1.1),
    alpha=0.4,
    eta=0.5,
    sigma_0=1e-3,
    steps=40,
)
MEASURED = ["train_loss", "test_accuracy", "test_accuracy_error"]


@pytest.mark.parametrize(
    "changes",
    [{}, {"d": 9}, {"label_noise": 0.2, "weight_decay": 0.1, "l2_sp": 0.2}],
    ids=str,
)
def test_with_two_layers_it_is_the_simulator_run_by_run(changes):
    setting = replace(GENERIC, noise_signal_correlation=0.3, **changes)
    deep = simulate_deep(setting, 6, layers=2, dtype="float64")
    shallow = simulate(setting, 6, dtype="float64")
    for name in MEASURED:
        np.testing.assert_allclose(deep[name], shallow[name], rtol=1e-9)
    assert deep["status"].equals(shallow["status"].drop_vars("coordinates"))


# --- against the program one writes first ---------------------------------------------------------


class Naive(nn.Module):
    """A CNN over two patches: convolutions without bias, sums over patches, fixed outputs."""

    def __init__(self, d, m, layers):
        super().__init__()
        self.first = nn.Linear(d, 2 * m, bias=False)
        self.upper = nn.ModuleList(nn.Linear(2 * m, 2 * m, bias=False) for _ in range(layers - 2))

    def forward(self, first, second):
        pooled = 0
        for patch in (first, second):
            features = self.first(patch).relu()
            for layer in self.upper:
                features = layer(features).relu()
            pooled = pooled + features
        positive, negative = pooled.chunk(2, dim=1)
        return positive.mean(1) - negative.mean(1)


def trained(network, samples, eta, steps, decay):
    """The trained network, its first and its last loss."""
    optimizer, losses = torch.optim.SGD(network.parameters(), eta, weight_decay=decay), []
    for step in range(steps + 1):
        outputs = network(samples.first, samples.second)
        loss = nn.functional.soft_margin_loss(outputs, samples.labels)
        losses.append(loss.item())
        if step < steps:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network, [losses[0], losses[-1]]


def passed_on(upstream, fresh, count):
    """Write the first features of each half of every layer, and what joins them, into fresh."""
    m, there = len(fresh.first.weight) // 2, len(upstream.first.weight) // 2
    with torch.no_grad():
        for half in (0, 1):
            for r in range(count):
                to, source = half * m + r, half * there + r
                fresh.first.weight[to] = upstream.first.weight[source]
                for mine, theirs in zip(fresh.upper, upstream.upper, strict=True):
                    for other in (0, 1):
                        for k in range(count):
                            value = theirs.weight[source, other * there + k]
                            mine.weight[to, other * m + k] = value
    return fresh


class SameDraws:
    """One run in d dimensions: the draws of the product along random directions of these."""

    def __init__(self, setting, seed, layers):
        how = How(
            device=torch.device("cpu"),
            dtype=torch.float64,
            record_steps=(),
            test_draws=2,
            coefficients=None,
        )
        self.setting, self.world = setting, World([(setting, seed)], how)
        self.random = torch.Generator().manual_seed(seed)
        square = self.normal(setting.d, self.world.kept)
        self.directions = torch.linalg.qr(square)[0]
        self.networks = [self.network(k, seed, layers) for k in (0, 1)]

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.random, dtype=torch.float64)

    def network(self, k, seed, layers):
        """The start of the upstream network, and the fresh one downstream."""
        m = self.world.tasks[k].m
        network = Naive(self.setting.d, m, layers).double()
        stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(7, k)))
        with torch.no_grad():
            network.first.weight.copy_(self.world.filters[k][0] @ self.directions.T)
            for layer in network.upper:  # He et al.: variance 2 / inputs
                layer.weight.copy_(torch.from_numpy(stream.normal(0, m**-0.5, (2 * m, 2 * m))))
        return network

    def samples(self, k):
        lesson = self.world.lessons[k]
        signal = lesson.signs[0][:, None] * (lesson.signal[0] @ self.directions.T)
        return reference.Samples(lesson.labels[0], signal, lesson.patches[0] @ self.directions.T)

    def tests(self, k, n=20_000):
        sigma_p, kept = self.world.tasks[k].sigma_p, self.setting.noise_signal_correlation
        labels = self.normal(n).sign()
        axes = [self.directions[:, 0], self.directions[:, 1 + k]]
        noise = reference.project_out(sigma_p * self.normal(n, self.setting.d), axes, kept)
        signal = self.world.lessons[k].signal[0] @ self.directions.T
        return reference.Samples(labels, labels[:, None] * signal, noise)

    def follow(self, network, k):
        """The trained network; losses and accuracies before and after."""
        before = reference.accuracy(network, self.tests(k))
        task, decay = self.world.tasks[k], self.setting.weight_decay
        network, losses = trained(network, self.samples(k), task.eta, task.steps, decay)
        return network, losses, [before, reference.accuracy(network, self.tests(k))]


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_it_is_the_naive_program_on_the_same_draws(layers):
    setting = replace(
        GENERIC, d=60, noise_signal_correlation=0.3, label_noise=0.1, weight_decay=0.05
    )
    for seed in (3, 4):
        deep = simulate_deep(setting, [seed], layers=layers, dtype="float64", test_draws=5000)
        deep, slow = deep.isel(setting=0, seed=0), SameDraws(setting, seed, layers)
        start, fresh = slow.networks
        upstream, *first = slow.follow(start, 0)
        inheriting = passed_on(upstream, deepcopy(fresh), setting.inherited_filters)
        runs = [first, slow.follow(fresh, 1)[1:], slow.follow(inheriting, 1)[1:]]
        losses, accuracies = np.array(runs).transpose(1, 0, 2)  # [run, step]
        np.testing.assert_allclose(deep["train_loss"], losses, rtol=1e-9)
        error = np.hypot(deep["test_accuracy_error"], 0.5 / math.sqrt(20_000))
        assert (abs(deep["test_accuracy"] - accuracies) < 4 * error).all()


# --- laws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_inheriting_nothing_is_training_from_scratch_bit_for_bit(layers):
    found = simulate_deep(replace(GENERIC, alpha=0), 5, layers=layers)
    for name in [*MEASURED, "status"]:
        np.testing.assert_array_equal(
            found[name].sel(run="inherited"), found[name].sel(run="scratch")
        )


def test_upstream_and_scratch_do_not_depend_on_alpha():
    found = simulate_deep(Grid(base=GENERIC, axes={"alpha": [0.4, 1]}), 5, layers=3)
    losses = found["train_loss"].isel(step=-1)
    for run in ["upstream", "scratch"]:
        np.testing.assert_array_equal(*losses.sel(run=run).values)
    assert (losses.sel(run="inherited")[0] != losses.sel(run="inherited")[1]).all()


def test_inheriting_everything_is_the_upstream_network_until_it_is_trained():
    # the noise keeps all it has along the signals, and these are one: the tasks are the same
    alike = {"v_norm": 0.0, "sigma_p": 0.9}
    setting = replace(
        GENERIC,
        alpha=1,
        upstream=Task(n=12, **alike),
        downstream=Task(n=8, **alike),
        noise_signal_correlation=1,
    )
    accuracy = simulate_deep(setting, 6, layers=4)["test_accuracy"].isel(setting=0)
    upstream = accuracy.sel(run="upstream").isel(step=-1)
    np.testing.assert_array_equal(accuracy.sel(run="inherited").isel(step=0), upstream)
    assert upstream.mean() > 0.7


def test_a_run_depends_on_nothing_but_its_setting_and_seed():
    pair = [GENERIC, replace(GENERIC, u_norm=0.3), replace(GENERIC, d=30, steps=20)]
    together = simulate_deep(pair, [5, 2, 9], layers=3)
    assert together.identical(simulate_deep(pair, [5, 2, 9], layers=3))
    alone = simulate_deep(GENERIC, [2], layers=3)
    for name in MEASURED:
        np.testing.assert_allclose(alone[name], together[name][:1, 1:2], rtol=1e-4)
    assert len(np.unique(together["train_loss"].isel(step=-1))) == 27


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_training_converges_at_the_small_start_of_the_paper(layers):
    small = replace(GENERIC, d=500, sigma_0=1e-5, m=10, eta=1.0, steps=100)
    small = replace(small, upstream=Task(n=100, v_norm=1.3, sigma_p=1.0))
    found = simulate_deep(small, 8, layers=layers)
    assert (found["status"] == "done").all()
    np.testing.assert_allclose(
        found["train_loss"].isel(step=0).sel(run=["upstream", "scratch"]), math.log(2), atol=1e-3
    )
    assert (found["train_loss"].isel(step=-1) < 0.05).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"layers": 1}, "layers"),
        ({"layers": 2.5}, "layers"),
        ({"layers": True}, "layers"),
        ({"layers": 3, "dtype": "float16"}, "dtype"),
        ({"layers": 3, "seeds": 0}, "seeds"),
        ({"layers": 3, "settings": []}, "setting"),
        ({"layers": 3, "settings": replace(GENERIC, inherit="selected")}, "inherit"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_refused_and_named(options, word):
    with pytest.raises(LegateeError, match=word):
        simulate_deep(**({"settings": GENERIC, "seeds": 1} | options))
