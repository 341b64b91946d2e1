"""Which blocks of a deeper network are copied: the first, the last, or evenly spaced ones."""

import re
from dataclasses import dataclass

from legatee.errors import TransferError
from legatee.surgery.planning.select import evenly

BLOCK_RULE = re.compile(r"(first|last|spaced):([1-9]\d*)")


@dataclass(frozen=True)
class BlockRule:
    """Which blocks of a deeper network are copied: ``first:k``, ``last:k``, ``spaced:k``.

    Attributes:
        order: ``"first"``, ``"last"`` or ``"spaced"``.
        count: Blocks of each stage and kind to copy; as many as both networks have if ``None``.
    """

    order: str
    count: int | None = None

    def pairs(self, target_count: int, source_count: int) -> list[tuple[int, int]]:
        """Pair the blocks of two sequences.

        Args:
            target_count: Blocks of the target [count].
            source_count: Blocks of the source [count].

        Returns:
            Position in the target and position in the source, of each pair.

        Example:
            >>> BlockRule("last", 2).pairs(6, 12)
            [(0, 10), (1, 11)]
        """
        count = min(target_count, source_count, self.count or target_count)
        if self.order == "spaced":
            return list(enumerate(evenly(source_count, count)))
        start = source_count - count if self.order == "last" else 0
        return [(i, start + i) for i in range(count)]


def block_rule(text: str | None) -> BlockRule | None:
    """Read a rule for blocks.

    Args:
        text: ``"first:k"``, ``"last:k"``, ``"spaced:k"``, or ``None``.

    Returns:
        The rule, or ``None``.

    Raises:
        TransferError: If it is none of these.
    """
    if text is None:
        return None
    parts = BLOCK_RULE.fullmatch(text)
    if parts is None:
        raise TransferError(
            f"match={text!r} (--match) is not understood; expected 'roles', 'first:k', 'last:k' or "
            "'spaced:k' with a number k of blocks, or a mapping of target names to source names"
        )
    return BlockRule(parts[1], int(parts[2]))
