"""A panel of a finding as the page shows it: drawing, key and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from legatee.report.canvas import ARM_COLOURS

MOST_ROWS, MOST_COLUMNS = 60, 12  # a larger table is left to the data file
MARKS = (  # as matplotlib calls them, and as a path in the key: colour is not the only difference
    ("o", "M10 6a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"),
    ("s", "M10.5 2.5h7v7h-7z"),
    ("^", "M14 1.5l4.5 8.5h-9z"),
    ("D", "M14 1l5 5-5 5-5-5z"),
    ("v", "M14 10.5l4.5-8.5h-9z"),
)
Key = list[tuple[Markup, str]]
LINES = {"measured": "", "theory": "5 3"}  # dashes of a line in the key [px]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers in words, as they stand in a table.

    Attributes:
        head: Names of the columns.
        rows: Cells of each row, the first of which names it.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def fits(self) -> bool:
        """Whether a reader can take it in."""
        return 0 < len(self.rows) <= MOST_ROWS and len(self.head) <= MOST_COLUMNS


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A panel as the page shows it.

    Attributes:
        title: What it shows.
        svg: The drawing.
        key: What each kind of mark or area is: a swatch and a name.
        table: The numbers, ``None`` where they are too many for a table.
        scale: Kind of the colours of a map, empty for none.
        label: What a map's colours stand for.
        ramp: The colours with their numbers, ``None`` where there is no scale of them.
    """

    title: str
    svg: Markup
    key: tuple[tuple[Markup, str], ...]
    table: Table | None
    scale: str = ""
    label: str = ""
    ramp: Markup | None = None


def place_of(colour: int) -> int:
    """Return the page's colour, counted from 0, of a series' colour; grey comes last."""
    return (colour + 1) % ARM_COLOURS


def mark_of(colour: int) -> str:
    """Return the shape of a series' points, as matplotlib calls it."""
    return MARKS[colour % len(MARKS)][0]


def line_swatch(kind: str, colour: int) -> Markup:
    """Return what stands before a series' name in the key."""
    paint, drawn = f"var(--arm-{place_of(colour)})", ""
    if kind in LINES:
        drawn = _line(paint, LINES[kind])
    if kind != "theory":
        drawn += f'<path d="{MARKS[colour % len(MARKS)][1]}" style="fill: {paint}"/>'
    return _swatch(drawn)


def ink_swatch(dashes: Sequence[float] = (), width: float = 2) -> Markup:
    """Return what stands for a line in the colour of the text."""
    return _swatch(_line("currentColor", " ".join(f"{2 * dash:g}" for dash in dashes), width))


def area_swatch(fill: str) -> Markup:
    """Return what stands for an area of a map."""
    return _swatch(f'<path d="M4 0h20v12h-20z" style="fill: {fill}"/>')


def missing_swatch() -> Markup:
    """Return what stands for a cell of a map without a value."""
    return _swatch('<path d="M4.5 .5h19v11h-19zl19 11" style="fill: none; stroke: var(--line)"/>')


def _line(paint: str, dashes: str, width: float = 2) -> str:
    """Return a line across the swatch."""
    return (
        f'<path d="M0 6h28" style="stroke: {paint}; stroke-width: {width:g}; fill: none; '
        f'stroke-dasharray: {dashes or "none"}"/>'
    )


def _swatch(drawn: str) -> Markup:
    """Return a small drawing that needs no words: the name stands beside it."""
    return Markup(f'<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">{drawn}</svg>')
