"""Selection among numbered things: evenly spaced ones, and those with the highest scores."""

import numpy as np
import torch


def evenly(available: int, wanted: int) -> list[int]:
    """Select evenly: a stride where it divides, else rounded steps (weight selection, Xu 2024).

    Args:
        available: How many there are [count].
        wanted: How many to select [count].

    Returns:
        Positions, ascending [wanted].

    Example:
        >>> evenly(8, 4), evenly(7, 3)
        ([0, 2, 4, 6], [0, 3, 6])
    """
    if available % wanted == 0:
        return list(range(0, available, available // wanted))
    return torch.linspace(0, available - 1, wanted).round().long().tolist()


def highest(scores: np.ndarray, wanted: int) -> list[int]:
    """Select those with the highest scores; of equal ones those that come first.

    Args:
        scores: A score of each; NaN for one that must not be selected [available].
        wanted: How many to select [count].

    Returns:
        Positions, ascending [wanted]; fewer where too few have a score.

    Example:
        >>> highest(np.array([1.0, 9.0, 3.0, np.nan]), 2)
        [1, 2]
    """
    ranked = np.argsort(-scores, kind="stable")  # NaN come last
    count = min(wanted, int((~np.isnan(scores)).sum()))
    return sorted(ranked[:count].tolist())
