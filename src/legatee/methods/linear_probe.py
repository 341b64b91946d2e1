"""Linear probe: copy everything but the classification head, and train nothing but that head."""

from typing import Any, Literal, Self

from torch import nn

from legatee.errors import TransferError
from legatee.methods.inherit import Planned
from legatee.methods.prepared import Prepared, TunedParameters
from legatee.plans.plan import TransferPlan
from legatee.surgery.network.catalog import read

OF_THE_HEAD = ("head", "class_map", "class_names", "source_class_names")


class LinearProbe(Planned):
    """The source's layers are copied and frozen; only the classification head is trained.

    Frozen layers also stay in evaluation mode, so that running statistics and dropout are those of
    the source: hooks that are registered on the network see to it. What the plan leaves out keeps
    its random initial values, and is frozen as well.

    Attributes:
        kind: Always ``"linear_probe"``.
        options: What is asked of the plan; ``head`` is always ``False``.

    Source:
        Alain and Bengio (2016); as a baseline for transfer, Kornblith et al. (2019).

    Example:
        >>> source = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
        >>> target = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> prepared = LinearProbe().prepare(target, source, seed=0)
        >>> [tuple(p.shape) for group in prepared.parameter_groups for p in group["params"]]
        [(2, 4), (2,)]
    """

    kind: Literal["linear_probe"] = "linear_probe"

    def __init__(self, options: Any = None, **overrides: Any) -> None:
        """Take options, or single ones by name.

        Args:
            options: What is asked of the plan; the defaults of ``PlanOptions`` if ``None``.
            **overrides: Single options by name, such as ``exclude="layer4"``.
        """
        super().__init__(options, **overrides | {"head": False})

    def with_options(self, **changes: Any) -> Self:
        """Return the method with other plan options, except those about classes.

        Args:
            **changes: Plan options by name.

        Returns:
            The method.
        """
        return super().with_options(**{k: v for k, v in changes.items() if k not in OF_THE_HEAD})

    def apply(self, plan: TransferPlan | None, network: nn.Module, source: nn.Module) -> Prepared:
        """Copy what the plan names, and freeze all but the head.

        Args:
            plan: What is copied.
            network: Downstream network, which is changed in place.
            source: Upstream network; only read.

        Returns:
            The network with the parameters of its head, and the receipt.

        Raises:
            TransferError: If the network has no classification head.
        """
        receipt = self.copy_into(plan, network, source)
        head = head_of(network)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in head)
        for module in network.modules():
            if not any(p.requires_grad for p in module.parameters()):
                module.register_forward_pre_hook(_evaluate)
        trained = [p for name, p in network.named_parameters() if name in head]
        groups = [TunedParameters(params=trained, lr_scale=1)]
        return Prepared(network=network, parameter_groups=groups, receipt=receipt)


def head_of(network: nn.Module) -> frozenset[str]:
    """Return the parameters of a network's classification head.

    Args:
        network: The network; only read.

    Returns:
        Their names.

    Raises:
        TransferError: If there is none.
    """
    tensors = read(network).tensors.values()
    names = {tensor.name for tensor in tensors if "class" in tensor.axis_roles}
    head = {n for n, _ in network.named_parameters() if n in names}
    if not head:
        raise TransferError(
            "a linear probe trains the classification head, and the target has none whose "
            "parameters are its own"
        )
    return frozenset(head)


def _evaluate(module: nn.Module, inputs: Any) -> None:
    """Put a frozen module in evaluation mode, whatever the training has asked for."""
    module.training = False
