"""Module names in tensor names, and what wrappers add to them."""

COMPILED = "_orig_mod"  # what torch.compile puts into names, wherever a compiled part stands
PARALLEL = "module."  # prefix of DataParallel and DistributedDataParallel


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
    """Strip what torch.compile adds anywhere, and prefixes of DataParallel that all names have.

    Args:
        names: Names of all tensors of a network.

    Returns:
        The names that the tensors have without wrappers.

    Example:
        >>> without_wrappers(["module.conv.weight", "module.conv.bias"])
        ['conv.weight', 'conv.bias']
        >>> without_wrappers(["stem.weight", "stage._orig_mod.conv.weight"])
        ['stem.weight', 'stage.conv.weight']
    """
    if any(COMPILED in name for name in names):
        names = [".".join(x for x in name.split(".") if x != COMPILED) for name in names]
    while names and all(name.startswith(PARALLEL) for name in names):
        names = [name.removeprefix(PARALLEL) for name in names]
    return names
