"""legatee: partial parameter transfer, with an answer to whether it helps.

The public names are handed on lazily: asking for ``legatee.TransferPlan`` must not import torch.

Example:
    >>> import legatee
    >>> legatee.TransferPlan.__module__
    'legatee.plans.plan'
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from legatee.advice import Advice, Verdict
    from legatee.advisor.advise import advise
    from legatee.advisor.arms import Arm
    from legatee.advisor.options import AdviseOptions
    from legatee.data.examples import Examples
    from legatee.data.load import load_data
    from legatee.errors import LegateeError
    from legatee.models.build import build
    from legatee.plans.options import PlanOptions
    from legatee.plans.plan import TransferPlan
    from legatee.plans.receipt import Receipt
    from legatee.simulator.run import simulate
    from legatee.surgery.applying.apply import inherit
    from legatee.surgery.applying.parameter_groups import parameter_groups
    from legatee.surgery.network.network import catalog
    from legatee.surgery.planning.plan import plan
    from legatee.surgery.transfer import transfer
    from legatee.theory.predict import Prediction, predict
    from legatee.training.loop import TrainingLoop
    from legatee.world.grid import Grid
    from legatee.world.setting import Setting
    from legatee.world.task import Task

__all__ = [
    "Advice",
    "AdviseOptions",
    "Arm",
    "Examples",
    "Grid",
    "LegateeError",
    "PlanOptions",
    "Prediction",
    "Receipt",
    "Setting",
    "Task",
    "TrainingLoop",
    "TransferPlan",
    "Verdict",
    "advise",
    "build",
    "catalog",
    "inherit",
    "load_data",
    "parameter_groups",
    "plan",
    "predict",
    "simulate",
    "transfer",
]

_HOMES = {
    "Advice": "advice",
    "AdviseOptions": "advisor.options",
    "Arm": "advisor.arms",
    "Examples": "data.examples",
    "Grid": "world.grid",
    "LegateeError": "errors",
    "PlanOptions": "plans.options",
    "Prediction": "theory.predict",
    "Receipt": "plans.receipt",
    "Setting": "world.setting",
    "Task": "world.task",
    "TrainingLoop": "training.loop",
    "TransferPlan": "plans.plan",
    "Verdict": "advice",
    "advise": "advisor.advise",
    "build": "models.build",
    "catalog": "surgery.network.network",
    "inherit": "surgery.applying.apply",
    "load_data": "data.load",
    "parameter_groups": "surgery.applying.parameter_groups",
    "plan": "surgery.planning.plan",
    "predict": "theory.predict",
    "simulate": "simulator.run",
    "transfer": "surgery.transfer",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("legatee")
    if name not in _HOMES:
        raise AttributeError(f"module 'legatee' has no attribute {name!r}")
    return getattr(import_module(f"legatee.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
