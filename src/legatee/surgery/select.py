"""Selection rules: which channels of a source group a target group inherits."""

from collections.abc import Callable

import numpy as np
import torch

from legatee.errors import UnknownName

Rule = Callable[[int, int, np.random.Generator], list[int]]


def select(rule: str, available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """Pick channels of one group.

    Args:
        rule: ``"uniform"`` (evenly spread), ``"first"`` or ``"random"`` (the paper's Algorithm 1).
        available: Channels of the source group [count].
        wanted: Channels to pick, at most ``available`` [count].
        rng: Where ``"random"`` draws from.

    Returns:
        Positions in the source group, ascending [wanted].

    Raises:
        UnknownName: If there is no such rule.

    Example:
        >>> select("uniform", 6, 3, np.random.default_rng(0))
        [0, 2, 4]
    """
    if rule not in RULES:
        raise UnknownName("selection rule", rule, RULES)
    return RULES[rule](available, wanted, rng)


def share(alpha: float, size: int) -> int:
    """Return how many of ``size`` channels are the share ``alpha``, halves rounded up.

    Args:
        alpha: Share asked for [fraction, 0..1].
        size: Channels there are [count].

    Returns:
        Channels to inherit [count].

    Example:
        >>> share(0.5, 7), share(0.5, 8)
        (4, 4)
    """
    return int(np.floor(alpha * size + 0.5))


def _uniform(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """Spread evenly: a stride where it divides, else rounded steps (weight selection, Xu 2024)."""
    if available % wanted == 0:
        return list(range(0, available, available // wanted))
    return torch.linspace(0, available - 1, wanted).round().long().tolist()


def _first(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """Take the leading channels."""
    return list(range(wanted))


def _random(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """Draw without replacement."""
    return sorted(rng.choice(available, wanted, replace=False).tolist())


RULES: dict[str, Rule] = {"uniform": _uniform, "first": _first, "random": _random}
