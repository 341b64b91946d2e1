"""Plans as a person would edit them: the JSON without its digest, or one option changed."""

import json
from typing import Any

from legatee.plans.plan import TransferPlan


def editable(plan: TransferPlan) -> dict[str, Any]:
    """Return what the text of a plan says; a plan without a digest is read as it is."""
    document = json.loads(plan.to_json())
    del document["digest"]
    return document


def with_options(plan: TransferPlan, **options: Any) -> TransferPlan:
    """Return a plan that says that it was asked for something else."""
    return plan.model_copy(update={"options": plan.options.model_copy(update=options)})
