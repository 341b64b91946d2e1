"""Channels that are evenly spaced (weight selection, Xu et al. 2024)."""

import numpy as np

from legatee.surgery.planning.rules import Rule


def _choose(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    from legatee.surgery.planning.select import evenly

    return evenly(available, wanted)


RULE = Rule(choose=_choose)
