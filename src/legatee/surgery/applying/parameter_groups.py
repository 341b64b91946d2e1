"""Learning rates for what was inherited and what was not, as optimisers take them."""

from typing import TypedDict

from torch import nn

from legatee.errors import TransferError
from legatee.plans.receipt import Receipt
from legatee.surgery.network.names import without_wrappers


class ParameterGroup(TypedDict):
    """Parameters that learn at one rate.

    Attributes:
        name: ``"inherited"``, ``"partial"`` or ``"fresh"``.
        params: The parameters.
        lr: Their learning rate.
    """

    name: str
    params: list[nn.Parameter]
    lr: float


def parameter_groups(
    receipt: Receipt,
    network: nn.Module,
    *,
    fresh: float,
    inherited: float,
    partial: float | None = None,
) -> list[ParameterGroup]:
    """Return a network's parameters as groups for an optimiser, by what was inherited.

    A rate of 0 freezes: such parameters are left out, so that neither gradients nor momentum nor
    weight decay move them. Buffers, such as running statistics, are no business of optimisers.

    Args:
        receipt: Of the transfer into this network.
        network: The target, perhaps wrapped meanwhile.
        fresh: Learning rate of parameters of which nothing was inherited [>= 0].
        inherited: Of those that were inherited whole [>= 0].
        partial: Of those that were inherited in part [>= 0]. A tensor has one rate, and its fresh
            elements have everything to learn: where absent, it is that of the fresh ones, which
            also moves its inherited elements at full rate. With ``alpha`` below 1 this is nearly
            every tensor.

    Returns:
        Up to three groups, without the empty and the frozen ones; parameters that need no gradient
        are in none.

    Raises:
        TransferError: If a rate is negative, or the receipt does not account for a parameter.

    Example:
        >>> import torch
        >>> from legatee.surgery.applying.apply import inherit
        >>> from legatee.surgery.planning.plan import plan
        >>> old, new = (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, c)) for c in (5, 2))
        >>> groups = parameter_groups(
        ...     inherit(plan(old, new), old, new), new, fresh=0.1, inherited=0.01
        ... )
        >>> [(group["name"], len(group["params"]), group["lr"]) for group in groups]
        [('inherited', 2, 0.01), ('fresh', 2, 0.1)]
        >>> optimizer = torch.optim.SGD(groups)
    """
    rates = {
        "inherited": inherited,
        "partial": fresh if partial is None else partial,
        "fresh": fresh,
    }
    if low := [name for name, rate in rates.items() if not rate >= 0]:
        raise TransferError(f"the learning rate {low[0]} is {rates[low[0]]}; expected 0 or more")
    kinds = {}
    for account in receipt.tensors:
        kind = "partial" if account.inherited_elements and account.untouched else "inherited"
        kinds[account.target] = kind if account.inherited_elements else "fresh"
    names = without_wrappers(list(kinds))
    kinds = dict(zip(names, kinds.values(), strict=True))
    found: dict[str, list[nn.Parameter]] = {name: [] for name in rates}
    parameters = dict(network.named_parameters())
    for bare, parameter in zip(
        without_wrappers(list(parameters)), parameters.values(), strict=True
    ):
        if bare not in kinds:
            raise TransferError(
                f"the receipt does not account for {bare!r}: it is of a transfer into another "
                "network"
            )
        if parameter.requires_grad:
            found[kinds[bare]].append(parameter)
    return [
        ParameterGroup(name=name, params=params, lr=rates[name])
        for name, params in found.items()
        if params and rates[name] > 0
    ]
