"""The built-in training loop, the same for every network that is compared with another."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import partial
from math import cos, isfinite, pi
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from legatee.data.datasets import Data, as_dataset
from legatee.data.examples import Examples, batch
from legatee.errors import LegateeError, UnknownNameError
from legatee.methods.prepared import Prepared, whole
from legatee.training.conditions import (
    frozen,
    keep_statistics,
    random_states,
    restore_random,
    seeded,
)
from legatee.training.devices import pick_device
from legatee.training.tasks import outputs_of, task_for

OnEpoch = Callable[[int, float], None]
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(kw_only=True)
class TrainingState:
    """Where a training stands after an epoch.

    Attributes:
        epoch: Epochs that are done [count].
        network: The network's state dict.
        optimizer: The optimizer's state dict.
        random: States of the random number generators, by name.
    """

    epoch: int = 0
    network: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    random: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingLoop:
    """How a network is trained: a linear warm-up, then half a cosine down to zero.

    On the CPU the same network, data and seed give the same weights bit for bit, whatever ran
    before. Global random number generators are left as they were. On a GPU bits may differ.

    Attributes:
        epochs: Passes over the examples [count].
        batch_size: Examples per step; a last batch of one is joined to the batch before it
            [count, >= 2].
        optimizer: ``"adamw"``, or ``"sgd"`` with Nesterov momentum 0.9.
        learning_rate: The peak of the schedule; each parameter group multiplies it by its own
            ``lr_scale`` [> 0].
        weight_decay: Of the optimizer, where a parameter group has none of its own [>= 0].
        warmup: Share of the steps in which the learning rate rises [fraction, 0..1].
        precision: ``"float32"``, or ``"bfloat16"`` for the forward pass in mixed precision.
        device: Where to train; ``None`` is the GPU if there is one, else the CPU.

    Raises:
        LegateeError: If a value is out of its range.
    """

    epochs: int = 20
    batch_size: int = 50
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    precision: str = "float32"
    device: str | None = None

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", self.optimizer, OPTIMIZERS)
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        ranges = {
            "epochs": ("1 or more", self.epochs >= 1),
            "batch_size": ("2 or more, batch normalisation needs them", self.batch_size >= 2),
            "learning_rate": ("a number above 0", 0 < self.learning_rate < float("inf")),
            "weight_decay": ("0 or a number above", 0 <= self.weight_decay < float("inf")),
            "warmup": ("a fraction in 0..1", 0 <= self.warmup <= 1),
        }
        for key, (wanted, fits) in ranges.items():
            if not fits:
                raise LegateeError(f"cannot train with {key}={getattr(self, key)}; give {wanted}")

    @property
    def identity(self) -> dict[str, Any]:
        """What decides a training's result: every field but the device."""
        return {key: value for key, value in asdict(self).items() if key != "device"}

    def __call__(self, prepared: Prepared | nn.Module, data: Data, seed: int) -> nn.Module:
        """Train a network in place; the same as :meth:`run` without its options.

        Args:
            prepared: The network, or what a method prepared.
            data: What to train it on.
            seed: Seed of the order of the examples, of dropout and of random augmentation.

        Returns:
            The network, in evaluation mode, on the device that it was trained on.
        """
        return self.run(prepared, data, seed)

    def run(
        self,
        prepared: Prepared | nn.Module,
        data: Data,
        seed: int,
        *,
        on_epoch: OnEpoch | None = None,
        stop_after: int | None = None,
        state: TrainingState | None = None,
    ) -> nn.Module:
        """Train a network in place, perhaps only a part of the way, and perhaps from a saved state.

        Parameters that are in no group are frozen: they need no gradient while the training runs,
        and a normalisation layer all of whose parameters are frozen keeps its statistics. A loss
        that is no longer finite ends the training after its epoch, without an exception: the
        callback is given the NaN or infinity.

        Args:
            prepared: The network, or what a method prepared: parameter groups and a penalty.
            data: What to train it on: any dataset of inputs with targets.
            seed: Seed of the order of the examples, of dropout and of random augmentation.
            on_epoch: Called after each epoch with its number [count from 1] and the mean training
                loss [nats]; it may score the network.
            stop_after: Stop after this epoch of the same schedule; at the end if ``None`` [count].
            state: Where to start, as an earlier call left it; it is brought up to date whenever an
                epoch is done. A new state starts from the beginning.

        Returns:
            The network, in evaluation mode, on the device that it was trained on.

        Raises:
            LegateeError: If there is nothing to train, or the outputs do not fit the targets.
        """
        if isinstance(prepared, nn.Module):
            prepared = Prepared(network=prepared, parameter_groups=whole(prepared))
        network, device = prepared.network, pick_device(self.device)
        as_dataset(data, "data")
        network.to(device)
        with frozen(network, prepared.parameter_groups), seeded(seed, device):
            training = _Training(self, prepared, data, device, seed)
            if state is not None:
                training.restore(state)
            first = 1 if state is None else state.epoch + 1
            for epoch in range(first, (stop_after or self.epochs) + 1):
                loss = training.epoch(epoch)
                if state is not None:
                    training.record(state, epoch)
                if on_epoch is not None:
                    on_epoch(epoch, loss)
                if not isfinite(loss):
                    break
        return network.eval()

    def rate(self, progress: float) -> float:
        """Return the learning rate at a point of the schedule.

        Args:
            progress: Share of all steps that are done [fraction, between 0 and 1].

        Returns:
            The learning rate, before any group's scale.

        Example:
            >>> TrainingLoop(learning_rate=0.1, warmup=0.5).rate(0.25)
            0.05
        """
        if progress < self.warmup:
            return self.learning_rate * progress / self.warmup
        past = (progress - self.warmup) / (1 - self.warmup)
        return self.learning_rate * (1 + cos(pi * past)) / 2


