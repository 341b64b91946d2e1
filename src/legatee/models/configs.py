"""Networks of the ``transformers`` package, as a ``config.json`` describes them.

Code that comes with a config is never run, and pickled weights are never read.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from logging import getLogger
from pathlib import Path
from re import fullmatch, sub
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from legatee.disk import path_status
from legatee.errors import CheckpointError, LegateeError, listed, printable
from legatee.models.fetch import cause, guarded, hub_or_cache

ID = r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?"  # of a model on the hub
LOG = getLogger(__name__)
NAMED = 3  # tensors that an error names


def configured(
    name: str, num_classes: int, input_shape: tuple[int, int, int]
) -> Callable[[], nn.Module]:
    """Find the network that a config describes, for a number of classes and a size of images.

    Args:
        name: A folder with a ``config.json``, as ``save_pretrained`` writes it, or an id on the
            Hugging Face hub, whose config is in this machine's cache or fetched.
        num_classes: Outputs, where the architecture is a classifier [count].
        input_shape: Channels, height and width of one input, where it takes images [count].

    Returns:
        A function without arguments that builds it, with random weights.

    Raises:
        CheckpointError: If there is no such config, or it asks for code of its own.
        LegateeError: If the package is not installed.
    """
    config = _config(name)
    config.num_labels = num_classes  # keeps the names of the classes if there are as many
    if hasattr(config, "num_channels"):
        config.num_channels = input_shape[0]
    if hasattr(config, "image_size"):
        height, width = input_shape[1:]
        config.image_size = height if height == width else (height, width)
    return partial(_architecture(config, name), config)


def described(
    name: str, num_classes: int, input_shape: tuple[int, int, int]
) -> tuple[int, tuple[int, int, int]]:
    """Return the number of classes and the shape of one input in a config.

    Args:
        name: As :func:`configured` takes it.
        num_classes: Outputs, where the config has no number of classes [count].
        input_shape: Channels, height and width of one input, where it has none [count].

    Returns:
        Classes, and channels, height and width.

    Raises:
        CheckpointError: If there is no such config, or it asks for code of its own.
        LegateeError: If the package is not installed.
    """
    config = _config(name)
    height, width = input_shape[1:]
    match getattr(config, "image_size", None):
        case int(side):
            height, width = side, side
        case [int(height), int(width)]:
            pass
    channels = getattr(config, "num_channels", input_shape[0])
    return getattr(config, "num_labels", num_classes), (channels, height, width)


def pretrained(name: str) -> nn.Module:
    """Return the network of a folder or a hub id with the weights beside its config.

    Args:
        name: As :func:`configured` takes it; the weights are ``.safetensors``, in one file or many,
            and may include heads of other tasks, which are not used and are named in the log.

    Returns:
        The network, with the classes in its config.

    Raises:
        CheckpointError: If there is no such config, or the weights are not of its architecture.
        LegateeError: If the package is not installed.
        Exception: Whatever the package raises where weights are missing or damaged.
    """
    config = _config(name)
    with _reachable(name) as offline:
        options = {"use_safetensors": True, "local_files_only": offline}
        return _loaded(_architecture(config, name), f"transformers:{name}", config, name, **options)


def dressed(network: nn.Module, weights: Mapping[str, Tensor], what: str) -> nn.Module:
    """Give a network of ``transformers`` weights under the names in its files.

    These are often older than the names of the network's modules; only the package knows both.

    Args:
        network: The network, perhaps without weights of its own (meta device); not changed.
        weights: Tensors by name.
        what: What they are called, for the message.

    Returns:
        A network of the same architecture with these weights.

    Raises:
        CheckpointError: If they are not of its architecture.
    """
    config: Any = network.config
    options: dict[str, Any] = {"state_dict": dict(weights)}
    if any(value.dtype == torch.float64 for value in weights.values()):
        options["dtype"] = torch.float64  # or the package would make them narrower
    try:
        return _loaded(type(network), what, config, None, **options)
    except CheckpointError:
        raise
    except Exception as error:  # whatever the package raises at names that it does not expect
        raise CheckpointError(f"cannot read the weights of {what!r}: {cause(error)}") from error


def _package() -> ModuleType:
    try:
        import transformers  # takes seconds
    except ImportError as error:
        raise LegateeError(
            "networks named transformers: need the transformers package; "
            "pip install legatee[transformers]"
        ) from error
    return transformers


def _reachable(name: str) -> AbstractContextManager[bool]:
    """Ask the hub unless the name is a folder; tell whether only this machine is searched."""
    return nullcontext(True) if path_status(name).is_folder else hub_or_cache()


def _config(name: str) -> Any:
    """Read the config in a folder, in the hub's cache, or on the hub."""
    transformers, spec, is_folder = _package(), f"transformers:{name}", path_status(name).is_folder
    if not path_status(Path(name, "config.json")).is_file and (
        is_folder or not fullmatch(ID, name)
    ):
        raise CheckpointError(
            f"{spec!r} is neither a folder with a config.json nor an id on the hub"
        )
    try:
        with guarded(), _reachable(name) as offline:
            config = transformers.AutoConfig.from_pretrained(
                name, local_files_only=offline, trust_remote_code=False
            )
    except Exception as error:  # whatever networks, caches and other people's code raise
        verb = "read" if is_folder else "find a folder or fetch"
        raise CheckpointError(f"cannot {verb} the config of {spec!r}: {cause(error)}") from error
    config._attn_implementation = None  # a config may name one that would have to be downloaded
    return config


