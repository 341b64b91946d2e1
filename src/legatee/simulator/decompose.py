"""What filters have learned: the signal-noise decomposition of their weights.

A filter is what is left of its start, plus ``universal * u/|u|^2``, plus for each task k that it
was trained on ``specific * v_k/|v_k|^2``, and ``noise_i * xi_i/|xi_i|^2`` for each of its samples.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from legatee.simulator.inherit import Heirs
from legatee.simulator.train import Descent


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """What a batch of networks has learned; pairs are (upstream, downstream).

    Attributes:
        universal: Coefficients on u ``[S, R]``.
        specific: Coefficients on v_k ``[S, R]``.
        noise: Coefficients on the noise patches of task k ``[S, R, N_k]``.
    """

    universal: Tensor
    specific: tuple[Tensor, Tensor]
    noise: tuple[Tensor, Tensor]

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """All of them, one after another."""
        return (self.universal, *self.specific, *self.noise)


def nothing(
    runs: int, filters: int, samples: tuple[int, int], device: torch.device
) -> Coefficients:
    """Return the coefficients of networks that have learned nothing yet.

    Args:
        runs: ``S`` [count].
        filters: Filters of both signs ``R`` [count].
        samples: Training samples of each task [count].
        device: Where they shall lie.

    Returns:
        Zeros.
    """
    none = torch.zeros(runs, filters, dtype=torch.float64, device=device)
    noise = tuple(none.new_zeros(runs, filters, n) for n in samples)
    return Coefficients(universal=none, specific=(none, none), noise=(noise[0], noise[1]))


def decompose(
    descent: Descent, task: int, norms: tuple[Tensor, Tensor], before: Coefficients
) -> Coefficients:
    """Return what networks have learned so far.

    Args:
        descent: The networks.
        task: The task that they are trained on, 0 upstream or 1 downstream.
        norms: Norms of u and of the task's v_k ``[S]``.
        before: What they had learned when this training began.

    Returns:
        The coefficients.
    """
    learned = descent.c.double()
    left = descent.kept[:, None]
    specific = [left * part for part in before.specific]
    noise = [left[..., None] * part for part in before.noise]
    specific[task] = specific[task] + learned * norms[1].square()[:, None]
    noise[task] = noise[task] + descent.C.double() * descent.lesson.squared_norms[:, None]
    return Coefficients(
        universal=left * before.universal + learned * norms[0].square()[:, None],
        specific=(specific[0], specific[1]),
        noise=(noise[0], noise[1]),
    )


def hand_on(upstream: Coefficients, heirs: Heirs) -> Coefficients:
    """Return what inheriting networks know before they are trained.

    Args:
        upstream: What the upstream networks have learned.
        heirs: Which filters are inherited.

    Returns:
        Coefficients of the inheriting networks; fresh filters have none.
    """
    universal, first, second, noise, more = (heirs.take(part) for part in upstream.parts)
    return Coefficients(universal=universal, specific=(first, second), noise=(noise, more))


def over_filters(values: Tensor) -> Tensor:
    """Return mean and spread over the filters of each sign.

    Args:
        values: One for each filter, those of the positive sign first ``[S, R]``.

    Returns:
        Mean and standard deviation ``[S, sign, 2]``; the latter is 0 for one filter.
    """
    each = values.unflatten(1, (2, -1))
    return torch.stack([each.mean(-1), each.std(-1, correction=0)], -1)


def own_samples(noise: Tensor, labels: Tensor) -> Tensor:
    """Return how much each filter has memorised of the samples of its own sign, on average.

    Args:
        noise: Noise coefficients ``[S, R, N]``.
        labels: Labels, -1 or 1 ``[S, N]``.

    Returns:
        Mean noise coefficient ``[S, R]``; NaN where no sample has the sign.
    """
    own = torch.stack([labels > 0, labels < 0], 1).to(noise.dtype)
    each = noise.unflatten(1, (2, -1))
    total = (each * own[:, :, None]).sum(-1) / own.sum(-1)[..., None]
    return total.flatten(1)
