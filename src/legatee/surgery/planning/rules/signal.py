"""Channels whose class means differ most against their noise (needs labels: from Python)."""

from typing import TYPE_CHECKING, Any

from legatee.plans.options import PlanOptions
from legatee.surgery.planning.rules import Rule, Scores

if TYPE_CHECKING:
    from legatee.surgery.network.network import Network


def _scores(source: "Network", options: PlanOptions, data: Any) -> Scores:
    from legatee.surgery.planning.evidence import measure

    return [None if seen is None else seen.signal for seen in measure(source, data, classes=True)]


RULE = Rule(scores=_scores, needs="labels")
