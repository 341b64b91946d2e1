"""What a tensor's name says of the modules that hold it."""

WRAPPERS = ("_orig_mod.", "module.")  # what torch.compile and DataParallel put before every name


def module_of(name: str) -> str:
    """Name the module that a tensor belongs to; what parametrises a module's tensor is its own.

    Args:
        name: Of a tensor.

    Returns:
        Name of the module, empty for the network itself.

    Example:
        >>> module_of("stem.conv.weight"), module_of("stem.conv.parametrizations.weight.original0")
        ('stem.conv', 'stem.conv')
    """
    above, inside, _ = f".{name}".partition(".parametrizations.")
    return (above if inside else f".{name}".rpartition(".")[0])[1:]


def without_wrappers(names: list[str]) -> list[str]:
    """Strip what torch.compile and DataParallel put before every name, where all names have it.

    Args:
        names: Names of all tensors of a network.

    Returns:
        The names without it.

    Example:
        >>> without_wrappers(["module.conv.weight", "module.conv.bias"])
        ['conv.weight', 'conv.bias']
    """
    for wrapper in WRAPPERS:
        if names and all(name.startswith(wrapper) for name in names):
            names = [name.removeprefix(wrapper) for name in names]
    return names
