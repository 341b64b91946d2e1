"""Runs the span simulator and the naive program on the same draws; tests and benchmark share it."""

from dataclasses import replace

import torch
from torch import Tensor

import reference
from legatee.simulator import evaluate
from legatee.simulator.batch import How, World
from legatee.simulator.train import Descent
from legatee.world.setting import Setting
from legatee.world.task import Task

GENERIC = Setting(
    d=400,
    m=3,
    u_norm=1.3,
    upstream=Task(n=11, v_norm=1.7, sigma_p=0.9),
    downstream=Task(n=7, v_norm=0.8, sigma_p=1.4),
    alpha=0.5,
    eta=0.7,
    sigma_0=0.01,
    steps=200,
)
MANY = Task(n=60, v_norm=1.7, sigma_p=0.9, m=5)
CASES = {
    "generic": GENERIC,
    "several blocks of samples": replace(GENERIC, upstream=replace(GENERIC.upstream, n=150)),
    "d coordinates": replace(GENERIC, d=20),
    "more samples than dimensions": replace(GENERIC, d=12, upstream=MANY),
    "own m, eta, steps": replace(
        GENERIC, upstream=Task(n=13, v_norm=1.1, sigma_p=0.7, m=5, eta=0.4, steps=150)
    ),
    "correlated noise": replace(GENERIC, noise_signal_correlation=0.4),
    "label noise": replace(GENERIC, label_noise=0.2),
    "weight decay": replace(GENERIC, weight_decay=0.05),
    "pull towards the start": replace(GENERIC, l2_sp=0.3),
    "pull and decay": replace(GENERIC, l2_sp=0.3, weight_decay=0.05),
    "all of these": replace(
        GENERIC,
        d=12,
        upstream=MANY,
        noise_signal_correlation=0.4,
        label_noise=0.2,
        weight_decay=0.05,
        l2_sp=0.3,
    ),
    "selected": replace(GENERIC, inherit="selected"),
    "active": replace(GENERIC, inherit="active"),
}


def largest_differences(setting: Setting, seed: int = 3, *, compiled: bool = True) -> list[float]:
    """Return, for upstream, scratch and inherited, those of the weights and of all losses."""
    how = How(
        device=torch.device("cpu"),
        dtype=torch.float64,
        record_steps=(),
        test_draws=2,
        coefficients=None,
    )
    world = World([(setting, seed)], how)
    # The kept coordinates as coordinates along random orthonormal directions of d dimensions.
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(setting.d, world.kept, generator=generator, dtype=torch.float64)
    directions = torch.linalg.qr(square)[0]
    found = []
    upstream, differences = _both(world, 0, world.filters[0], directions, compiled)
    found += differences
    found += _both(world, 1, world.filters[1], directions, compiled)[1]
    start = world.heirs(upstream).take(upstream, world.filters[1])
    return found + _both(world, 1, start, directions, compiled)[1]


def _both(
    world: World, task: int, start: Tensor, directions: Tensor, compiled: bool
) -> tuple[Tensor, list[float]]:
    """Train one network both ways; return our weights, and how they and the losses differ."""
    lesson, steps = world.lessons[task], world.tasks[task].steps
    descent, losses = Descent(lesson, start), []
    descent.compiled = compiled
    for step in range(steps + 1):
        if step:
            descent.advance(1)
        losses.append(evaluate.train_loss(descent).item())
    samples = reference.Samples(
        lesson.labels[0],
        lesson.signs[0][:, None] * (lesson.signal[0] @ directions.T),
        lesson.patches[0] @ directions.T,
    )
    halves = (start[0] @ directions.T).chunk(2)
    setting = world.settings[0]
    network, slow = reference.train(
        reference.Network(*halves),
        samples,
        world.tasks[task].eta,
        steps,
        setting.weight_decay,
        (0, setting.l2_sp)[task],
    )
    theirs = torch.cat([network.positive, network.negative]) @ directions
    ours = descent.weights
    weights = ((ours[0] - theirs).norm() / theirs.norm()).item()
    return ours, [weights, max(abs(a - b) / b for a, b in zip(losses, slow, strict=True))]
