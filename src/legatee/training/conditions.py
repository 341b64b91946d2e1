"""What holds while a network is trained: frozen parameters, and seeded random generators."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from legatee.methods.prepared import TunedParameters


def keep_statistics(network: nn.Module) -> None:
    """Let normalisation layers whose parameters are all frozen use the statistics they have."""
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and hasattr(module, "running_mean") and not any(p.requires_grad for p in own):
            module.eval()


@contextmanager
def frozen(network: nn.Module, groups: Sequence[TunedParameters]) -> Iterator[None]:
    """Freeze the parameters that are in no group, and put them back afterwards."""
    tuned = {id(parameter) for group in groups for parameter in group["params"]}
    frozen = [p for p in network.parameters() if p.requires_grad and id(p) not in tuned]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators that dropout and augmentation draw from; restore them after."""
    cuda = device.type == "cuda"
    drawn = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(drawn)  # noqa: NPY002


def random_states(device: torch.device) -> dict[str, Any]:
    """Return the states of the global generators that a training draws from.

    Args:
        device: Where the network is trained.

    Returns:
        State by name of the generator.
    """
    states = {"torch": torch.get_rng_state(), "numpy": np.random.get_state()}  # noqa: NPY002
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random(states: dict[str, Any], device: torch.device) -> None:
    """Put the global generators back into states that were noted.

    Args:
        states: What :func:`random_states` returned.
        device: Where the network is trained.
    """
    torch.set_rng_state(states["torch"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
