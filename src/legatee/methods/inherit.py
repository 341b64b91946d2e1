"""Partial parameter transfer: copy part of the source, then train everything."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from torch import nn

from legatee.errors import TransferError
from legatee.methods.method import Evidence, Method
from legatee.methods.prepared import Prepared, whole
from legatee.plans.options import PlanOptions, plan_options
from legatee.plans.plan import TransferPlan
from legatee.plans.receipt import Receipt
from legatee.surgery.applying.apply import inherit
from legatee.surgery.planning.plan import plan
from legatee.surgery.planning.rules import find

NEEDED_DATA = ("data", "labels")  # what a rule that looks at data needs


class Planned(Method):
    """A method that copies what :func:`legatee.plan` plans.

    Attributes:
        options: What is asked of the plan.
    """

    options: PlanOptions = PlanOptions()

    def __init__(self, options: PlanOptions | None = None, **overrides: Any) -> None:
        """Take options, or single ones by name.

        Args:
            options: What is asked of the plan; the defaults of ``PlanOptions`` if ``None``.
            **overrides: Single options by name, such as ``alpha=0.5``.
        """
        kind = overrides.pop("kind", None)
        if isinstance(options, Mapping):  # as it is read from JSON
            options = plan_options(None, options)
        fields: dict[str, Any] = {"options": plan_options(options, overrides)}
        super().__init__(**fields | ({} if kind is None else {"kind": kind}))

    def with_options(self, **changes: Any) -> Self:
        """Return the method with other plan options.

        Args:
            **changes: Plan options by name.

        Returns:
            The method.
        """
        return self.model_copy(update={"options": plan_options(self.options, changes)})

    @property
    def needs_data(self) -> bool:
        """Whether the selection rule looks at data."""
        rule = self.options.rule
        return callable(rule) or (isinstance(rule, str) and find(rule).needs in NEEDED_DATA)

    @property
    def depends_on_seed(self) -> bool:
        """Whether channels are drawn at random, or ranked by a function that may draw."""
        rule = self.options.rule
        return callable(rule) or (isinstance(rule, str) and find(rule).draws)

    def plan(
        self, network: nn.Module, source: nn.Module, seed: int, data: Evidence | None = None
    ) -> TransferPlan:
        """Plan what is copied; random rules draw by the seed of the options and that of the call.

        Args:
            network: Downstream network; only read.
            source: Upstream network; only read.
            seed: Seed of what is drawn at random.
            data: Downstream training inputs and their targets.

        Returns:
            The plan.

        Raises:
            TransferError: If the rule looks at data and there are none, or nothing can be copied.
        """
        if data is None and self.needs_data and not callable(self.options.rule):
            raise TransferError(
                f"the rule {self.options.rule!r} looks at training data; pass data=(inputs, labels)"
            )
        example = None if data is None else data[0][:1]
        changes = {"seed": self.options.seed + seed} if self.depends_on_seed else {}
        options = plan_options(self.options, changes)
        seen = data if self.needs_data else None
        return plan(source, network, options, example_inputs=example, data=seen)

    def copy_into(
        self, plan: TransferPlan | None, network: nn.Module, source: nn.Module
    ) -> Receipt:
        """Copy what a plan names.

        Args:
            plan: What is copied.
            network: Downstream network, which is changed in place.
            source: Upstream network; only read.

        Returns:
            An account of every element.
        """
        assert plan is not None, "plan() of this method always returns one"
        return inherit(plan, source, network)


class Inherit(Planned):
    """Part of the source is copied, and all parameters are trained at one learning rate.

    Attributes:
        kind: Always ``"inherit"``.
        options: What is asked of the plan.

    Source:
        Algorithm 1 of the paper; with ``rule="uniform"``, weight selection of Xu et al. (2024).

    Example:
        >>> Inherit(alpha=0.5).options.alpha
        0.5
        >>> Inherit.model_validate_json(Inherit(rule="random").model_dump_json()).options.rule
        'random'
    """

    kind: Literal["inherit"] = "inherit"

    def __init__(self, options: PlanOptions | None = None, **overrides: Any) -> None:
        """Take options, or single ones by name.

        Args:
            options: What is asked of the plan; the defaults of ``PlanOptions`` if ``None``.
            **overrides: Single options by name, such as ``alpha=0.5``.
        """
        super().__init__(options, **overrides)

    def apply(self, plan: TransferPlan | None, network: nn.Module, source: nn.Module) -> Prepared:
        """Copy what the plan names.

        Args:
            plan: What is copied.
            network: Downstream network, which is changed in place.
            source: Upstream network; only read.

        Returns:
            The network with all its parameters, and the receipt.
        """
        receipt = self.copy_into(plan, network, source)
        return Prepared(network=network, parameter_groups=whole(network), receipt=receipt)
