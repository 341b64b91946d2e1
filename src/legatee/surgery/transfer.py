"""Plan a transfer and apply it, in one line."""

from typing import Any

from torch import nn

from legatee.plans.options import PlanOptions
from legatee.plans.receipt import Receipt
from legatee.surgery.applying.apply import inherit
from legatee.surgery.planning.plan import plan


def transfer(
    source: nn.Module,
    target: nn.Module,
    options: PlanOptions | None = None,
    *,
    allow_rounding: bool = False,
    allow_nonfinite: bool = False,
    **overrides: Any,
) -> Receipt:
    """Copy into a target network, in place, what it inherits from a source network.

    This is :func:`legatee.plan` followed by :func:`legatee.inherit`.

    Args:
        source: Upstream network; only read.
        target: Downstream network, changed in place.
        options: What is asked for; the defaults of :class:`~legatee.PlanOptions` if ``None``.
        allow_rounding: Whether floating-point values may be rounded to a narrower type.
        allow_nonfinite: Whether NaN and infinite values may be copied.
        **overrides: ``example_inputs``, ``data`` and ``operations`` as :func:`legatee.plan` takes
            them, and single options by name, such as ``alpha=0.5``.

    Returns:
        An account of every element, with ``undo()``.

    Raises:
        TransferError: If the transfer cannot be planned, or a weight may not be copied.
        UnknownNameError: If there is no such selection rule, or no class of that name.
        TraceError: If a share of the channels is asked for, but they cannot be traced.

    Example:
        >>> wide = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> slim = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> receipt = transfer(wide, slim, rule="first")
        >>> receipt.missing
        ('2.weight', '2.bias')
    """
    made = plan(source, target, options, **overrides)
    return inherit(
        made, source, target, allow_rounding=allow_rounding, allow_nonfinite=allow_nonfinite
    )