class _Training:
    """One training: its optimizer, its order of examples, and how far it has come."""

    def __init__(
        self, loop: TrainingLoop, prepared: Prepared, data: Data, device: torch.device, seed: int
    ):
        groups = [group for group in prepared.parameter_groups if group["params"]]
        if not groups:
            raise LegateeError("the network has no parameters that can be trained")
        self.loop, self.prepared, self.data, self.device = loop, prepared, data, device
        self.task = task_for(data)
        self.count = len(data)  # type: ignore[arg-type]
        self.scales = [group["lr_scale"] for group in groups]
        self.order = torch.Generator().manual_seed(seed)
        self.optimizer = OPTIMIZERS[loop.optimizer](
            [
                {
                    "params": group["params"],
                    "weight_decay": group.get("weight_decay", loop.weight_decay),
                }
                for group in groups
            ],
            lr=loop.learning_rate,
        )

    def epoch(self, epoch: int) -> float:
        """Pass once over the examples; return the mean loss [nats]."""
        network = self.prepared.network
        network.train()
        keep_statistics(network)
        batches = _batches(self.count, self.loop.batch_size, self.order)
        total = torch.zeros((), device=self.device)
        for n, indices in enumerate(batches):
            rate = self.loop.rate((epoch - 1 + (n + 0.5) / len(batches)) / self.loop.epochs)
            for group, scale in zip(self.optimizer.param_groups, self.scales, strict=True):
                group["lr"] = scale * rate
            total += len(indices) * self._step(indices)
        return total.item() / self.count

    def _step(self, indices: Tensor) -> Tensor:
        """Take one step on one batch; return its mean loss [nats]."""
        inputs, targets = self._batch(indices)
        mixed = self.loop.precision != "float32"
        with torch.autocast(self.device.type, PRECISIONS[self.loop.precision], enabled=mixed):
            outputs = outputs_of(self.prepared.network, inputs, self.task)
        loss = self.task.loss(outputs.float() if mixed else outputs, targets)
        if self.prepared.penalty is not None:
            loss = loss + self.prepared.penalty(self.prepared.network)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.data, Examples):
            return batch(self.data, indices, self.device)
        inputs, targets = default_collate([self.data[i] for i in indices.tolist()])
        targets = targets.float() if targets.is_floating_point() else targets
        return inputs.to(self.device), targets.to(self.device)

    def record(self, state: TrainingState, epoch: int) -> None:
        """Note where the training stands; the network's tensors are copied."""
        weights = self.prepared.network.state_dict()
        state.epoch = epoch
        state.network = {name: value.detach().clone() for name, value in weights.items()}
        state.optimizer = deepcopy(self.optimizer.state_dict())
        state.random = random_states(self.device) | {"order": self.order.get_state()}

    def restore(self, state: TrainingState) -> None:
        """Continue where an earlier training stopped."""
        if state.epoch:
            self.prepared.network.load_state_dict(state.network)
            self.optimizer.load_state_dict(deepcopy(state.optimizer))  # else its tensors are shared
            self.order.set_state(state.random["order"])
            restore_random(state.random, self.device)


def _batches(n: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """Deal out all examples in random order; no batch holds a single one if it can be helped."""
    order = torch.randperm(n, generator=generator)
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
