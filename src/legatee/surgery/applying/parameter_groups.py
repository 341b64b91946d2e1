"""Learning rates for what was inherited and what was not, as optimisers take them."""

from typing import NotRequired, TypedDict

from torch import nn

from legatee.errors import TransferError
from legatee.plans.receipt import Receipt
from legatee.surgery.network.names import without_wrappers


class ParameterGroup(TypedDict):
    """Parameters with the same learning rate.

    Attributes:
        name: ``"inherited"``, ``"partial"`` or ``"fresh"``.
        params: The parameters.
        lr: Their learning rate.
        weight_decay: Their weight decay; the optimiser's where absent.
    """

    name: str
    params: list[nn.Parameter]
    lr: float
    weight_decay: NotRequired[float]


def parameter_groups(
    network: nn.Module,
    receipt: Receipt,
    *,
    lr: float,
    inherited_lr: float,
    partial_lr: float | None = None,
    weight_decay: float | None = None,
) -> list[ParameterGroup]:
    """Return a network's parameters as groups for an optimiser, by what was inherited.

    A learning rate of 0 freezes: such parameters are in no group, so that neither gradients nor
    momentum nor weight decay change them. Buffers, such as running statistics, are not parameters
    and are updated as usual.

    Args:
        network: The target of the transfer; it may have been wrapped since.
        receipt: The receipt of the transfer into this network.
        lr: Learning rate of parameters of which nothing was inherited [>= 0].
        inherited_lr: Learning rate of parameters that were inherited completely [>= 0].
        partial_lr: Learning rate of parameters that were inherited in part; ``lr`` where absent
            [>= 0]. A parameter has one learning rate, so that ``lr`` also applies to its inherited
            elements; with ``alpha`` below 1 nearly every parameter is inherited in part.
        weight_decay: Weight decay of all groups; the optimiser's where absent [>= 0].

    Returns:
        Up to three groups, named ``"inherited"``, ``"partial"`` and ``"fresh"``, without those that
        are empty or frozen. Parameters that need no gradient are in none.

    Raises:
        TransferError: If a rate is negative, or the receipt is of a transfer into another network.

    Example:
        >>> import torch
        >>> from legatee.surgery.applying.apply import inherit
        >>> from legatee.surgery.planning.plan import plan
        >>> old, new = (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, c)) for c in (5, 2))
        >>> receipt = inherit(plan(old, new), old, new)
        >>> groups = parameter_groups(new, receipt, lr=0.1, inherited_lr=0.01)
        >>> [(group["name"], len(group["params"]), group["lr"]) for group in groups]
        [('inherited', 2, 0.01), ('fresh', 2, 0.1)]
        >>> optimizer = torch.optim.SGD(groups)
    """
    partial_lr = lr if partial_lr is None else partial_lr
    given = {"lr": lr, "inherited_lr": inherited_lr, "partial_lr": partial_lr}
    for name, value in (given | {"weight_decay": weight_decay or 0.0}).items():
        if not value >= 0:
            raise TransferError(f"{name} is {value}; expected 0 or more")
    kinds = _kinds(receipt)
    parameters = dict(network.named_parameters())
    groups = [
        ParameterGroup(name="inherited", params=[], lr=inherited_lr),
        ParameterGroup(name="partial", params=[], lr=partial_lr),
        ParameterGroup(name="fresh", params=[], lr=lr),
    ]
    by_kind = {group["name"]: group for group in groups}
    bare = without_wrappers(list(parameters))
    for name, parameter in zip(bare, parameters.values(), strict=True):
        if name not in kinds:
            raise TransferError(
                f"the receipt does not account for the parameter {name!r}; expected the receipt of "
                "a transfer into this network"
            )
        if parameter.requires_grad:
            by_kind[kinds[name]]["params"].append(parameter)
    if weight_decay is not None:
        for group in groups:
            group["weight_decay"] = weight_decay
    return [group for group in groups if group["params"] and group["lr"] > 0]


def _kinds(receipt: Receipt) -> dict[str, str]:
    """Return for each tensor of the target whether it was inherited, in part, or not."""
    kinds = {}
    for account in receipt.tensors:
        kind = "partial" if account.inherited_elements and account.untouched else "inherited"
        kinds[account.target] = kind if account.inherited_elements else "fresh"
    return dict(zip(without_wrappers(list(kinds)), kinds.values(), strict=True))
