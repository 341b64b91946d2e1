"""Channels drawn at random without replacement, by the option seed (the paper's Algorithm 1)."""

import numpy as np

from legatee.surgery.planning.rules import Rule


def _choose(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    return sorted(rng.choice(available, wanted, replace=False).tolist())


RULE = Rule(choose=_choose, draws=True)
