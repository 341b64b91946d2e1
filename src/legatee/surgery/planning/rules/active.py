"""Channels above zero on most of the data, by the option threshold (needs data: from Python)."""

from typing import TYPE_CHECKING, Any

import numpy as np

from legatee.plans.options import PlanOptions
from legatee.surgery.planning.rules import Rule, Scores

if TYPE_CHECKING:
    from legatee.surgery.network.network import Network


def _scores(source: "Network", options: PlanOptions, data: Any) -> Scores:
    """Score channels by their share of active examples; NaN below the threshold."""
    from legatee.surgery.planning.evidence import measure

    return [
        None if seen is None else np.where(seen.active >= options.threshold, seen.active, np.nan)
        for seen in measure(source, data)
    ]


RULE = Rule(scores=_scores, needs="data")
