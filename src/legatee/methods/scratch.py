"""Train from scratch: what every other method is compared with."""

from typing import Literal

from torch import nn

from legatee.methods.method import Method
from legatee.methods.prepared import Prepared, whole
from legatee.plans.plan import TransferPlan


class Scratch(Method):
    """Nothing is copied, and all parameters are trained.

    Attributes:
        kind: Always ``"scratch"``.

    Source:
        The baseline of the paper.

    Example:
        >>> network = nn.Linear(2, 2)
        >>> prepared = Scratch().prepare(network, nn.Linear(2, 2), seed=0)
        >>> prepared.network is network, prepared.receipt
        (True, None)
    """

    kind: Literal["scratch"] = "scratch"

    def apply(self, plan: TransferPlan | None, network: nn.Module, source: nn.Module) -> Prepared:
        """Return the network as it is.

        Args:
            plan: Not used; nothing is copied.
            network: Downstream network.
            source: Not used.

        Returns:
            The network with all its parameters.
        """
        return Prepared(network=network, parameter_groups=whole(network))
