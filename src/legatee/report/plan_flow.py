"""Which blocks of the source feed which blocks of the target, as lines between two columns."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from legatee.plans.plan import TransferPlan
from legatee.plans.receipt import account

MOST_BLOCKS = 36  # blocks of a network in a drawing that can still be read [count]
ROW = 18  # height of a block in the longer column [px]
THICK = 12  # width of the line of a block that is inherited whole [px]
THIN = 1  # least width of a line [px]
LONG_NUMBER = 10  # a name of so many digits is not the number of a block [characters]


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one block of the target inherits from one of the source.

    Attributes:
        source: The source's block.
        target: The target's block.
        share: Share of the target's block [fraction, 0..1].
        start: Height at which it leaves the source's column [px].
        end: Height at which it reaches the target's, beside the other lines that do [px].
    """

    source: str
    target: str
    share: float
    start: float
    end: float

    @property
    def width(self) -> float:
        """How thick it is drawn [px]."""
        return max(THICK * self.share, THIN)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Two columns and the lines between them.

    Attributes:
        height: Of the whole [px].
        sources: Where each block of the source stands that feeds any [px].
        targets: Where each block of the target stands [px].
        lines: What feeds what.
    """

    height: float
    sources: dict[str, float]
    targets: dict[str, float]
    lines: tuple[Line, ...]


def blocks(plan: TransferPlan) -> Drawing | None:
    """Return which blocks inherit from which, as many levels deep as can still be read.

    Args:
        plan: The transfer to draw.

    Returns:
        What to draw; ``None`` where nothing is inherited, or every cut leaves too many blocks.
    """
    depths = _depths(plan)
    if depths is None:
        return None
    sizes: Counter[str] = Counter()
    for tensor in account(plan):
        sizes[_block(tensor.target, depths[1])] += tensor.size
    fed: Counter[tuple[str, str]] = Counter()
    for move in plan.moves:
        fed[_block(move.source, depths[0]), _block(move.target, depths[1])] += (
            move.inherited_elements
        )
    sources = _by_number(source for source, _ in fed)
    height = ROW * max(len(sources), len(sizes))
    starts, ends = _rows(sources, height), _rows(sizes, height)
    lines = []
    for target, size in sizes.items():
        shares = {name: fed[name, target] / size for name in sources if fed[name, target]}
        end = ends[target] - THICK * sum(shares.values()) / 2
        for name, share in shares.items():
            place = {"start": starts[name], "end": end + THICK * share / 2}
            lines.append(Line(source=name, target=target, share=share, **place))
            end += THICK * share
    return Drawing(height=height, sources=starts, targets=ends, lines=tuple(lines))


def _depths(plan: TransferPlan) -> tuple[int, int] | None:
    """Return after how many steps to cut the names of the source, and those of the target."""
    sources = {move.source for move in plan.moves}
    targets = {entry.target for entry in plan.entries}
    # One network may hold the other, `backbone.layer1` what there is `layer1`.
    deeper = Counter(move.target.count(".") - move.source.count(".") for move in plan.moves)
    chosen = None
    for depth in range(1, 1 + max((name.count(".") + 1 for name in sources), default=0)):
        cuts = depth, max(depth + deeper.most_common(1)[0][0], 1)
        columns = zip((sources, targets), cuts, strict=True)
        if any(len({_block(name, cut) for name in names}) > MOST_BLOCKS for names, cut in columns):
            break
        chosen = cuts
    return chosen


def _block(name: str, depth: int) -> str:
    """Return the block that a tensor belongs to; one outside any module is its own."""
    steps = name.split(".")
    return ".".join((steps[:-1] or steps)[:depth])


def _by_number(names: Iterable[str]) -> list[str]:
    """Return each name once: rows of numbered names by their numbers, all else as it comes."""
    places: dict[tuple[str, str], int] = {}

    def key(name: str) -> list[tuple[int, int]]:
        above, found = "", []
        for step in name.split("."):
            numbered = step.isdecimal() and len(step) < LONG_NUMBER
            place = places.setdefault((above, "" if numbered else step), len(places))
            found.append((place, int(step) if numbered else 0))
            above = f"{above}.{step}"
        return found

    return sorted(dict.fromkeys(names), key=key)


def _rows(names: Collection[str], height: float) -> dict[str, float]:
    """Return the middle of each name's row, all rows together as high as the drawing."""
    return {name: height * (place + 0.5) / len(names) for place, name in enumerate(names)}
