"""How files are fetched from publishers: with a time limit, and with nothing executed."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from unittest import mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PATIENCE = 10.0  # seconds without an answer
GUARDS = {
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",  # torch.hub and others would unpickle anything
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # transformers would ask the hub to convert a pickle
}


@contextmanager
def guarded() -> Iterator[None]:
    """Set a time limit for servers, forbid unpickling, and keep what is printed off stdout."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        # torch.hub prints the address on stdout, where a command may be printing JSON.
        with mock.patch.dict(os.environ, GUARDS), redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def hub_or_cache() -> Iterator[bool]:
    """Let the hub's client use only its cache where the hub does not answer.

    The client itself would try again for a minute, for every file.

    Yields:
        Whether only the cache is used.
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
        yield offline


def cause(error: Exception) -> str:
    """Return the first sentence of another package's error.

    Args:
        error: The error.

    Returns:
        One line without a full stop at its end.

    Example:
        >>> cause(OSError("no such file. Check the folder, or give another one."))
        'no such file'
    """
    sentence = " ".join(str(error).split()).split(". ")[0]
    return sentence.rstrip(".")[:160] or type(error).__name__
