"""Networks with published weights, where this machine can get them."""

import torch
from torch import nn

from legatee.errors import CheckpointError, LegateeError, UnknownNameError
from legatee.models.architectures import torchvision_names
from legatee.models.configs import pretrained
from legatee.models.fetch import cause, guarded, hub_or_cache


def published(spec: str) -> nn.Module:
    """Return a network with its published weights, from this machine's caches or the network.

    Nothing in a downloaded file is executed.

    Args:
        spec: ``torchvision:NAME``, ``timm:NAME``, ``transformers:ID`` or ``transformers:FOLDER``
            for a model of transformers' format, or ``hf:OWNER/NAME`` for one of timm's format on
            the Hugging Face hub.

    Returns:
        The network with its own classes, in evaluation mode on the CPU.

    Raises:
        UnknownNameError: If there is no such model.
        CheckpointError: If it has no published weights, or they cannot be fetched.
        LegateeError: If the package that knows it is not installed.
    """
    kind, _, name = spec.partition(":")
    makers = {"torchvision": _torchvision, "timm": _timm, "transformers": pretrained, "hf": _hub}
    if kind not in makers:
        raise CheckpointError(
            f"{spec!r} has no published weights; only {':, '.join(makers)}: have; give a file: "
            f"{spec}@FILE"
        )
    try:
        with guarded(), torch.random.fork_rng(devices=[]):
            return makers[kind](name).eval()
    except LegateeError:
        raise
    except Exception as error:  # whatever networks, caches and other people's code raise
        raise CheckpointError(
            f"cannot fetch the published weights of {spec!r}; give a file instead, {spec}@FILE: "
            f"{cause(error)}"
        ) from error


def _torchvision(name: str) -> nn.Module:
    from torchvision import models  # takes seconds

    known = torchvision_names()
    if name not in known:
        raise UnknownNameError("torchvision model", name, known)
    return models.get_model(name, weights="DEFAULT", progress=False)


def _timm(name: str) -> nn.Module:
    import timm  # takes seconds

    if name.split(".")[0] not in timm.list_models():
        raise UnknownNameError("timm model", name, timm.list_models())
    return _from_hub(name)


def _hub(name: str) -> nn.Module:
    return _from_hub(f"hf-hub:{name}")


def _from_hub(name: str) -> nn.Module:
    """Let timm fetch what the hub holds."""
    import timm

    with hub_or_cache():
        return timm.create_model(name, pretrained=True)
