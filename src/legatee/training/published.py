"""Networks with the weights that their publishers give away, where this machine can get them."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch
from torch import nn

from legatee.errors import UnknownName, UnusableCheckpoint

PATIENCE = 10.0  # seconds without an answer


def published(spec: str) -> nn.Module:
    """Return a network with its published weights, from this machine's caches or the network.

    Nothing in a downloaded file is executed.

    Args:
        spec: ``torchvision:NAME``, ``timm:NAME``, or ``hf:OWNER/NAME`` for a model of timm's
            format on the Hugging Face hub.

    Returns:
        The network with its own classes, in evaluation mode on the CPU.

    Raises:
        UnknownName: If there is no such model.
        UnusableCheckpoint: If it has no published weights, or they cannot be fetched.
    """
    kind, _, name = spec.partition(":")
    makers = {"torchvision": _torchvision, "timm": _timm, "hf": _hub}
    if kind not in makers:
        raise UnusableCheckpoint(
            f"{spec!r} has no published weights; only torchvision:, timm: and hf: have; give a "
            f"file: {spec}@FILE"
        )
    try:
        with _guarded():
            return makers[kind](name).eval()
    except UnknownName:
        raise
    except Exception as error:  # whatever networks, caches and other people's code raise
        cause = " ".join(str(error).split()).split(". ")[0][:160] or type(error).__name__
        raise UnusableCheckpoint(
            f"cannot fetch the published weights of {spec!r}; give a file instead, {spec}@FILE: "
            f"{cause}"
        ) from error


@contextmanager
def _guarded() -> Iterator[None]:
    """Wait for no server for long, and let nobody unpickle more than weights."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:  # torchvision asks torch.hub, which unpickles anything unless PyTorch is told otherwise
        with mock.patch.dict(os.environ, {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}):
            yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _hub_or_cache() -> Iterator[None]:
    """Let the hub's client look into its cache alone where the hub does not answer.

    The client itself would try again for a minute, for every file.
    """
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    if not offline:
        try:
            urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=PATIENCE).close()
        except HTTPError:
            pass  # an answer
        except OSError:
            offline = True
    with mock.patch.object(constants, "HF_HUB_OFFLINE", offline):
        yield


def _torchvision(name: str) -> nn.Module:
    from torchvision import models  # takes seconds

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownName("torchvision model", name, known)
    with torch.random.fork_rng(devices=[]):
        return models.get_model(name, weights="DEFAULT", progress=False)


def _timm(name: str) -> nn.Module:
    import timm  # takes seconds

    if name.split(".")[0] not in timm.list_models():
        raise UnknownName("timm model", name, timm.list_models())
    return _from_hub(name)


def _hub(name: str) -> nn.Module:
    return _from_hub(f"hf-hub:{name}")


def _from_hub(name: str) -> nn.Module:
    """Let timm fetch what the hub holds."""
    import timm

    with torch.random.fork_rng(devices=[]), _hub_or_cache():
        return timm.create_model(name, pretrained=True)
