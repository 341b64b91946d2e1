"""One plain training loop, the same for every network that is compared with another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import cos, isfinite, pi

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from legatee.data.examples import Examples, batch
from legatee.errors import LegateeError, UnknownNameError

SCORED_AT_ONCE = 500  # examples per forward pass when nothing is learned [count]
OnEpoch = Callable[[int, float], None]
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
}


@dataclass(frozen=True, kw_only=True)
class TrainingLoop:
    """How a network is trained: a linear warm-up, then half a cosine down to zero.

    On the CPU, the same network, data and seed give the same weights bit for bit, whatever ran
    before; PyTorch's global generators are left as they were. On CUDA the forward pass runs in
    bfloat16 where that is safe, and bits may differ.

    Attributes:
        epochs: Passes over the examples [count].
        batch_size: Examples per step; a last batch of one joins its neighbour [count, >= 2].
        optimizer: ``"adamw"``, or ``"sgd"`` with Nesterov momentum 0.9.
        learning_rate: The greatest of the schedule [> 0].
        weight_decay: Of the optimizer, on all parameters [>= 0].
        warmup: Share of the steps that the learning rate rises in [fraction, 0..1].
        device: Where to train; ``None`` picks CUDA where there is one.

    Raises:
        LegateeError: If a value is out of its range.
    """

    epochs: int = 20
    batch_size: int = 50
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    device: str | None = None

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", self.optimizer, OPTIMIZERS)
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

    def __call__(self, network: nn.Module, data: Examples, seed: int) -> nn.Module:
        """Train ``network`` in place; see :meth:`run`.

        Args:
            network: What to train.
            data: What to train it on.
            seed: Seed of the order of the examples and of dropout.

        Returns:
            The same network, in evaluation mode, on the device that it was trained on.
        """
        return self.run(network, data, seed)

    def run(
        self, network: nn.Module, data: Examples, seed: int, on_epoch: OnEpoch | None = None
    ) -> nn.Module:
        """Train ``network`` in place.

        A loss that is no longer finite ends the training after its epoch, without an exception:
        the callback hears of the NaN or infinity, and :func:`correct` counts outputs that are not
        finite as wrong.

        Args:
            network: What to train.
            data: What to train it on.
            seed: Seed of the order of the examples and of dropout.
            on_epoch: Called after each epoch with its number [count from 1] and the mean training
                loss [nats]; it may score the network.

        Returns:
            The same network, in evaluation mode, on the device that it was trained on.

        Raises:
            LegateeError: If the network has nothing to train or no output for some class.
        """
        device = pick_device(self.device)
        network.to(device)
        parameters = [p for p in network.parameters() if p.requires_grad]
        if not parameters:
            raise LegateeError("the network has no parameters that can be trained")
        optimizer = OPTIMIZERS[self.optimizer](
            parameters, lr=self.learning_rate, weight_decay=self.weight_decay
        )
        order = torch.Generator().manual_seed(seed)
        step = 0
        with _seeded(seed, device):
            for epoch in range(1, self.epochs + 1):
                network.train()
                batches = _batches(data.n, self.batch_size, order)
                total = torch.zeros((), device=device)
                for indices in batches:
                    rate = self._rate((step + 0.5) / (self.epochs * len(batches)))
                    optimizer.param_groups[0]["lr"] = rate
                    total += len(indices) * _step(network, optimizer, data, indices)
                    step += 1
                loss = total.item() / data.n
                if on_epoch is not None:
                    on_epoch(epoch, loss)
                if not isfinite(loss):
                    break
        return network.eval()

    def _rate(self, progress: float) -> float:
        """Return the learning rate at this share of all steps, in 0..1 without its ends."""
        if progress < self.warmup:
            return self.learning_rate * progress / self.warmup
        past = (progress - self.warmup) / (1 - self.warmup)
        return self.learning_rate * (1 + cos(pi * past)) / 2


def correct(network: nn.Module, data: Examples) -> Tensor:
    """Return which examples the network classifies correctly, in float32 where it lies.

    Args:
        network: A classifier; it is left in evaluation mode.
        data: What to classify.

    Returns:
        1 where the greatest output is the label's, 0 elsewhere and where an output is not finite,
        float32 [n] on the CPU.

    Raises:
        LegateeError: If the network has no output for some class.
    """
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    network.eval()
    scores = []
    with torch.inference_mode():
        for indices in torch.arange(data.n).split(SCORED_AT_ONCE):
            inputs, labels = batch(data, indices, device)
            outputs = _outputs(network, inputs, len(data.classes))
            scores.append((outputs.argmax(1) == labels) & outputs.isfinite().all(1))
    return torch.cat(scores).float().cpu()


def pick_device(name: str | None = None) -> torch.device:
    """Return the device to compute on.

    Args:
        name: Such as ``"cpu"`` or ``"cuda:1"``; ``None`` picks CUDA where there is one.

    Returns:
        The device, which exists.

    Raises:
        LegateeError: If there is no such device here.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).split("\n")[0]
        raise LegateeError(f"cannot compute on device {name!r}: {cause}") from error


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, data: Examples, indices: Tensor
) -> Tensor:
    """Take one step on one batch; return its mean loss [nats]."""
    device = optimizer.param_groups[0]["params"][0].device
    inputs, labels = batch(data, indices, device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        loss = cross_entropy(_outputs(network, inputs, len(data.classes)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _outputs(network: nn.Module, inputs: Tensor, classes: int) -> Tensor:
    """Return the network's logits [b, >= classes], or say what is wrong with them."""
    outputs = network(inputs)
    outputs = getattr(outputs, "logits", outputs)  # as the networks of transformers call them
    if not isinstance(outputs, Tensor):
        raise LegateeError(f"the network returns a {type(outputs).__name__}; give one tensor")
    if outputs.ndim != 2 or len(outputs) != len(inputs) or outputs.shape[1] < classes:
        raise LegateeError(
            f"the network returns {tuple(outputs.shape)} for {len(inputs)} examples; "
            f"{classes} classes need ({len(inputs)}, {classes})"
        )
    return outputs


def _batches(n: int, size: int, generator: torch.Generator) -> list[Tensor]:
    """Deal out all examples in random order; no batch holds one alone if it can be helped."""
    order = torch.randperm(n, generator=generator)
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed what layers such as dropout draw from, and put it back afterwards."""
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
