"""What every transfer method is: a plan of what is copied, and how the network is then tuned."""

from abc import abstractmethod
from typing import Any, Self

from torch import Tensor, nn

from legatee.document import Record
from legatee.methods.prepared import Prepared
from legatee.plans.plan import TransferPlan

Evidence = tuple[Tensor, Tensor]
"""Downstream training inputs and their targets, for selection rules that look at them."""


class Method(Record):
    """One way to start a network and to tune it; a frozen record that can be written as JSON.

    A method of your own is a subclass with a ``kind`` and :meth:`apply`; give it to an
    :class:`~legatee.Arm` like the methods here.

    Attributes:
        kind: What distinguishes it from other methods in a file, such as ``"inherit"``.
    """

    kind: str

    def with_options(self, **changes: Any) -> Self:
        """Return the method with other plan options; itself where nothing is copied.

        Args:
            **changes: Plan options by name.

        Returns:
            The method.
        """
        return self

    @property
    def needs_data(self) -> bool:
        """Whether its plan looks at all training data rather than at a single input."""
        return False

    @property
    def depends_on_seed(self) -> bool:
        """Whether another seed gives another plan."""
        return False

    def plan(
        self, network: nn.Module, source: nn.Module, seed: int, data: Evidence | None = None
    ) -> TransferPlan | None:
        """Plan what is copied.

        Args:
            network: Downstream network, freshly initialised; only read.
            source: Upstream network; only read.
            seed: Seed of what is drawn at random.
            data: Downstream training inputs and their targets.

        Returns:
            The plan; ``None`` where nothing is copied.
        """
        return None

    @abstractmethod
    def apply(self, plan: TransferPlan | None, network: nn.Module, source: nn.Module) -> Prepared:
        """Prepare a network for training, by a plan that :meth:`plan` made.

        Args:
            plan: What is copied.
            network: Downstream network, which is changed in place.
            source: Upstream network; only read.

        Returns:
            What the training has to know.
        """

    def prepare(
        self, network: nn.Module, source: nn.Module, seed: int, data: Evidence | None = None
    ) -> Prepared:
        """Plan and apply.

        Args:
            network: Downstream network, freshly initialised; it is changed in place.
            source: Upstream network; only read.
            seed: Seed of what is drawn at random.
            data: Downstream training inputs and their targets.

        Returns:
            What the training has to know.
        """
        return self.apply(self.plan(network, source, seed, data), network, source)
