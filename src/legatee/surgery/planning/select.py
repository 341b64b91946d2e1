"""Selection rules: which channels of a source group a target group inherits."""

from collections.abc import Callable

import numpy as np
import torch

from legatee.errors import UnknownNameError

Rule = Callable[[int, int, np.random.Generator], list[int]]
SCORED = ("largest", "active", "signal")  # rules that rank channels by what evidence says of them


def select(
    rule: str,
    available: int,
    wanted: int,
    rng: np.random.Generator,
    scores: np.ndarray | None = None,
) -> list[int]:
    """Pick channels of one group.

    Args:
        rule: ``"uniform"`` (evenly spread), ``"first"``, ``"random"`` (the paper's Algorithm 1), or
            one that ranks by scores: ``"largest"``, ``"active"``, ``"signal"``.
        available: Channels of the source group [count].
        wanted: Channels to pick, at most ``available`` [count].
        rng: Where ``"random"`` draws from.
        scores: Of each channel, for the rules that rank; NaN for one that must not be picked
            [available].

    Returns:
        Positions in the source group, ascending [wanted]; fewer where too few may be picked.

    Raises:
        UnknownNameError: If there is no such rule.

    Example:
        >>> select("uniform", 6, 3, np.random.default_rng(0))
        [0, 2, 4]
        >>> select("largest", 4, 2, np.random.default_rng(0), np.array([1.0, 9.0, 3.0, 2.0]))
        [1, 2]
    """
    if rule in SCORED and scores is not None:
        ranked = np.argsort(-scores, kind="stable")  # NaN come last
        best = ranked[: min(wanted, int(np.isfinite(scores).sum()))]
        return sorted(best.tolist())
    if rule not in RULES:
        raise UnknownNameError("selection rule", rule, (*RULES, *SCORED))
    return RULES[rule](available, wanted, rng)


def evenly(available: int, wanted: int) -> list[int]:
    """Spread evenly: a stride where it divides, else rounded steps (weight selection, Xu 2024).

    Args:
        available: How many there are [count].
        wanted: How many to take [count].

    Returns:
        Positions, ascending [wanted].

    Example:
        >>> evenly(8, 4), evenly(7, 3)
        ([0, 2, 4, 6], [0, 3, 6])
    """
    if available % wanted == 0:
        return list(range(0, available, available // wanted))
    return torch.linspace(0, available - 1, wanted).round().long().tolist()


def _first(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """Take the leading channels."""
    return list(range(wanted))


def _random(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """Draw without replacement."""
    return sorted(rng.choice(available, wanted, replace=False).tolist())


RULES: dict[str, Rule] = {
    "uniform": lambda available, wanted, rng: evenly(available, wanted),
    "first": _first,
    "random": _random,
}
