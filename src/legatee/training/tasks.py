"""What is learned: the loss and the score of a classification, a regression or a segmentation."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader

from legatee.data.datasets import Data, class_names_of, task_of
from legatee.data.examples import Examples, batch
from legatee.errors import LegateeError

SCORED_AT_ONCE = 500  # examples in one forward pass when nothing is learned [count]


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """What a dataset asks of a network.

    Attributes:
        kind: ``"classification"``, ``"segmentation"`` or ``"regression"``.
        classes: Classes that it distinguishes; 0 where targets are numbers [count].
    """

    kind: str
    classes: int

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a batch: cross-entropy [nats], or the mean squared error."""
        if self.kind == "regression":
            return mse_loss(outputs.view_as(targets), targets)
        return cross_entropy(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the score of each example, more is better [b]; see :func:`score_examples`."""
        finite = outputs.isfinite().reshape(len(outputs), -1).all(1)
        if self.kind == "regression":
            errors = (outputs.view_as(targets) - targets).square().reshape(len(targets), -1)
            return torch.where(finite, -errors.mean(1), torch.nan)
        right = (outputs.argmax(1) == targets).float().reshape(len(targets), -1)
        return torch.where(finite, right.mean(1), 0.0)


def task_for(data: Data) -> TrainingTask:
    """Return what a dataset asks of a network; its targets are looked at once.

    Args:
        data: Any dataset.

    Returns:
        The task.
    """
    return TrainingTask(kind=task_of(data), classes=len(class_names_of(data) or ()))


def score_examples(network: nn.Module, data: Data) -> Tensor:
    """Score a network on each example.

    Args:
        network: The network; it is left in evaluation mode.
        data: What to score it on.

    Returns:
        float32 [n] on the CPU: 1 where the predicted class is right and 0 elsewhere; the share of
        a mask's pixels that are right; or the negative squared error of a number. An output that
        is not finite scores 0, and NaN for numbers.

    Raises:
        LegateeError: If the network's outputs do not fit the targets.
    """
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    task = task_for(data)
    network.eval()
    with torch.inference_mode():
        scores = [
            task.scores(outputs_of(network, inputs, task), targets)
            for inputs, targets in _in_order(data, device)
        ]
    return torch.cat(scores).float().cpu()


def outputs_of(network: nn.Module, inputs: Tensor, task: TrainingTask) -> Tensor:
    """Return a network's outputs, refused unless they fit the task.

    Args:
        network: The network.
        inputs: A batch of inputs [b, ...].
        task: What it learns.

    Returns:
        Logits [b, classes or more] or [b, classes or more, h, w], or numbers [b, ...].

    Raises:
        LegateeError: If they are no tensor, or of a shape that does not fit.
    """
    outputs = network(inputs)
    outputs = getattr(outputs, "logits", outputs)  # as the networks of transformers name them
    if isinstance(outputs, dict) and "out" in outputs:
        outputs = outputs["out"]  # as torchvision's segmentation networks name them
    if not isinstance(outputs, Tensor):
        raise LegateeError(f"the network returns a {type(outputs).__name__}; expected one tensor")
    axes = {"classification": 2, "segmentation": 4}.get(task.kind, outputs.ndim)
    few = bool(task.classes) and (outputs.ndim < 2 or outputs.shape[1] < task.classes)
    if outputs.ndim != axes or len(outputs) != len(inputs) or few:
        wanted = {"classification": ", {n}", "segmentation": ", {n}, h, w"}.get(task.kind, ", ...")
        raise LegateeError(
            f"the network returns {tuple(outputs.shape)} for {len(inputs)} examples; "
            f"{task.kind} expects ({len(inputs)}{wanted.format(n=task.classes)}): "
            "build it with that number of outputs (num_classes=)"
        )
    return outputs


def _in_order(data: Data, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield all examples in order, in batches on the device."""
    if isinstance(data, Examples):
        for indices in torch.arange(len(data)).split(SCORED_AT_ONCE):
            yield batch(data, indices, device)
        return
    for inputs, targets in DataLoader(data, batch_size=SCORED_AT_ONCE):
        yield inputs.to(device), targets.to(device)
