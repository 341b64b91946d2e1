"""Training one arm of a race under one seed, in this process or in another one."""

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from legatee.advisor.fits import epochs_of, train
from legatee.advisor.race import Race
from legatee.errors import LegateeError

CURVE_POINTS = 12  # epochs after which the held-out score is measured, for the learning curves
Training = tuple[str, int]  # (name of the arm, seed)
Trainer = Callable[[Training], dict[str, Any]]


def train_one(race: Race, training: Training) -> dict[str, Any]:
    """Train one arm under one seed.

    Args:
        race: Where they are from.
        training: Name of the arm, and the seed.

    Returns:
        By name: ``score`` of each held-out example; ``train_loss`` and ``held_out_score`` of each
        epoch, NaN where they were not measured; ``diverged``; ``inherited``; ``seconds``.
    """
    name, seed = training
    arm = next(arm for arm in race.arms if arm.name == name)
    network = race.start(seed)
    prepared = arm.method.apply(race.plan(arm, network, seed), network, race.source)
    began = time.perf_counter()
    epochs = epochs_of(race.fit)
    losses, scores = np.full(epochs, np.nan), np.full(epochs, np.nan)
    measured = set(np.linspace(1, epochs, min(CURVE_POINTS, epochs)).round().astype(int))
    last_loss = 0.0

    def on_epoch(epoch: int, loss: float) -> None:
        nonlocal last_loss
        losses[epoch - 1] = last_loss = loss
        if epoch in measured:
            scores[epoch - 1] = score(race, prepared.network).mean()

    trained = train(race.fit, prepared, race.train, seed, on_epoch)
    result = score(race, trained)
    receipt = prepared.receipt
    return {
        "score": result,
        "train_loss": losses,
        "held_out_score": scores,
        "diverged": not (np.isfinite(last_loss) and np.isfinite(result).all() and finite(trained)),
        "inherited": 0.0 if receipt is None else receipt.inherited_fraction,
        "seconds": time.perf_counter() - began,
    }


def score(race: Race, network: nn.Module) -> np.ndarray:
    """Score a network on every held-out example.

    Args:
        race: Whose metric and held-out examples.
        network: The network.

    Returns:
        The scores [held-out examples].

    Raises:
        LegateeError: If the metric returns something else than one score for each example.
    """
    scores = torch.as_tensor(race.metric(network, race.held_out)).detach().float().cpu()
    expected = len(race.held_out)  # type: ignore[arg-type]
    if tuple(scores.shape) != (expected,):
        raise LegateeError(
            f"the metric returned scores of shape {tuple(scores.shape)}; expected one score for "
            f"each held-out example, shape ({expected},)"
        )
    return scores.numpy()


def finite(network: nn.Module) -> bool:
    """Tell whether all weights of a network are finite."""
    tensors = (*network.parameters(), *network.buffers())
    return all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point())


@contextmanager
def sent(race: Race, workers: int) -> Iterator[Trainer]:
    """Make a race known to other processes of this machine.

    Args:
        race: The race.
        workers: How many processes, for the error.

    Yields:
        A function that trains in whatever process it is called.

    Raises:
        LegateeError: If something of it cannot be pickled.
    """
    try:
        content = pickle.dumps(race)
    except Exception as error:  # what cannot be pickled says so in many ways
        raise LegateeError(
            f"cannot train in {workers} processes: {error}; define make_target, fit and metric at "
            "the top level of a module, or pass workers=1"
        ) from error
    with TemporaryDirectory() as folder:  # private to this user
        path = Path(folder) / "race.pickle"
        path.write_bytes(content)
        yield partial(_train_sent, str(path))


def _train_sent(path: str, training: Training) -> dict[str, Any]:
    """Train in a process that the race was sent to."""
    return train_one(_received(path), training)


@lru_cache(maxsize=1)
def _received(path: str) -> Race:
    """Read a race once in a process, which then computes with one thread."""
    torch.set_num_threads(1)
    race = pickle.loads(Path(path).read_bytes())
    assert isinstance(race, Race)
    return race