def _architecture(config: Any, name: str) -> Any:
    """Return the class that a config names, else the classifier of its kind."""
    transformers, spec = _package(), f"transformers:{name}"
    named = (getattr(config, "architectures", None) or [None])[0]
    if named is not None:
        found = getattr(transformers, str(named), None)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
        raise CheckpointError(
            f"the config of {spec!r} is for {named!r}, which is not in the transformers package; "
            "code that comes with a config is never executed"
        )
    for kind in ("IMAGE", "SEQUENCE"):
        known = getattr(transformers, f"MODEL_FOR_{kind}_CLASSIFICATION_MAPPING")
        if type(config) in known:
            found = known[type(config)]
            return found[0] if isinstance(found, tuple) else found
    raise CheckpointError(
        f"the config of {spec!r} names no architecture, and transformers has no classifier of its "
        f"kind, {config.model_type!r}"
    )


def _loaded(
    architecture: Any, what: str, config: Any, place: str | None, **options: Any
) -> nn.Module:
    """Let the package load weights; refuse those that leave tensors with random numbers."""
    logging = _package().logging
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # missing weights are refused below
    try:
        network, found = architecture.from_pretrained(
            place, config=config, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    finally:
        logging.set_verbosity(before)
    why = _misfit(network, found)
    if why is not None:
        raise CheckpointError(f"the weights of {what!r} do not fit the network: {why}")
    if left := {".".join(name.split(".")[:2]) for name in found["unexpected_keys"]}:
        names = printable(listed(sorted(left)))
        LOG.warning("%r also has other heads, which are not used: %s", what, names)
    return network._apply(_widened)  # as all other networks are built


def _widened(value: Tensor) -> Tensor:
    """Convert half precision to single precision; other types are not changed."""
    return value.float() if value.is_floating_point() and value.itemsize < 4 else value


def _misfit(network: nn.Module, found: Mapping[str, Any]) -> str | None:
    """Say why weights do not fit an architecture; heads of other tasks may be there."""
    for name, given, expected in sorted(found["mismatched_keys"]):
        return (
            f"{name!r} has shape {tuple(given)} in the file; the network expects {tuple(expected)}"
        )
    if missing := sorted(found["missing_keys"]):
        return f"they lack {len(missing)} tensors [{listed(missing, most=NAMED)}]"
    held = {sub(r"\d+", "*", name) for name in network.state_dict()}
    for name in sorted(found["unexpected_keys"]):
        if sub(r"\d+", "*", name) in held or _belongs(network, name):
            return f"the network has no {name!r}"
    return None


def _belongs(network: Any, name: str) -> bool:
    """Tell whether a tensor would be part of a layer that a network has, such as an adapter."""
    # Heads of other tasks stand beside a network's modules, or in a container of heads.
    base, prefix = network.base_model, f"{network.base_model_prefix}."
    inside = base is network or name.startswith(prefix)
    layer, depth = base if inside else network, 0
    for part in name.removeprefix(prefix).split("."):
        layers = dict(layer.named_children())
        if part not in layers:
            break
        layer, depth = layers[part], depth + 1
    return depth > 1 or (depth == 1 and (inside or not any(layer.children())))
