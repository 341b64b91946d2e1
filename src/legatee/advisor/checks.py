"""What is refused before anything is trained."""

from typing import Any

import torch
from torch import nn

from legatee.advice import Reason, Severity
from legatee.advisor.race import REFERENCE_SEED
from legatee.data.datasets import Data, class_names_of, task_of
from legatee.data.overlap import overlap
from legatee.errors import DataError, LegateeError

MOST_OVERLAP = 0.1  # of the held-out examples that may be training examples [fraction]


def check_source(source: object) -> nn.Module:
    """Return the upstream network, or refuse what is none.

    Args:
        source: What was given.

    Returns:
        The same object.

    Raises:
        LegateeError: If it is no network.
    """
    if not isinstance(source, nn.Module):
        raise LegateeError(f"source is a {type(source).__name__}; pass the upstream network")
    return source


def check_target(make_target: object, source: nn.Module) -> None:
    """Refuse what does not return a fresh network each time.

    Args:
        make_target: What was given.
        source: The upstream network.

    Raises:
        LegateeError: If it is a network, no function, or returns anything but fresh networks.
    """
    if isinstance(make_target, nn.Module):
        raise LegateeError(
            "make_target is a network; pass a function that returns a freshly initialised network, "
            "because every training starts from another one"
        )
    if not callable(make_target):
        raise LegateeError(
            f"make_target is a {type(make_target).__name__}; pass a function that returns a "
            "freshly initialised network"
        )
    with torch.random.fork_rng():
        torch.manual_seed(REFERENCE_SEED)
        first = make_target()
        second = make_target()
    if not isinstance(first, nn.Module):
        raise LegateeError(
            f"make_target returned a {type(first).__name__}; expected a freshly initialised network"
        )
    if first is source or first is second:
        raise LegateeError("make_target returns the same network twice; expected a fresh one")


def check_fit(fit: object, device: str | None) -> None:
    """Refuse a training function that is none, or one together with a device.

    Args:
        fit: What was given.
        device: What was given.

    Raises:
        LegateeError: If the two do not go together.
    """
    if fit is not None and not callable(fit):
        raise LegateeError(
            f"fit is a {type(fit).__name__}; pass a function fit(prepared, data, seed) that "
            "returns the trained network, or a legatee.TrainingLoop"
        )
    if fit is not None and device is not None:
        raise LegateeError(
            f"device={device!r} is for the built-in training loop; choose the device in your own "
            "fit, such as TrainingLoop(device=...)"
        )


def check_margin(margin: float, metric: object, train: Data) -> None:
    """Refuse a margin that no score can reach.

    Args:
        margin: Gain that is too small to be worth the trouble [score].
        metric: What was given; ``None`` scores shares of correct answers.
        train: Training examples.

    Raises:
        LegateeError: If scores lie in 0..1, and the margin does not.
    """
    if metric is None and task_of(train) != "regression" and margin > 1:
        raise LegateeError(
            f"margin is {margin:g}, but scores are shares of correct answers in 0..1; one "
            f"percentage point is margin=0.01, so {margin:g} points are margin={margin / 100:g}"
        )


def check_pair(train: Data, held_out: Data, *, given: bool) -> tuple[Reason, ...]:
    """Refuse held-out examples that do not go with the training examples.

    Args:
        train: Training examples.
        held_out: Held-out examples.
        given: Whether the caller gave them, rather than a part of the training examples.

    Returns:
        A warning where a few held-out examples are training examples.

    Raises:
        DataError: If they have other classes, or are training examples.
    """
    classes = class_names_of(train), class_names_of(held_out)
    if classes[0] != classes[1]:
        raise DataError(
            f"training and held-out examples have different classes: {_listed(classes[0])} and "
            f"{_listed(classes[1])}"
        )
    same = len(overlap(train, held_out))
    count: int = len(held_out)  # type: ignore[arg-type]
    text = (
        f"{same:,} of {count:,} held-out examples are training examples, at the same or another "
        "size"
    )
    if given and same > MOST_OVERLAP * count:
        raise DataError(f"{text}; pass others as held_out= (--held-out)")
    if not same:
        return ()
    return (
        Reason(
            code="held-out-overlap",
            text=f"{text}: scores may be too high",
            numbers={"overlap": float(same), "held-out examples": float(count)},
            severity=Severity.WARNING,
        ),
    )


def _listed(names: Any) -> str:
    """Return names in a sentence."""
    return "none" if names is None else ", ".join(map(str, names))
