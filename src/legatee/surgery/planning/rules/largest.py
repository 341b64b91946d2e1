"""Channels with the largest Euclidean norm of the weights that compute them."""

from typing import TYPE_CHECKING

import numpy as np

from legatee.plans.options import PlanOptions
from legatee.surgery.planning.rules import Rule, Scores

if TYPE_CHECKING:
    from legatee.surgery.network.network import Network


def _scores(source: "Network", options: PlanOptions, data: object) -> Scores:
    """Score channels by the weights that compute them; without such weights, by all of them."""
    catalog, scores = source.catalog, []
    for group in catalog.groups:
        matrices = [m for m in group.members if len(catalog.tensors[m[0]].shape) > 1]
        outputs = [m for m in matrices if m[1] == catalog.tensors[m[0]].output_axis]
        makers = outputs or matrices or list(group.members)
        squares = np.zeros(group.size)
        for name, axis in makers:
            weight = source.state[name].detach().double()
            others = [i for i in range(weight.ndim) if i != axis]
            along = weight.square().sum(others) if others else weight.square()
            squares += along.cpu().numpy()[group.members[name, axis]].sum(1)
        scores.append(np.sqrt(squares))
    return scores


RULE = Rule(scores=_scores, needs="weights")
