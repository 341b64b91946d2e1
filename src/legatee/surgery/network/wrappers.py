"""Networks inside of wrappers that change how a network is run, but not what it computes."""

from torch import nn

PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def unwrapped(network: nn.Module) -> nn.Module:
    """Return the network that wrappers hold, such as those of data parallelism and compilation.

    Args:
        network: Any network.

    Returns:
        The innermost network; the same object where there is no wrapper.

    Example:
        >>> unwrapped(nn.DataParallel(nn.Linear(3, 2)))
        Linear(in_features=3, out_features=2, bias=True)
    """
    name = "module" if isinstance(network, PARALLEL) else "_orig_mod"
    inner = getattr(network, name, None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else network


def unwrap_parts(network: nn.Module) -> nn.Module:
    """Take all wrappers out of a network, in place, and let it run as it is written.

    Args:
        network: A network that nobody else holds.

    Returns:
        The network without a wrapper around it or around its parts.
    """
    network = unwrapped(network)
    for module in list(network.modules()):
        module._compiled_call_impl = None  # what module.compile() sets
        for name, part in module.named_children():
            if unwrapped(part) is not part:
                module._modules[name] = unwrapped(part)
    return network
