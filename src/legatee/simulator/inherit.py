"""Which filters of the upstream network the downstream network starts with (Algorithm 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from legatee.simulator.train import Lesson


@dataclass(frozen=True, kw_only=True)
class Heirs:
    """Where each filter of a batch of inheriting networks comes from.

    Attributes:
        source: Its number in the upstream network; anything where it is fresh ``[S, R]``.
        inherited: Whether it is inherited rather than drawn anew ``[S, R]``.
    """

    source: Tensor
    inherited: Tensor

    def take(self, upstream: Tensor, fresh: Tensor | None = None) -> Tensor:
        """Put together what these filters have from what their sources have.

        Args:
            upstream: What each upstream filter has ``[S, R1, ...]``.
            fresh: What each fresh filter has ``[S, R, ...]``, 0 if ``None``.

        Returns:
            What each filter of the inheriting networks has ``[S, R, ...]``.
        """
        shape = (*self.source.shape, *(1,) * (upstream.ndim - 2))
        index = self.source.reshape(shape).expand(*self.source.shape, *upstream.shape[2:])
        taken = upstream.gather(1, index)
        rest = torch.zeros_like(taken) if fresh is None else fresh
        return torch.where(self.inherited.reshape(shape), taken, rest)


def random_heirs(upstream: Tensor, lesson: Lesson, count: int) -> Heirs:
    """Inherit the first filters of each sign; upstream filters are exchangeable.

    Args:
        upstream: The upstream networks' filters ``[S, R1, D]``.
        lesson: What the inheriting networks will be trained on.
        count: Filters of each sign to inherit.

    Returns:
        Where each filter comes from.
    """
    return _highest(torch.zeros(upstream.shape[:2], device=upstream.device), lesson, count)


def selected_heirs(upstream: Tensor, lesson: Lesson, count: int, scale: Tensor) -> Heirs:
    """Inherit the filters with the most universal signal for the noise they see downstream (ours).

    Args:
        upstream: The upstream networks' filters ``[S, R1, D]``.
        lesson: What the inheriting networks will be trained on.
        count: Filters of each sign to inherit.
        scale: Standard deviation of the downstream noise along each coordinate ``[S, D]``.

    Returns:
        Where each filter comes from.
    """
    universal = _by_sign(upstream[..., 0] * lesson.signal[:, :1])
    universal = torch.cat([universal[:, 0], -universal[:, 1]], 1)
    return _highest(universal / (upstream * scale[:, None]).norm(dim=-1), lesson, count)


def active_heirs(upstream: Tensor, lesson: Lesson, count: int, threshold: Tensor) -> Heirs:
    """Inherit the filters that are active on the most downstream samples (the authors' rule).

    A filter is active on a sample if either patch excites it; one that is active on less than the
    threshold is drawn anew, even if fewer than ``count`` remain.

    Args:
        upstream: The upstream networks' filters ``[S, R1, D]``.
        lesson: What the inheriting networks will be trained on.
        count: Filters of each sign to inherit, at most.
        threshold: Share of the training samples ``[S]``.

    Returns:
        Where each filter comes from.
    """
    by_noise = upstream @ lesson.patches.mT > 0
    by_signal = (upstream @ lesson.signal[..., None]) * lesson.signs[:, None] > 0
    share = (by_noise | by_signal).double().mean(-1)
    heirs = _highest(share, lesson, count)
    enough = share.gather(1, heirs.source) >= threshold[:, None]
    return Heirs(source=heirs.source, inherited=heirs.inherited & enough)


def _highest(scores: Tensor, lesson: Lesson, count: int) -> Heirs:
    """Let the filters with the highest scores of each sign come first, the fresh ones last."""
    runs, there = len(scores), scores.shape[1] // 2
    best = _by_sign(scores).argsort(dim=-1, descending=True, stable=True)[..., :count]
    source = torch.zeros(runs, 2, lesson.filters // 2, dtype=torch.int64, device=scores.device)
    inherited = torch.zeros_like(source, dtype=torch.bool)
    source[..., :count] = best + there * torch.arange(2, device=scores.device)[:, None]
    inherited[..., :count] = True
    return Heirs(source=source.flatten(1), inherited=inherited.flatten(1))


def _by_sign(filters: Tensor) -> Tensor:
    """Tell the signs apart: [S, R] to [S, 2, R / 2]."""
    return filters.unflatten(1, (2, -1))
