"""Data by name: ``kind:options``, where a kind is a file in ``data/sources/``."""

from importlib import import_module
from pkgutil import iter_modules

from legatee.data import sources
from legatee.data.examples import Examples
from legatee.errors import UnknownNameError


def load_data(spec: str) -> Examples:
    """Return the examples that a spec names; the same spec gives the same bits.

    Args:
        spec: ``digits:OPTIONS`` (see :class:`legatee.data.sources.digits.Digits`),
            ``folder:PATH[,size=64]`` with a subfolder of images for each class, or ``npz:PATH``
            with arrays ``inputs`` (or ``x``), ``labels`` (or ``y``) and perhaps ``classes``.

    Returns:
        The examples, named by their spec.

    Raises:
        UnknownNameError: If the kind or an option is not known.
        DataError: If a value is out of range, or the data are missing, unreadable or unfit.

    Example:
        >>> load_data("digits:classes=0-4,n=20,canvas=16").inputs.shape
        torch.Size([20, 1, 16, 16])
    """
    kind, _, options = spec.partition(":")
    kinds = [module.name for module in iter_modules(sources.__path__)]
    if kind not in kinds:
        raise UnknownNameError("kind of data", kind, kinds)
    examples: Examples = import_module(f"{sources.__name__}.{kind}").load(options, spec)
    return examples
