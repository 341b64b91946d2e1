"""Training functions: what the race asks of them, and what some of them tell in addition.

A training function is ``fit(prepared, data, seed) -> network``. It may also have ``identity``, its
settings by name without what cannot change results, and, for learning curves, ``epochs`` and
``run(..., on_epoch=...)``, as :class:`legatee.TrainingLoop` has.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import nn
from torch.utils.data import Dataset

from legatee.errors import LegateeError
from legatee.fingerprint import FingerprintError, code_fingerprint
from legatee.methods.prepared import Prepared

Fit = Callable[[Prepared, Dataset, int], nn.Module]
OnEpoch = Callable[[int, float], None]
INCOMPARABLE = "incomparable: "  # before the reason why code cannot be compared with earlier code


@runtime_checkable
class Observable(Protocol):
    """A training function that reports after every epoch.

    Attributes:
        epochs: Passes over the data [count].
    """

    epochs: int

    def run(
        self, prepared: Prepared, data: Dataset, seed: int, *, on_epoch: OnEpoch | None = None
    ) -> nn.Module:
        """Train.

        Args:
            prepared: The network, and what of it learns how.
            data: What to train on.
            seed: Seed of what is drawn.
            on_epoch: Called after each epoch with its number, from 1, and the mean training loss.

        Returns:
            The trained network.
        """


@runtime_checkable
class Identified(Protocol):
    """A training function that tells its settings.

    Attributes:
        identity: The settings by name; what cannot change results, such as a device, is left out.
    """

    identity: Mapping[str, Any]


def epochs_of(fit: Fit) -> int:
    """Return how many epochs there are learning curves of, 0 where there are none."""
    return fit.epochs if isinstance(fit, Observable) else 0


def train(fit: Fit, prepared: Prepared, data: Dataset, seed: int, on_epoch: OnEpoch) -> nn.Module:
    """Train a network.

    Args:
        fit: The training function.
        prepared: The network, and what of it learns how.
        data: What to train on.
        seed: Seed of what is drawn.
        on_epoch: Called after each epoch, where the function reports them.

    Returns:
        The trained network.

    Raises:
        LegateeError: If the function returns no network.
    """
    if isinstance(fit, Observable):
        network = fit.run(prepared, data, seed, on_epoch=on_epoch)
    else:
        network = fit(prepared, data, seed)
    if not isinstance(network, nn.Module):
        raise LegateeError(
            f"fit returned {type(network).__name__}; expected the trained network, a torch module"
        )
    return network


def settings_of(fit: Fit) -> dict[str, Any]:
    """Return what a training function tells of its settings, nothing where it does not."""
    return dict(fit.identity) if isinstance(fit, Identified) else {}


def fit_identity(fit: Fit) -> dict[str, Any]:
    """Return what distinguishes a training function from others, by a name that errors can use.

    Args:
        fit: The training function.

    Returns:
        Its settings, or a fingerprint of its code and of all that it captures.
    """
    if isinstance(fit, Identified):
        kind = type(fit).__qualname__
        return {"training": kind} | {f"training: {k}": v for k, v in fit.identity.items()}
    return {"training": identity_of_code(fit)}


def identity_of_code(function: object) -> str:
    """Return what distinguishes code from other code; where nobody can tell, a text without equal.

    Args:
        function: A function or a callable object.

    Returns:
        Its fingerprint, or :data:`INCOMPARABLE` with the reason.
    """
    try:
        return code_fingerprint(function)
    except FingerprintError as error:
        return f"{INCOMPARABLE}{error}"
