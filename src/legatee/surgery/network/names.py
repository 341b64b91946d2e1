"""Module names in tensor names, and the prefixes that wrappers add to them."""

WRAPPERS = ("_orig_mod.", "module.")  # prefixes of torch.compile and DataParallel


def module_of(name: str) -> str:
    """Name the module that a tensor belongs to, parametrizations aside.

    Args:
        name: Name of a tensor.

    Returns:
        Name of the module, empty for the network itself.

    Example:
        >>> module_of("stem.conv.weight"), module_of("stem.conv.parametrizations.weight.original0")
        ('stem.conv', 'stem.conv')
    """
    above, inside, _ = f".{name}".partition(".parametrizations.")
    return (above if inside else f".{name}".rpartition(".")[0])[1:]


def without_wrappers(names: list[str]) -> list[str]:
    """Strip the prefixes of torch.compile and DataParallel, where all names have them.

    Args:
        names: Names of all tensors of a network.

    Returns:
        The names without these prefixes.

    Example:
        >>> without_wrappers(["module.conv.weight", "module.conv.bias"])
        ['conv.weight', 'conv.bias']
    """
    for wrapper in 2 * WRAPPERS:  # they may wrap each other either way
        if names and all(name.startswith(wrapper) for name in names):
            names = [name.removeprefix(wrapper) for name in names]
    return names
