"""A network's parameters and saved buffers, live and by name, and a digest of what they are."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from legatee.errors import TransferError


def state(network: nn.Module) -> dict[str, Tensor]:
    """Return the network's parameters and saved buffers by name, tied ones once, not copied.

    Args:
        network: Any network.

    Returns:
        The live tensors, in the order of the state dict.

    Raises:
        TransferError: If it is no network, or its tensors have no shape yet.
    """
    if not isinstance(network, nn.Module):
        raise TransferError(f"a network is expected, not a {type(network).__name__}")
    first: dict[int, str] = {}
    saved = saved_tensors(network)
    for name, value in saved.items():
        if is_lazy(value):
            raise TransferError(
                f"{name!r} has no shape yet: it belongs to a lazy module; run the network once"
            )
        first.setdefault(id(value), name)
    return {name: saved[name] for name in first.values()}


def saved_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's parameters and saved buffers, without what else its modules save.

    Args:
        network: Any network.

    Returns:
        The live tensors under all of their names.
    """
    saved = network.state_dict(keep_vars=True)
    return {n: v for n, v in saved.items() if n.rpartition(".")[2] != "_extra_state"}


def architecture_digest(tensors: Mapping[str, Tensor]) -> str:
    """Digest tensors as the digest of a catalogue does, without tracing a channel.

    Args:
        tensors: Tensors by name.

    Returns:
        Sixteen hexadecimal digits.
    """
    return described_digest((name, tuple(v.shape), str(v.dtype)) for name, v in tensors.items())


def described_digest(described: Iterable[tuple[str, tuple[int, ...], str]]) -> str:
    """Digest names, shapes and types of tensors.

    Args:
        described: The name, shape and type of each tensor.

    Returns:
        Sixteen hexadecimal digits.
    """
    lines = (f"{n} {shape} {dtype.removeprefix('torch.')}" for n, shape, dtype in described)
    return sha256("\n".join(lines).encode()).hexdigest()[:16]
