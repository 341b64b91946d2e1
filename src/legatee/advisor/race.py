"""A race: every arm is trained under every seed, from the same freshly initialised network."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from legatee.advisor.arms import Arm
from legatee.advisor.fits import Fit, fit_identity, identity_of_code
from legatee.data.datasets import fingerprint_of, inputs_of, targets_of
from legatee.fingerprint import weights_fingerprint
from legatee.methods.method import Evidence
from legatee.plans.plan import TransferPlan
from legatee.surgery.network.state import state

Metric = Callable[[nn.Module, Dataset], Tensor]
REFERENCE_SEED = 0  # of the network that is looked at before any training


@dataclass(frozen=True, kw_only=True)
class Race:
    """Which arms are trained on what, and how they are scored.

    Attributes:
        source: Upstream network; only read.
        make_target: Returns a freshly initialised downstream network, drawn from torch's global
            generator.
        train: Downstream examples to train on.
        held_out: Downstream examples to compare on.
        arms: What is compared, scratch first.
        seeds: One training of every arm for each.
        fit: Trains a prepared network on examples under a seed.
        metric: Scores a network on each example.
    """

    source: nn.Module
    make_target: Callable[[], nn.Module]
    train: Dataset
    held_out: Dataset
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    fit: Fit
    metric: Metric

    def start(self, seed: int) -> nn.Module:
        """Return the freshly initialised downstream network of a seed.

        Args:
            seed: Of torch's global generators, which are left as they were.

        Returns:
            The network.
        """
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.make_target()

    @cached_property
    def plans(self) -> dict[str, TransferPlan | None]:
        """The plan of every arm by its name, for the reference seed.

        Arms whose method depends on the seed have another one under every seed.
        """
        network = self.start(REFERENCE_SEED)
        return {arm.name: self._plan(arm, network, REFERENCE_SEED) for arm in self.arms}

    def plan(self, arm: Arm, network: nn.Module, seed: int) -> TransferPlan | None:
        """Return what an arm copies under a seed.

        Args:
            arm: One of the arms.
            network: The freshly initialised network of that seed; only read.
            seed: The seed.

        Returns:
            The plan; ``None`` where nothing is copied.
        """
        if arm.method.depends_on_seed:
            return self._plan(arm, network, seed)
        return self.plans[arm.name]

    def _plan(self, arm: Arm, network: nn.Module, seed: int) -> TransferPlan | None:
        """Plan what an arm copies under a seed."""
        return arm.method.plan(network, self.source, seed, self._evidence(arm))

    def _evidence(self, arm: Arm) -> Evidence | None:
        """Return the training data that an arm's rule looks at, or one input to trace with."""
        if arm.is_scratch:
            return None
        limit = None if arm.method.needs_data else 1
        return inputs_of(self.train, limit=limit), targets_of(self.train)[:limit]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What must be equal for a race to be continued, by a name that errors can use.

        Seeds, arms, workers and devices are no part of it.
        """
        return {
            "source weights": weights_fingerprint(state(self.source)),
            "target network": weights_fingerprint(state(self.start(REFERENCE_SEED))),
            "training data": fingerprint_of(self.train),
            "held-out data": fingerprint_of(self.held_out),
            "metric": identity_of_code(self.metric),
            **fit_identity(self.fit),
        }

    def arm_identity(self, arm: Arm) -> dict[str, Any]:
        """Return what must be equal for the trainings of an arm to be used again.

        Args:
            arm: One of the arms.

        Returns:
            Its method, and what it copies under the reference seed.
        """
        plan = self.plans[arm.name]
        rule = getattr(getattr(arm.method, "options", None), "rule", None)
        return {
            "method": arm.method.model_dump(mode="json"),
            "plan": plan.digest if plan is not None else None,
            "rule": identity_of_code(rule) if callable(rule) else None,
        }
