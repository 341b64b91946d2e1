"""What a trace finds out: which positions of which tensors are the same channel."""

from dataclasses import dataclass

import numpy as np

from legatee.surgery.network.uses import Use


@dataclass(frozen=True, kw_only=True)
class ChannelMap:
    """Which positions along which axes are the same channel.

    Attributes:
        axes: For each tensor and axis longer than 1, the channel at each position
            [size of that axis].
        consumed: Channels of the network's input, and rows of its embeddings.
        produced: Channels of the network's output.
        fixed: Channels that meet a constant or a position of the input: their order has a meaning.
        parts: Channel -> the group of neighbours in which a group normalisation normalises it.
        notes: What could not be followed, in sentences.
        heads: Channels that are attention heads.
        called: Role of an axis in the first operation that reads the tensor, where it has one.
        uses: What the network does with its tensors, in order.
    """

    axes: dict[tuple[str, int], np.ndarray]
    consumed: frozenset[int]
    produced: frozenset[int]
    fixed: frozenset[int]
    parts: dict[int, tuple[int, ...]]
    notes: tuple[str, ...]
    heads: frozenset[int]
    called: dict[tuple[str, int], str]
    uses: tuple[Use, ...]
