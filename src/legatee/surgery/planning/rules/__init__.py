"""Selection rules: which channels of a source group are inherited where not all of them fit.

Each file of this folder is one rule, and its name is the rule's. The first line of its docstring
says what the rule picks, for errors and ``--help``; ``RULE`` says how. To add a rule, add a file.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal

from legatee.errors import UnknownNameError

if TYPE_CHECKING:  # `--help` lists the rules, and must not wait for NumPy and torch
    import numpy as np

    from legatee.plans.options import PlanOptions
    from legatee.surgery.network.network import Network

Scores = Sequence["np.ndarray | None"]
Choose = Callable[[int, int, "np.random.Generator"], Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A selection rule: it either chooses channels by their number, or ranks them by scores.

    Attributes:
        choose: ``choose(available, wanted, rng)`` returns positions in the source group, ascending.
        scores: ``scores(source, options, data)`` returns, for each channel group of the source, a
            score for each channel, NaN for one that must not be inherited; or ``None`` for a group
            that cannot be scored. The channels with the highest scores are inherited.
        needs: What the scores are computed from: ``"weights"`` of the source, ``"data"`` of the
            downstream task, or data with ``"labels"``.
        draws: Whether it draws channels at random, so that another seed gives others.
    """

    choose: Choose | None = None
    scores: "Callable[[Network, PlanOptions, Any], Scores] | None" = None
    needs: Literal["", "weights", "data", "labels"] = ""
    draws: bool = False


def names() -> tuple[str, ...]:
    """Return the names of all selection rules.

    Example:
        >>> names()
        ('active', 'first', 'largest', 'random', 'signal', 'uniform')
    """
    return tuple(sorted(module.name for module in iter_modules(__path__)))


def summaries() -> dict[str, str]:
    """Return what each selection rule picks, in a sentence.

    Example:
        >>> summaries()["first"]
        'The first channels of each group.'
    """
    return {name: _summary(f"{__name__}.{name}") for name in names()}


def _summary(module: str) -> str:
    """Return the first line of a module's docstring without importing the module."""
    spec = find_spec(module)
    source = spec.loader.get_source(module) if spec and spec.loader else ""  # type: ignore[attr-defined]
    return (ast.get_docstring(ast.parse(source or "")) or "").partition("\n")[0]


def find(name: str) -> Rule:
    """Return a selection rule.

    Args:
        name: Its name.

    Returns:
        The rule.

    Raises:
        UnknownNameError: If there is no such rule.

    Example:
        >>> find("signal").needs
        'labels'
    """
    if name not in names():
        raise UnknownNameError("selection rule", name, names())
    rule: Rule = _module(name).RULE
    return rule


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{name}")
