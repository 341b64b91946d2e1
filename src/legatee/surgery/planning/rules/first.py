"""The first channels of each group."""

import numpy as np

from legatee.surgery.planning.rules import Rule


def _choose(available: int, wanted: int, rng: np.random.Generator) -> range:
    return range(wanted)


RULE = Rule(choose=_choose)
