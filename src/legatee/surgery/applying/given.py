"""The tensors of a state under the names that a network has for them.

Files of weights hold the right tensors under longer names, because a wrapper or a larger network
put a prefix before them, and hold tensors beside them, such as another head.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Self

import torch
from torch import Tensor

from legatee.errors import TransferError
from legatee.surgery.network.names import without_wrappers

COUNTER = "num_batches_tracked"  # norms count batches since PyTorch 0.4.1; older files lack it


class Given(Mapping[str, Tensor]):
    """Tensors of a state by the names that a network has for them; read when asked for.

    Args:
        weights: The state.
        names: Name in the network -> name in the state, ``None`` for a counter that is missing.
        others: Names in the state of tensors that the network does not have: those that show it
            to be the state of another network, and those of modules beside the network's.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        names: dict[str, str | None],
        others: tuple[list[str], list[str]],
    ):
        self.names, self._weights = names, weights
        self.foreign, self.beside = others

    @classmethod
    def of(
        cls,
        weights: Mapping[str, Tensor],
        expected: Collection[str],
        ties: Mapping[str, str],
        what: str,
    ) -> Self:
        """Find the tensors of a network in a state.

        Args:
            weights: The state, perhaps with a prefix before the names.
            expected: Names of the network's tensors, tied ones once.
            ties: Further names of tied tensors -> the name that is expected.
            what: What the state is called, for messages.

        Returns:
            Those that are in the state, in the order of ``expected``. Counters of batches that are
            not are zero, as PyTorch makes them.

        Raises:
            TransferError: If the state holds the tensors of several such networks, or different
                values for one tied tensor.
        """
        all_names = [*expected, *ties]
        bare = dict(zip(all_names, without_wrappers(all_names), strict=True))
        prefix = prefix_before(weights, set(bare.values()), what)
        found: dict[str, str | None] = {}
        for name in expected:
            if prefix + bare[name] in weights:
                found[name] = prefix + bare[name]
            elif name.endswith(f".{COUNTER}"):
                found[name] = None
        for other, name in ties.items():
            if (given := prefix + bare[other]) in weights:
                first = found.setdefault(name, given)
                if first is not None and not _same(weights[first], weights[given]):
                    raise TransferError(
                        f"{what} holds {first!r} and {given!r} with different values; expected "
                        "equal ones, because they are one tied tensor in the network"
                    )
        names = {name: found[name] for name in expected if name in found}
        return cls(weights, names, _others(weights, prefix, set(bare.values())))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> Tensor:
        given = self.names[name]
        value = torch.zeros((), dtype=torch.int64) if given is None else self._weights[given]
        if name.endswith(COUNTER) and value.is_floating_point():
            # The file was converted as a whole; a count that is too large for a type is infinite.
            value = value.nan_to_num().to(torch.int64)
        return value


def prefix_before(names: Collection[str], expected: Collection[str], what: str) -> str:
    """Return what stands before the names of a network in those of a state.

    Args:
        names: Names of the tensors of a state.
        expected: Names of the network's tensors.
        what: What the state is called, for messages.

    Returns:
        The prefix, such as ``"module."``; empty where the names are as expected, or no prefix
        makes at least half of them so.

    Raises:
        TransferError: If several prefixes do.

    Example:
        >>> prefix_before(["n_averaged", "module.0.weight", "module.0.bias"], {"0.weight"}, "it")
        'module.'
    """
    counts: Counter[str] = Counter()
    for name in names:
        start = 0
        while start >= 0:
            counts[name[:start]] += name[start:] in expected
            start = name.find(".", start) + 1 or -1
    found = [prefix for prefix, count in counts.items() if 2 * count >= len(expected)]
    if "" in found or not found:
        return ""
    if len(found) > 1:
        keys = [prefix.removesuffix(".") for prefix in found]
        raise TransferError(
            f"{what} holds the weights of several networks, under {' and '.join(map(repr, keys))}: "
            f"say which, as FILE#{keys[0]} (in Python read_weights(FILE, key={keys[0]!r}))"
        )
    return found[0]


def _others(
    weights: Mapping[str, Tensor], prefix: str, expected: set[str]
) -> tuple[list[str], list[str]]:
    """Return the names of tensors that a network does not have: foreign ones, and those beside it.

    A module of its own, such as another head, may stand beside the network's. Any other tensor in a
    module of the network says that the state is that of another network, such as a deeper one;
    buffers of integers and counters come and go with versions of the code and are in neither list.
    """
    modules = {name.partition(".")[0] for name in expected}
    foreign: list[str] = []
    beside: list[str] = []
    for name in weights:
        bare = name.removeprefix(prefix)
        if not name.startswith(prefix) or bare in expected:
            continue
        value = weights[name]
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 1:
            module = bare.partition(".")[0]
            (foreign if module in modules or module.isdecimal() else beside).append(name)
    return foreign, beside


def _same(value: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors are one tensor or equal copies of it."""
    at_one_place = value.data_ptr() == other.data_ptr() != 0
    alike = value.shape == other.shape and value.dtype == other.dtype
    return alike and (at_one_place or value.is_meta or value.equal(other))
