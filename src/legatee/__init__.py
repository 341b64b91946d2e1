"""legatee: partial parameter transfer, with an answer to whether it helps.

The public names are handed on lazily: asking for ``legatee.TransferPlan`` must not import torch.

Example:
    >>> import legatee
    >>> legatee.TransferPlan.__module__
    'legatee.transfer'
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from legatee.advice import Advice, Verdict
    from legatee.advisor.decide import advise
    from legatee.advisor.race import Arm
    from legatee.errors import LegateeError
    from legatee.grid import Grid
    from legatee.setting import Setting, Task
    from legatee.simulator.run import simulate
    from legatee.surgery.apply import inherit
    from legatee.surgery.plan import plan
    from legatee.surgery.rates import parameter_groups
    from legatee.theory.predict import Prediction, predict
    from legatee.training.data import load
    from legatee.training.examples import Examples
    from legatee.training.loop import Trainer
    from legatee.training.models import build
    from legatee.transfer import Receipt, TransferPlan

__all__ = [
    "Advice",
    "Arm",
    "Examples",
    "Grid",
    "LegateeError",
    "Prediction",
    "Receipt",
    "Setting",
    "Task",
    "Trainer",
    "TransferPlan",
    "Verdict",
    "advise",
    "build",
    "inherit",
    "load",
    "parameter_groups",
    "plan",
    "predict",
    "simulate",
]

_HOMES = {
    "Advice": "advice",
    "Arm": "advisor.race",
    "Examples": "training.examples",
    "Grid": "grid",
    "LegateeError": "errors",
    "Prediction": "theory.predict",
    "Receipt": "transfer",
    "Setting": "setting",
    "Task": "setting",
    "Trainer": "training.loop",
    "TransferPlan": "transfer",
    "Verdict": "advice",
    "advise": "advisor.decide",
    "build": "training.models",
    "inherit": "surgery.apply",
    "load": "training.data",
    "parameter_groups": "surgery.rates",
    "plan": "surgery.plan",
    "predict": "theory.predict",
    "simulate": "simulator.run",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("legatee")
    if name not in _HOMES:
        raise AttributeError(f"module 'legatee' has no attribute {name!r}")
    return getattr(import_module(f"legatee.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
