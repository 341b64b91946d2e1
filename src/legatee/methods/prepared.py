"""What a transfer method hands to training: the network, and how its parameters are to learn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from torch import Tensor, nn

from legatee.plans.receipt import Receipt


class TunedParameters(TypedDict):
    """Parameters that learn alike.

    Attributes:
        params: The parameters.
        lr_scale: Their learning rate as a multiple of the training's [>= 0].
        weight_decay: Their own weight decay; the training's where absent [>= 0].
    """

    params: list[nn.Parameter]
    lr_scale: float
    weight_decay: NotRequired[float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A network that is ready to be trained, and everything that its training has to know.

    Attributes:
        network: The network; whatever is inherited has been copied into it.
        parameter_groups: The parameters that are trained, each in one group. A parameter that is
            in none stays as it is.
        penalty: A term that is added to the loss, such as the distance from where the training
            began, or ``None`` [nats].
        receipt: What was inherited, element by element, or ``None`` where nothing was.
    """

    network: nn.Module
    parameter_groups: Sequence[TunedParameters]
    penalty: Callable[[nn.Module], Tensor] | None = None
    receipt: Receipt | None = None


def whole(network: nn.Module) -> list[TunedParameters]:
    """Return one group of all parameters that need a gradient.

    Args:
        network: Any network.

    Returns:
        The group, at the training's own learning rate.

    Example:
        >>> [len(group["params"]) for group in whole(nn.Linear(2, 3))]
        [2]
    """
    return [
        TunedParameters(params=[p for p in network.parameters() if p.requires_grad], lr_scale=1)
    ]
