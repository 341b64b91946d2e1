"""The model world as one writes it first: d coordinates, autograd, one run at a time.

Slow and obvious. It shares nothing with the simulator but the words. Its draws can be given, so
that the two can be held to the same numbers, or made here, so that they can be compared in law.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus


@dataclass
class Network:
    """F_{+1} - F_{-1}: m filters of each sign, second layer fixed."""

    positive: Tensor  # [m, d]
    negative: Tensor

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Return f for two patches each [N, d]."""
        outputs = []
        for filters in (self.positive, self.negative):
            outputs.append((relu(first @ filters.T) + relu(second @ filters.T)).mean(1))
        return outputs[0] - outputs[1]


def relu(x: Tensor) -> Tensor:
    """relu with relu'(0) = 0, as torch's."""
    return torch.relu(x)


@dataclass
class Samples:
    """Training or test samples of one task."""

    labels: Tensor  # [N]
    first: Tensor  # signal patches, sign times (u + v_k) [N, d]
    second: Tensor  # noise patches [N, d]


def directions(d: int) -> Tensor:
    """Unit vectors along u, v1 and v2 [3, d]."""
    return torch.eye(3, d, dtype=torch.float64)


def project_out(noise: Tensor, axes: list[Tensor], keep: float = 0.0) -> Tensor:
    """Remove what noise has along unit vectors, but for a share of it."""
    for axis in axes:
        noise = noise - (1 - keep) * (noise @ axis)[:, None] * axis
    return noise


def train(
    network: Network,
    samples: Samples,
    eta: float,
    steps: int,
    decay: float = 0.0,
    l2_sp: float = 0.0,
):
    """Full-batch gradient descent on the logistic loss; returns the network and all losses."""
    losses = []
    starts = [network.positive, network.negative]
    filters = [start.clone() for start in starts]
    for step in range(steps + 1):
        filters = [w.detach().requires_grad_() for w in filters]
        margins = samples.labels * Network(*filters)(samples.first, samples.second)
        loss = softplus(-margins).mean()
        losses.append(loss.item())
        if step == steps:
            break
        gradients = torch.autograd.grad(loss, filters)
        filters = [
            w - eta * (g + decay * w + l2_sp * (w - start))
            for w, g, start in zip(filters, gradients, starts, strict=True)
        ]
    return Network(*(w.detach() for w in filters)), losses


def accuracy(network: Network, samples: Samples) -> float:
    """Share of samples on the right side; an output of 0 counts as half."""
    margins = samples.labels * network(samples.first, samples.second)
    return ((margins.sign() + 1) / 2).mean().item()


def inherit(upstream: Network, fresh: Network, count: int) -> Network:
    """Algorithm 1: copy the first filters of each sign, which are as good as random ones."""
    return Network(
        torch.cat([upstream.positive[:count], fresh.positive[count:]]),
        torch.cat([upstream.negative[:count], fresh.negative[count:]]),
    )


def draw_samples(generator, n: int, d: int, u_norm: float, task, index: int) -> Samples:
    """n fresh samples of task 1 or 2 (index 0 or 1), Definition 3.1 and 3.2 word for word."""
    axes = directions(d)
    labels = torch.randint(0, 2, (n,), generator=generator).double() * 2 - 1
    signal = u_norm * axes[0] + task.v_norm * axes[1 + index]
    noise = task.sigma_p * torch.randn(n, d, generator=generator, dtype=torch.float64)
    noise = project_out(noise, [axes[0], axes[1 + index]])
    return Samples(labels, labels[:, None] * signal, noise)


def draw_network(generator, m: int, d: int, sigma_0: float) -> Network:
    """A network with Gaussian filters."""
    filters = sigma_0 * torch.randn(2, m, d, generator=generator, dtype=torch.float64)
    return Network(filters[0], filters[1])


def run(setting, seed: int, test_samples: int) -> dict[str, float]:
    """The whole experiment in d dimensions: test accuracies by name."""
    generator = torch.Generator().manual_seed(seed)
    tasks, d = setting.resolved, setting.d
    samples = [
        draw_samples(generator, task.n, d, setting.u_norm, task, k) for k, task in enumerate(tasks)
    ]
    start, fresh = (draw_network(generator, task.m, d, setting.sigma_0) for task in tasks)
    upstream, _ = train(start, samples[0], tasks[0].eta, tasks[0].steps)
    zero_shot = inherit(upstream, fresh, setting.inherited_filters)
    scratch, _ = train(fresh, samples[1], tasks[1].eta, tasks[1].steps)
    inherited, _ = train(zero_shot, samples[1], tasks[1].eta, tasks[1].steps)
    tests = [
        draw_samples(generator, test_samples, d, setting.u_norm, task, k)
        for k, task in enumerate(tasks)
    ]
    return {
        "upstream": accuracy(upstream, tests[0]),
        "scratch": accuracy(scratch, tests[1]),
        "zero_shot": accuracy(zero_shot, tests[1]),
        "inherited": accuracy(inherited, tests[1]),
    }
